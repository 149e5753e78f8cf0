// Visitors behind a balancer that sends every visit to another isolate.
import { mustBe200, renderOf, sleep } from "./apps.mjs";

const REGENERATIONS = 3;
const VISITORS = 6;

/** Visitors who are sent to any isolate at each visit: how often one got an older page than the time before. */
export async function roundRobin(world) {
  const path = "/brief/round-robin";
  await Promise.all(Array.from({ length: world.isolates }, (_, isolate) => world.visit(isolate, "/about")));
  world.probe.behave(path, { delayMs: 300 });
  mustBe200([await world.visit(0, path)]);
  const random = sequence(20261123);
  const ended = () => world.probe.renders(path).filter(({ endedAt }) => endedAt).length;
  const isOver = () => ended() > REGENERATIONS;
  const backwards = await Promise.all(Array.from({ length: VISITORS }, () => stroll(world, path, random, isOver)));
  return backwards.reduce((sum, count) => sum + count, 0);
}

async function stroll(world, path, random, isOver) {
  let newest = -1;
  let backwards = 0;
  // After the last regeneration each goes on for as long as an isolate might hold on to the page before.
  for (let left = 20; left > 0; left -= isOver() ? 1 : 0) {
    const visit = await world.visit(Math.floor(random() * world.isolates), path);
    mustBe200([visit]);
    const generation = world.probe.renders(path).findIndex(({ id }) => id === renderOf(visit));
    if (generation < newest) backwards += 1;
    newest = Math.max(newest, generation);
    await sleep(20 + 100 * random());
  }
  return backwards;
}

/** Random numbers from 0 to 1, the same in every run (a linear congruential generator, as in Numerical Recipes). */
export function sequence(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
