/**
 * How long calls take in workerd: one `get` through OpenNext's adapter, of an isolate that has the page and of one that has nothing; the
 * binding calls behind it, by hand; a lease of a coordinator's, and of an object in JavaScript with the same SQL.
 */

import { performance } from "node:perf_hooks";
import { startWorld } from "../tests/tools/harness/world.mjs";
import { benchBundle } from "./stage.mjs";

/** Isolates in one workerd, by what answers there. */
const isolates = {
  warm: "onegen {}",
  cold: 'onegen {"memoryBytes":0,"windowMs":0}',
  opennext: "opennext {}",
};
/** Beside them, where it is installed: an isolate that has just learnt of the page's tags, and one that knows nothing. */
const vinextIsolates = { vinext: "vinext {}", vinextCold: 'vinext {"begunAnew":true}' };

/** How often each is done within one measurement: long enough to be measured from outside. */
const TIMES = { warm: 20_000, cold: 600, byHand: 600, byHandWithin: 600, byHandInTexts: 600, override: 600, opennext: 80, vinext: 200, vinextCold: 80, lease: 300, plainLease: 300, restartedLease: 60, handedOver: 150 };

/** @typedef {{ bytes: number, tags: number }} Page */

/** @param {Page} page */
const keyOf = ({ bytes, tags }) => `/page-${bytes}-${tags}`;
/** The same page where KV does not have it. @param {Page} page */
const handedOver = (page) => `${keyOf(page)}/handed-over`;

/** @param {{ vinext?: boolean }} [also] */
export async function startBench({ vinext = false } = {}) {
  const all = { ...isolates, ...(vinext && vinextIsolates) };
  const order = Object.keys(all);
  const world = await startWorld({ bundle: await benchBundle({ vinext }), isolates: order.length });
  const ask = async (isolate, path) => {
    const response = await world.fetch(order.indexOf(isolate), path, { headers: { "x-cache": all[isolate] } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path} on ${isolate}: ${response.status} ${text}`);
  };
  return new Bench(world, ask, order);
}

class Bench {
  #world;
  #ask;
  #isolates;

  constructor(world, ask, isolates) {
    this.#world = world;
    this.#ask = ask;
    this.#isolates = isolates;
  }

  /** Has each cache keep a page, and, where that is wanted, a coordinator one that KV does not have. @param {Page} page */
  async store(page, isHandedOver) {
    for (const isolate of ["warm", "opennext", "vinext"].filter((name) => this.#isolates.includes(name))) await this.#ask(isolate, `/set?${new URLSearchParams({ key: keyOf(page), ...page })}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (!isHandedOver) return;
    const other = { ...page, key: handedOver(page) };
    await this.#ask("warm", `/set?${new URLSearchParams(other)}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await this.#ask("warm", `/set?${new URLSearchParams({ ...other, spoilt: "" })}`);
  }

  /** Microseconds of one call. @param {keyof TIMES} what @param {Page} page */
  async measure(what, page) {
    const isIsolate = this.#isolates.includes(what);
    const isolate = isIsolate ? what : "cold";
    const doing = isIsolate || what === "handedOver" ? "get" : what;
    const key = what === "handedOver" ? handedOver(page) : keyOf(page);
    const took = async (path, n) => {
      const begun = performance.now();
      await this.#ask(isolate, `${path}?${new URLSearchParams({ key, n })}`);
      return performance.now() - begun;
    };
    const n = TIMES[what];
    const empty = await took("/nothing", n);
    return (1000 * ((await took(`/${doing}`, n)) - empty)) / n;
  }

  async stop() {
    await this.#world.stop();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

/**
 * Measures several by turns, after a first turn that counts for nothing.
 *
 * @param {Bench} bench @param {string[]} whats @param {Page} page
 * @returns {Promise<Record<string, number[]>>}
 */
export async function byTurns(bench, whats, page, alternations) {
  await bench.store(page, whats.includes("handedOver"));
  const taken = Object.fromEntries(whats.map((what) => [what, []]));
  for (let turn = -1; turn < alternations; turn += 1) {
    for (const what of whats) {
      const time = await bench.measure(what, page);
      if (turn >= 0) taken[what].push(time);
    }
  }
  return taken;
}
