/** How long after an invalidation its page is still shown as it was before: by the isolate that was told, and by others. */

import { mustBe200, renderOf, sleep } from "../tests/evidence/apps.mjs";
import { startBuilt } from "./worlds.mjs";

const ISOLATES = [0, 1, 2, 3];
const EVERY_MS = 50;
/** Visits go on until nobody was shown the old page for so long. */
const QUIET_MS = 3000;
const LIMIT_MS = 60_000;
/** From first visits to the invalidation: at another time of the longest window (five seconds, of OpenNext's regional cache) with each event. */
const warmMs = (share) => 1000 + share * 5000;

/** @param {string} variant @returns {Promise<{ told: number[], others: number[] }>} milliseconds to the last old answer, 0 for none */
export async function oldAnswers(variant, events) {
  await using world = await startBuilt(variant, { isolates: ISOLATES.length });
  const after = { told: [], others: [] };
  for (let event = 0; event < events; event += 1) {
    const [told, ...others] = await lastOldAnswers(world, `n-${event}`, warmMs(event / events));
    after.told.push(told);
    after.others.push(...others);
  }
  return after;
}

/** Of each isolate, all of which are visited all the time; the first is told. */
async function lastOldAnswers(world, name, warm) {
  const path = `/tagged/${name}`;
  for (const isolate of ISOLATES) mustBe200([await world.visit(isolate, path)]);
  const last = ISOLATES.map(() => 0);
  let [old, told, isOver] = [undefined, undefined, false];
  const visitor = async (isolate) => {
    while (!isOver) {
      const visit = await world.visit(isolate, path);
      mustBe200([visit]);
      if (told !== undefined && old.has(renderOf(visit))) last[isolate] = Math.max(0, visit.answeredAt - told);
      await sleep(EVERY_MS);
    }
  };
  const invalidate = async () => {
    await sleep(warm);
    old = new Set(world.probe.renders(path).map(({ id }) => id));
    const answer = await world.visit(0, `/api/revalidate?tag=product:${name}`, { method: "POST" });
    mustBe200([answer]);
    told = answer.endedAt;
    while (Date.now() - told - Math.max(...last) < QUIET_MS) {
      if (Date.now() - told > LIMIT_MS) throw new Error(`${path} is still shown as it was after ${LIMIT_MS} ms`);
      await sleep(EVERY_MS);
    }
  };
  const ends = () => (isOver = true);
  await Promise.all([...ISOLATES.map(visitor), invalidate()].map((one) => one.finally(ends)));
  return last;
}
