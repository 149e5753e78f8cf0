/**
 * The probe: counts renders outside of the app, and decides how long they take and whether they fail.
 *
 * The app calls, through its service binding PROBE,
 *   POST http://probe/render?path=P&id=ID     at the start of a render; the answer is JSON { delayMs?, fail?, outcome? }, to be obeyed
 *   POST http://probe/rendered?path=P&id=ID   at its end
 *   GET  http://probe/read?path=P             what an app has for upstream: each is counted as a render; the answer is JSON { version }
 * and a person, or the demo's page, may call
 *   GET  http://probe/renders[?path=P]        JSON { path, count, running, renders } or a list of them
 *   POST http://probe/flaky?mode=fail|ok&path=P   makes the renders of P fail, or not
 *
 * @typedef {{ id: string, path: string, isolate?: number | string, startedAt: number, endedAt?: number, diedAt?: number }} Render
 * @typedef {{ delayMs?: number, fail?: boolean | string, hold?: boolean, outcome?: string }} Behaviour
 *   `hold`: a render does not get on before `release` is called for its path. `outcome`: what it comes to, in the app's words.
 */

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const KEEP_ALIVE_MS = 3_600_000;

export class Probe {
  // The runtime keeps its connections, and a render on one that this end has just closed would fail: none is closed here.
  #server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => this.#answer(request, response));
  /** @type {Map<string, Render[]>} */
  #renders = new Map();
  /** @type {Map<string, Behaviour>} */
  #behaviours = new Map();
  /** @type {Map<string, (() => void)[]>} */
  #held = new Map();
  #listeners = new Set();

  /** Host and port. */
  address = "";

  static async start({ port = 0 } = {}) {
    const probe = new Probe();
    probe.#server.listen({ host: "127.0.0.1", port, backlog: 4096 });
    await once(probe.#server, "listening");
    probe.address = `127.0.0.1:${probe.#server.address().port}`;
    return probe;
  }

  /** @returns {Render[]} the renders of a path, oldest first; of all paths without one */
  renders(path) {
    const lists = path === undefined ? [...this.#renders.values()].flat() : (this.#renders.get(path) ?? []);
    return lists.map((render) => ({ ...render }));
  }

  /** @returns {string[]} */
  paths() {
    return [...this.#renders.keys()];
  }

  /** How renders of a path go from now on; the path "*" stands for all that have no behaviour of their own. @param {Behaviour} behaviour */
  behave(path, behaviour) {
    this.#behaviours.set(path, behaviour);
  }

  /** Lets the held renders of a path get on, and those to come not wait. */
  release(path) {
    this.behave(path, { ...this.#behaviourOf(path), hold: false });
    for (const go of this.#held.get(path) ?? []) go();
    this.#held.delete(path);
  }

  /** Forgets all renders and behaviours; held renders get on. */
  reset() {
    for (const path of [...this.#held.keys()]) this.release(path);
    this.#behaviours.clear();
    this.#renders.clear();
  }

  /** Waits until at least `count` renders of a path have begun. @returns {Promise<Render[]>} */
  async waitForRenders(path, count, limitMs = 10_000) {
    return this.#waitFor(path, limitMs, `${count} renders of ${path} to begin`, (renders) => renders.length >= count);
  }

  /** Waits until at least `count` renders of a path have begun and none is running. @returns {Promise<Render[]>} */
  async waitForEnd(path, count = 1, limitMs = 10_000) {
    const settled = (renders) => renders.length >= count && renders.every((render) => render.endedAt ?? render.diedAt);
    return this.#waitFor(path, limitMs, `${count} renders of ${path} to end`, settled);
  }

  /** The largest number of renders of a path that ran at the same time. */
  maxConcurrency(path) {
    const renders = this.renders(path);
    const changes = renders.flatMap((render) => [
      { at: render.startedAt, by: 1 },
      { at: render.endedAt ?? render.diedAt ?? Infinity, by: -1 },
    ]);
    changes.sort((a, b) => a.at - b.at || a.by - b.by);
    let running = 0;
    return changes.reduce((most, change) => Math.max(most, (running += change.by)), 0);
  }

  /** Marks what ran in an isolate as dead: its end will never be told. */
  isolateDied(isolate) {
    for (const render of [...this.#renders.values()].flat()) {
      if (render.isolate === isolate && render.endedAt === undefined) render.diedAt ??= Date.now();
    }
    this.#tell("died", { isolate });
  }

  /** @param {(event: "begin" | "end" | "died", render: Partial<Render>) => void} listener @returns {() => void} takes it away again */
  onRender(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop() {
    this.reset();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async #answer(request, response) {
    const url = new URL(request.url, "http://probe");
    const path = url.searchParams.get("path");
    const json = (value, status = 200) => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", "access-control-allow-origin": "*" });
      response.end(JSON.stringify(value));
    };
    request.resume();
    switch (`${request.method} ${url.pathname}`) {
      case "POST /render":
        return json(await this.#begin(path, url.searchParams.get("id") ?? "", request.headers["x-isolate"]));
      case "POST /rendered":
        return json(this.#end(path, url.searchParams.get("id") ?? ""));
      case "GET /read":
        return json(await this.#read(path, request.headers["x-isolate"]));
      case "GET /renders":
        return json(path === null ? this.paths().map((name) => this.#summary(name)) : this.#summary(path));
      case "POST /flaky":
        this.behave(path ?? "*", { ...this.#behaviourOf(path ?? "*"), fail: url.searchParams.get("mode") === "fail" });
        return json({ ok: true });
      default:
        return json({ error: "unknown" }, 404);
    }
  }

  async #begin(path, id, isolate) {
    const render = { id, path, isolate: /^\d+$/.test(isolate) ? Number(isolate) : isolate, startedAt: Date.now() };
    if (!this.#renders.has(path)) this.#renders.set(path, []);
    this.#renders.get(path).push(render);
    this.#tell("begin", render);
    if (this.#behaviourOf(path).hold) {
      if (!this.#held.has(path)) this.#held.set(path, []);
      await new Promise((go) => this.#held.get(path).push(go));
    }
    const { delayMs, fail, outcome } = this.#behaviourOf(path);
    return { delayMs, fail, outcome };
  }

  async #read(path, isolate) {
    const version = randomUUID();
    const { delayMs } = await this.#begin(path, version, isolate);
    if (delayMs) await sleep(delayMs);
    this.#end(path, version);
    return { version };
  }

  #behaviourOf(path) {
    return this.#behaviours.get(path) ?? this.#behaviours.get("*") ?? {};
  }

  #end(path, id) {
    const render = (this.#renders.get(path) ?? []).findLast((one) => one.id === id && one.endedAt === undefined);
    if (render === undefined) return { ok: false };
    render.endedAt = Date.now();
    this.#tell("end", render);
    return { ok: true };
  }

  #summary(path) {
    const renders = this.renders(path);
    return { path, count: renders.length, running: renders.filter((render) => !(render.endedAt ?? render.diedAt)).length, renders };
  }

  #tell(event, render) {
    for (const listener of this.#listeners) listener(event, { ...render });
  }

  async #waitFor(path, limitMs, what, holds) {
    const seen = () => {
      const renders = this.renders(path);
      return holds(renders) ? renders : undefined;
    };
    return (
      seen() ??
      new Promise((resolve, reject) => {
        const stop = this.onRender(() => {
          const renders = seen();
          if (renders) finish(() => resolve(renders));
        });
        const timer = setTimeout(() => {
          finish(() => reject(new Error(`Waited ${limitMs} ms for ${what}; there were ${this.renders(path).length}.`)));
        }, limitMs);
        const finish = (settle) => {
          stop();
          clearTimeout(timer);
          settle();
        };
      })
    );
  }
}
