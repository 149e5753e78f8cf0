/** How often two processes of `next start` render a page for one event, five visitors on each, by what they keep pages in. */

import { mustBe200, renderOf, sleep } from "../tests/evidence/apps.mjs";
import { startStores } from "./stores.mjs";

const PROCESSES = [0, 1];
const VISITORS = 5;
const RENDER_MS = 300;
/** Longer than the page of a stale one lives, and than an invalidation takes to be seen by others (Onegen's window is 1 s). */
const [STALE_MS, SEEN_MS] = [2500, 1500];

/** What becomes of pages, and how: the page of a turn, and what happens to it between its first render and the crowd. */
const EVENTS = {
  "never built": { page: "/never" },
  stale: { page: "/brief/stale", happens: () => sleep(STALE_MS) },
  purged: {
    page: "/tagged/purged",
    happens: async (fleet, path) => {
      const tag = `product:${path.split("/").at(-1)}`;
      mustBe200([await fleet.visit(0, `/api/revalidate?tag=${tag}`, { method: "POST" })]);
      await sleep(SEEN_MS);
    },
  },
  "one process restarted": { page: "/kept", happens: (fleet) => fleet.restart(0) },
};

/**
 * @param {import("./stores.mjs").Kept[]} variants
 * @returns {Promise<Record<string, Record<string, { renders: number[], old: number[] }>>>} event and variant to renders, and to answers
 *   that came from a render before the event, turn by turn
 */
export async function rendersOfProcesses(variants, alternations) {
  const stores = await startStores(variants);
  try {
    const fleets = await stores.startFleets(PROCESSES.length);
    const counted = Object.fromEntries(Object.keys(EVENTS).map((event) => [event, Object.fromEntries(variants.map((variant) => [variant, { renders: [], old: [] }]))]));
    for (let turn = 0; turn < alternations; turn += 1) {
      for (const [event, { page, happens }] of Object.entries(EVENTS)) {
        for (const [variant, fleet] of Object.entries(fleets)) {
          const { renders, old } = await afterEvent(fleet, `${page}-${turn}`, happens);
          counted[event][variant].renders.push(renders);
          counted[event][variant].old.push(old);
        }
      }
    }
    return counted;
  } finally {
    await stores.stop();
  }
}

async function afterEvent(fleet, path, happens) {
  if (happens) for (const process of PROCESSES) mustBe200([await fleet.visit(process, path)]);
  await happens?.(fleet, path);
  const before = fleet.probe.renders(path).map(({ id }) => id);
  fleet.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await fleet.crowd({ isolates: PROCESSES, each: VISITORS, path });
  mustBe200(visits);
  await sleep(3 * RENDER_MS);
  return { renders: fleet.probe.renders(path).length - before.length, old: visits.filter((visit) => before.includes(renderOf(visit))).length };
}
