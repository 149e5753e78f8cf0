/** How long visitors wait for a page that somebody has to render, as ratios to how long its first render took. */

import { mustBe200, sleep } from "../tests/evidence/apps.mjs";
import { median } from "./statistics.mjs";
import { startBuilt } from "./worlds.mjs";

const ISOLATES = [0, 1, 2, 3];
const RENDER_MS = 1000;
/** Until a page of `/quick` is stale, and until everybody has heard of an invalidation. */
const [STALE_MS, HEARD_MS] = [6000, 1500];

const stored = async (world, paths) => {
  for (const path of paths) for (const isolate of ISOLATES) mustBe200([await world.visit(isolate, path)]);
};

/** What becomes of pages before visitors come to them, one on each isolate at the same time. */
const EVENTS = {
  stale: {
    route: "/quick",
    async before(world, paths) {
      await stored(world, paths);
      await sleep(STALE_MS);
    },
  },
  "never built": { route: "/isr", async before() {} },
  purged: {
    route: "/isr",
    async before(world, paths) {
      await stored(world, paths);
      for (const path of paths) mustBe200([await world.visit(0, `/api/revalidate?path=${path}`, { method: "POST" })]);
      await sleep(HEARD_MS);
    },
  },
};

/**
 * @param {"onegen" | "opennext"} variant
 * @returns {Promise<Record<keyof typeof EVENTS, { typical: number[], longest: number[] }>>} of each event the median visitor and the last
 */
export async function waiting(variant, events) {
  await using world = await startBuilt(variant, { isolates: ISOLATES.length });
  const waits = {};
  for (const [event, { route, before }] of Object.entries(EVENTS)) {
    const paths = Array.from({ length: events }, (_, n) => `${route}/${event.replace(" ", "-")}-${n}`);
    await before(world, paths);
    const ratios = [];
    for (const path of paths) ratios.push(await waitsFor(world, path));
    waits[event] = { typical: ratios.map(median), longest: ratios.map((all) => all.at(-1)) };
  }
  return waits;
}

/** Of one visitor on each isolate, the shortest first. */
async function waitsFor(world, path) {
  const earlier = world.probe.renders(path).length;
  world.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await world.crowd({ isolates: ISOLATES, each: 1, path });
  mustBe200(visits);
  const render = (await world.probe.waitForEnd(path, earlier + 1))[earlier];
  return visits.map(({ startedAt, endedAt }) => (endedAt - startedAt) / (render.endedAt - render.startedAt)).sort((a, b) => a - b);
}
