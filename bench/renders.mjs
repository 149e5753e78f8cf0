/** How often a page is rendered for one event, by how many isolates are asked for it at the same time, five visitors each. */

import { builtApp, mustBe200, sleep } from "../tests/evidence/apps.mjs";
import { startWorld } from "../tests/tools/harness/world.mjs";

export const ISOLATES = [1, 4, 16, 64];
const VISITORS = 5;
const RENDER_MS = 400;
/** How long renders take before: a lease lasts three times as long, and with 64 isolates on two cores a render is not done sooner. */
const SLOW_MS = 3000;
/** Until a page of `/quick` is stale, and everything that was begun has ended. */
const STALE_MS = 6000;

/** What becomes of pages, and how: the page, and what happens to it between its first renders and the crowd. */
const EVENTS = {
  "never built": { path: "/isr/never" },
  stale: { path: "/quick/stale", happens: async () => {} },
  purged: { path: "/isr/purged", happens: async (world) => mustBe200([await world.visit(0, "/api/revalidate?path=/isr/purged", { method: "POST" })]) },
};

/** @param {"onegen" | "opennext"} variant @returns {Promise<Record<string, number[]>>} event to renders, for each number of isolates */
export async function rendersPerEvent(variant) {
  const counted = Object.fromEntries(Object.keys(EVENTS).map((event) => [event, []]));
  for (const isolates of ISOLATES) {
    await using world = await startWorld({ bundle: await builtApp(variant), isolates });
    const everywhere = Array.from({ length: isolates }, (_, index) => index);
    const visitEverywhere = async (path) => {
      for (const isolate of everywhere) mustBe200([await world.visit(isolate, path)]);
    };
    await visitEverywhere("/");
    for (const [event, { path, happens }] of Object.entries(EVENTS)) {
      if (happens) {
        world.probe.behave(path, { delayMs: SLOW_MS });
        await visitEverywhere(path);
        await sleep(STALE_MS);
        await happens(world);
      }
      const before = world.probe.renders(path).length;
      world.probe.behave(path, { delayMs: RENDER_MS });
      mustBe200(await world.crowd({ isolates: everywhere, each: VISITORS, path }));
      await sleep(5 * RENDER_MS);
      counted[event].push(world.probe.renders(path).length - before);
    }
  }
  return counted;
}
