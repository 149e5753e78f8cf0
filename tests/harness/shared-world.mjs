/** What both kinds of world have in common: visitors, the probe, the controls of KV and of the objects, logs, and an end. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { KvControl, ObjectsControl } from "./controls.mjs";
import { Probe } from "./probe.mjs";
import { Visitors } from "./visitors.mjs";

/**
 * @typedef {object} WorldOptions
 * @property {import("./bundle.mjs").Bundle} bundle The app, the same for every isolate.
 * @property {number} [isolates] How many; 4 by default. A service that no request has reached yet is what a fresh isolate is:
 *   its global scope has run, nothing else. Isolates cannot be added later, so ask for as many as the scene will visit.
 * @property {import("./bundle.mjs").Bundle} [objects] The Worker that holds the Durable Objects (may be the app's bundle again).
 * @property {"native" | "bridge"} [kv] "bridge" makes KV countable, lagging and failing on demand.
 * @property {true | Record<string, string[] | true>} [wrapObjects] Makes Durable Objects countable and failing on demand: all that
 *   the bundle declares, or those named here, with all their methods or only some.
 * @property {(from: number | "objects") => number} [selfReference] Which isolate answers the app's binding to itself; by
 *   default the isolate itself, and isolate 0 for the objects. `(i) => (i + 1) % n` renders elsewhere than where it was asked.
 * @property {Probe} [probe] By default one of the world's own, at `world.probe`.
 * @property {string} [host] The host name that visitors ask for.
 * @property {string} [storage] A folder that outlives the world; by default one of its own, removed at the end.
 * @property {(line: LogLine) => void} [onLog]
 *
 * @typedef {{ source: string, stream: "out" | "error", text: string, at: number }} LogLine
 */

/** Worlds that are still up. */
const worlds = new Set();

/** Stops every world that was not stopped. */
export async function stopAllWorlds() {
  await Promise.allSettled([...worlds].map((world) => world.stop()));
}

export class SharedWorld {
  /** @type {LogLine[]} */
  logs = [];
  #ownStorage;
  #ownProbe;
  #stopping;

  /** @param {WorldOptions} options */
  constructor({ isolates = 4, host = "app.example", storage, onLog, probe, ...options }) {
    this.isolates = isolates;
    this.options = options;
    this.onLog = onLog;
    this.#ownStorage = storage === undefined;
    this.storage = storage ?? mkdtempSync(path.join(tmpdir(), "onegen-world-"));
    this.#ownProbe = probe === undefined;
    this.probe = probe;
    this.visitors = new Visitors((isolate) => this.urlOf(isolate), host);
    worlds.add(this);
  }

  async begin() {
    this.probe ??= await Probe.start();
    const { bundle, objects, kv = "native", wrapObjects, selfReference } = this.options;
    /** @type {import("./services.mjs").Layout} */
    this.layout = {
      bundle,
      objects,
      kv,
      wrapObjects,
      selfReference: selfReference ?? ((from) => (from === "objects" ? 0 : from)),
      probe: this.probe.address,
    };
    this.kv = new KvControl((url, init) => this.#askControl(this.kvUrl(), url, init), { bridged: kv === "bridge", binding: bundle.kv[0] ?? objects?.kv[0] });
    this.objects = new ObjectsControl((url, init) => this.#askControl(this.objectsUrl(), url, init), { wrapped: wrapObjects !== undefined });
  }

  fetch(isolate, url, init) {
    return this.visitors.fetch(isolate, url, init);
  }

  visit(isolate, url, init) {
    return this.visitors.visit(isolate, url, init);
  }

  crowd(crowd) {
    return this.visitors.crowd(crowd);
  }

  /** The log lines that hold a text or match a pattern. @param {string | RegExp} pattern */
  logged(pattern) {
    return this.logs.filter(({ text }) => (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text)));
  }

  keepLog(line) {
    this.logs.push(line);
    this.onLog?.(line);
  }

  /** Ends everything, whatever state it is in; calling it again does nothing more. */
  async stop() {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop() {
    if (this.#ownProbe) await this.probe?.stop();
    await this.visitors.close();
    await this.end();
    if (this.#ownStorage) rmSync(this.storage, { recursive: true, force: true, maxRetries: 3 });
    worlds.delete(this);
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async #askControl(base, url, { accept = [], ...init } = {}) {
    const response = await this.visitors.ask(new URL(url, base), init);
    if (!response.ok && !accept.includes(response.status)) {
      throw new Error(`The harness's own ${url} answered ${response.status}: ${await response.text()}`);
    }
    return response;
  }
}
