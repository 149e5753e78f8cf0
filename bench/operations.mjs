/** What a visit has the stores do: counted on real workerd, through the real app, with OpenNext's caches or with Onegen. */

import { startBuilt } from "./worlds.mjs";

/** Methods of the objects that others call, each a request. What these call themselves costs nothing. */
const REQUESTS = /^(RouteCoordinator\.(acquire|publish|abandon|touch|alarm)|TagLedger\.(since|append|check)|DOShardedTagCache\.(getTagData|writeTags|hasBeenRevalidated|isStale|getLastRevalidated)|DOQueueHandler\.(revalidate|alarm))$/;

/** Until whatever goes on behind an answer has ended. */
const SETTLE_MS = 800;
/** Until nobody may take for granted what they know of tags: a second with Onegen, five with OpenNext's regional cache of tags. */
const WINDOW_MS = 5500;
/** Two pages that stay fresh, and one that lives for five seconds. */
const [LASTING, SIBLING, BRIEF] = ["/isr/counted", "/isr/sibling", "/quick/counted"];
const STALE_MS = 6000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {string} variant
 * @param {{ use: Function }} [context] disposes of the world when something fails
 * @returns {Promise<Record<"first" | "again" | "sibling" | "hit" | "cold" | "stale" | "waiting" | "invalidation", import("./prices.mjs").Operations>>}
 *   `first`: a page that was never built. `again`: at once, in the same isolate. `sibling`: likewise, after another page of its route.
 *   `hit`: there, after a while. `cold`: in another isolate, of another region. `stale`: with the regeneration that it brings about. `waiting`: another stale one, while that goes on.
 *   `invalidation`: of one tag.
 */
export async function countOperations(variant, { use = (world) => world } = {}) {
  const world = await use(startBuilt(variant, { isolates: 3, kv: "bridge", wrapObjects: true }));
  const counted = new Counted(world);
  const visit = async (isolate, path) => mustBe200(await world.visit(isolate, path));
  // Objects that have never been called make their tables, and so do all replicas of OpenNext's.
  for (const tag of ["some", ...[LASTING, SIBLING, BRIEF].flatMap(softTags)]) await invalidate(world, tag);
  for (const isolate of [0, 1]) await visit(isolate, BRIEF);
  await sleep(STALE_MS);
  await counted.during(() => visit(0, BRIEF));

  const first = await counted.during(() => visit(0, LASTING));
  for (const isolate of [0, 1]) await counted.during(() => visit(isolate, LASTING));
  for (let views = 0; views < 2; views += 1) await visit(0, SIBLING);
  await sleep(WINDOW_MS);
  const hit = await counted.during(() => visit(0, LASTING));
  await sleep(WINDOW_MS);
  await visit(0, LASTING);
  const again = await counted.during(() => visit(0, LASTING));
  const sibling = await counted.during(() => visit(0, SIBLING));
  const cold = await counted.during(() => visit(2, LASTING));
  await sleep(STALE_MS);
  const stale = await counted.during(() => visit(0, BRIEF));
  await sleep(STALE_MS);
  world.probe.behave(BRIEF, { delayMs: 1000 });
  const crowd = await counted.during(async () => {
    for (let views = 0; views < 5; views += 1) await visit(0, BRIEF);
  }, 3 * SETTLE_MS);
  const waiting = less(crowd, stale, 4);
  const invalidation = await counted.during(() => invalidate(world, "some"));
  await world.stop();
  return { first, again, sibling, hit, cold, stale, waiting, invalidation };
}

class Counted {
  #world;

  constructor(world) {
    this.#world = world;
  }

  /** @returns {Promise<import("./prices.mjs").Operations>} */
  async during(work, settleMs = SETTLE_MS) {
    const { kv, objects, stores } = this.#world;
    for (const each of [kv, objects, stores]) await each.resetCounts();
    await work();
    await sleep(settleMs);
    const { get = 0, getWithMetadata = 0, put = 0 } = await kv.counts();
    const [calls, storage, operations] = [await objects.counts(), await objects.storageCounts(), await stores.counts()];
    const { r2ClassA = 0, r2ClassB = 0, d1RowsRead = 0, d1RowsWritten = 0 } = operations;
    const sum = (counts, name) => Object.entries(counts).reduce((all, [what, times]) => all + (name.test(what) ? times : 0), 0);
    return {
      kvReads: get + getWithMetadata,
      kvWrites: put,
      objectRequests: sum(calls, REQUESTS),
      rowsRead: sum(storage, / rowsRead$/),
      rowsWritten: sum(storage, / (rowsWritten|setAlarm)$/),
      r2Reads: r2ClassB,
      r2Writes: r2ClassA,
      d1RowsRead,
      d1RowsWritten,
    };
  }
}

/** What Next.js itself gives a page of a dynamic route for its path. */
function softTags(path) {
  const folder = `/${path.split("/")[1]}`;
  return ["/layout", `${folder}/layout`, `${folder}/[slug]/layout`, `${folder}/[slug]/page`, path].map((name) => `_N_T_${name}`);
}

async function invalidate(world, tag) {
  mustBe200(await world.visit(0, `/api/revalidate?${new URLSearchParams({ tag })}`, { method: "POST" }));
}

function mustBe200({ status, path, text }) {
  if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`);
}

/** What is left of some operations without others, for each of so many. */
function less(operations, others, times) {
  return Object.fromEntries(Object.entries(operations).map(([what, all]) => [what, Math.max(0, all - others[what]) / times]));
}
