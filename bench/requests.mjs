/** Whole requests for a page that is warm: the same app with its own cache, with Onegen and with a Redis, by turns, each in a process of its own. */

import { once } from "node:events";
import { Agent, get } from "node:http";
import { performance } from "node:perf_hooks";
import { builtApp } from "../tests/evidence/apps.mjs";
import { startWorld } from "../tests/harness/world.mjs";
import { median, percentile } from "./statistics.mjs";
import { startStores } from "./stores.mjs";

const AT_ONCE = 8;
/** In a turn: so many that what an isolate does once in its window of 1 s, to ask the ledger, weighs no more than it does in traffic. */
const [REQUESTS, ONE_BY_ONE] = [800, 500];

/** Pages that live for an hour, of the fleet app, and of the app on OpenNext; not of the build, which may be an hour old. */
const [ON_NODE, ON_WORKERD] = ["/measured", "/isr/measured"];

/** @typedef {Record<"hits" | "median" | "p99", number[]>} Taken turn by turn: hits per second, and microseconds of one request at a time */

/** @param {import("./stores.mjs").Kept[]} onNode @param {string[]} onWorkerd variants of the app on OpenNext @returns {Promise<Record<string, Taken>>} */
export async function wholeRequests(onNode, onWorkerd, alternations) {
  const stores = await startStores(onNode);
  const places = [];
  try {
    for (const [variant, place] of Object.entries(await stores.startFleets(1))) places.push({ name: `next start, ${variant}`, place, path: ON_NODE });
    for (const variant of onWorkerd) places.push({ name: variant, place: await startWorld({ bundle: await builtApp(variant), isolates: 1 }), path: ON_WORKERD });
    const taken = Object.fromEntries(places.map(({ name }) => [name, { hits: [], median: [], p99: [] }]));
    await takeTurn(places);
    const rendersBefore = places.map(rendersOf);
    for (let turn = 0; turn < alternations; turn += 1) {
      const measured = await takeTurn(places);
      for (const [at, { name }] of places.entries()) {
        for (const [what, value] of Object.entries(measured[at])) taken[name][what].push(value);
      }
    }
    const notOfHits = places.find((where, at) => rendersOf(where) !== rendersBefore[at]);
    if (notOfHits) throw new Error(`${notOfHits.name} rendered ${notOfHits.path} again: these were not hits`);
    return taken;
  } finally {
    for (const { place } of places) await place.stop();
    await stores.stop();
  }
}

const rendersOf = ({ place, path }) => place.probe.renders(path).length;

async function takeTurn(places) {
  const turn = [];
  for (const { place, path } of places) {
    const url = new URL(path, place.urlOf(0));
    const ms = await crowded(url);
    const latencies = await oneByOne(url);
    turn.push({ hits: (1000 * REQUESTS) / ms, median: median(latencies), p99: percentile(latencies, 99) });
  }
  return turn;
}

/** How many milliseconds it takes. */
async function crowded(url) {
  const agent = new Agent({ keepAlive: true });
  let left = REQUESTS;
  const visitor = async () => {
    while (left > 0) {
      left -= 1;
      await ask(url, agent);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  const taken = performance.now() - begun;
  agent.destroy();
  return taken;
}

/** Microseconds of each, over one connection. */
async function oneByOne(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await ask(url, agent);
  const taken = [];
  for (let request = 0; request < ONE_BY_ONE; request += 1) {
    const begun = performance.now();
    await ask(url, agent);
    taken.push(1000 * (performance.now() - begun));
  }
  agent.destroy();
  return taken;
}

/** Through `node:http`, which costs the visitor less than `fetch` does. */
async function ask(url, agent) {
  const [response] = await once(get(url, { agent }), "response");
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`);
  await once(response.resume(), "end");
}
