/** Whole requests for a page that is warm: the same app with its own cache, with Onegen and with a Redis, by turns, each in a process of its own. */

import { once } from "node:events";
import { Agent, get } from "node:http";
import { performance } from "node:perf_hooks";
import { builtApp } from "../tests/evidence/apps.mjs";
import { startWorld } from "../tests/tools/harness/world.mjs";
import { median, percentile } from "./statistics.mjs";
import { startStores } from "./stores.mjs";

const AT_ONCE = 8;
/**
 * In a turn: first some that do not count, because a process that was idle is not warm; then so many that what an isolate does once in
 * its window of 1 s, to ask the ledger, weighs no more than it does in traffic.
 */
const [WARM_UP, REQUESTS, ONE_BY_ONE] = [200, 2000, 500];

/**
 * Pages that live for an hour, of the app on `next start` and on OpenNext; not of the build, which may be an hour old. Each visitor
 * has one: whoever asks for a page that is being asked for is given that answer by Next.js, the sooner a cache answers the fewer.
 */
const [ON_NODE, ON_WORKERD] = ["/measured", "/isr/measured"].map((path) => Array.from({ length: AT_ONCE }, (_, visitor) => `${path}-${visitor}`));

/** @typedef {Record<"hits" | "median" | "p99", number[]>} Taken turn by turn: hits per second, and microseconds of one request at a time */

/** @param {import("./stores.mjs").Kept[]} onNode @param {string[]} onWorkerd variants of the app on OpenNext @returns {Promise<Record<string, Taken>>} */
export async function wholeRequests(onNode, onWorkerd, alternations) {
  const stores = await startStores(onNode);
  const places = [];
  try {
    for (const [variant, place] of Object.entries(await stores.startFleets(1))) places.push({ name: `next start, ${variant}`, place, paths: ON_NODE });
    for (const variant of onWorkerd) places.push({ name: variant, place: await startWorld({ bundle: await builtApp(variant), isolates: 1 }), paths: ON_WORKERD });
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
    if (notOfHits) throw new Error(`${notOfHits.name} rendered again: these were not hits`);
    return taken;
  } finally {
    for (const { place } of places) await place.stop();
    await stores.stop();
  }
}

const rendersOf = ({ place, paths }) => paths.reduce((sum, path) => sum + place.probe.renders(path).length, 0);

async function takeTurn(places) {
  const turn = [];
  for (const { place, paths } of places) {
    const urls = paths.map((path) => new URL(path, place.urlOf(0)));
    await crowded(urls, WARM_UP);
    const ms = await crowded(urls, REQUESTS);
    const latencies = await oneByOne(urls[0]);
    turn.push({ hits: (1000 * REQUESTS) / ms, median: median(latencies), p99: percentile(latencies, 99) });
  }
  return turn;
}

/** How many milliseconds it takes. */
async function crowded(urls, requests) {
  const agent = new Agent({ keepAlive: true });
  let left = requests;
  const visitor = async (url) => {
    while (left > 0) {
      left -= 1;
      await ask(url, agent);
    }
  };
  const begun = performance.now();
  await Promise.all(urls.map(visitor));
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
