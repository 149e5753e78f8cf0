/** What visitors come to: isolates behind addresses, the probe that counts their renders, their logs, a folder, and an end. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Probe } from "./probe.mjs";
import { Visitors } from "./visitors.mjs";

/**
 * @typedef {object} VisitedOptions
 * @property {number} isolates How many.
 * @property {Probe} [probe] By default one of its own, at `probe`.
 * @property {string} [host] The host name that visitors ask for.
 * @property {string} [storage] A folder that outlives it; by default one of its own, removed at the end.
 * @property {(line: LogLine) => void} [onLog]
 *
 * @typedef {{ source: string, stream: "out" | "error", text: string, at: number }} LogLine
 */

/** Those that are still up. */
const up = new Set();

/** Stops everything that was not stopped. */
export async function stopAllWorlds() {
  await Promise.allSettled([...up].map((visited) => visited.stop()));
}

/** A subclass tells `urlOf(isolate)`, and how to `end()` what runs. */
export class Visited {
  /** @type {LogLine[]} */
  logs = [];
  #ownStorage;
  #ownProbe;
  #stopping;

  /** @param {VisitedOptions & { name: string }} options `name` begins that of a folder of its own */
  constructor({ name, isolates, host = "app.example", storage, onLog, probe }) {
    this.isolates = isolates;
    this.onLog = onLog;
    this.#ownStorage = storage === undefined;
    this.storage = storage ?? mkdtempSync(path.join(tmpdir(), name));
    this.#ownProbe = probe === undefined;
    this.probe = probe;
    this.visitors = new Visitors((isolate) => this.urlOf(isolate), host);
    up.add(this);
  }

  async begin() {
    this.probe ??= await Probe.start();
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
    up.delete(this);
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}
