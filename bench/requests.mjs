/** Hits per second of whole requests: the same app with its own cache and with Onegen, by turns, each in a process of its own. */

import { performance } from "node:perf_hooks";
import { builtApp } from "../tests/evidence/apps.mjs";
import { startFleet } from "../tests/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../tests/fleet/onegen-worker.mjs";
import { startWorld } from "../tests/harness/world.mjs";

const AT_ONCE = 8;
const REQUESTS = 800;
/** A page of either app that lives for an hour. */
const PATHS = { "next start": "/foo", opennext: "/isr/foo" };

/** @returns {Promise<Record<string, number[]>>} hits per second of each, turn by turn */
export async function hitsPerSecond(alternations) {
  const worker = await startOnegenWorker();
  const places = {};
  for (const variant of ["onegen", "next"]) {
    places[`next start, ${variant}`] = await startFleet({ variant, processes: 1, url: worker.url, token: TOKEN });
  }
  for (const variant of ["onegen", "opennext", "onegen-interception", "opennext-interception"]) {
    places[variant] = await startWorld({ bundle: await builtApp(variant), isolates: 1 });
  }
  const taken = Object.fromEntries(Object.keys(places).map((name) => [name, []]));
  try {
    for (let turn = -1; turn < alternations; turn += 1) {
      for (const [name, place] of Object.entries(places)) {
        const rate = await rateOf(new URL(PATHS[name.startsWith("next start") ? "next start" : "opennext"], place.urlOf(0)));
        if (turn >= 0) taken[name].push(rate);
      }
    }
  } finally {
    for (const place of [...Object.values(places), worker]) await place.stop();
  }
  return taken;
}

async function rateOf(url) {
  let left = REQUESTS;
  const visitor = async () => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(url);
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  return (1000 * REQUESTS) / (performance.now() - begun);
}
