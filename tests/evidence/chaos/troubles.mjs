/** What goes wrong, and for how long. Whatever a trouble began is over when it is back. */

import { sleep } from "../apps.mjs";

const SKEWS_MS = [700, -700, 5000, -5000, 90_000, -90_000, 3_600_000, -3_600_000];

/**
 * @typedef {object} Chance
 * @property {(most: number) => number} below A whole number from 0.
 * @property {<T>(of: T[]) => T} pick
 * @property {(leastMs: number, mostMs: number) => Promise<void>} pause
 */

/** Random numbers, the same for the same seed, as far as the machine plays along. @returns {Chance} */
export function chanceOf(random) {
  const below = (most) => Math.floor(random() * most);
  return { below, pick: (of) => of[below(of.length)], pause: (leastMs, mostMs) => sleep(leastMs + below(mostMs - leastMs)) };
}

/** A process or an isolate dies, and another takes its place. */
async function death(places, { pick, pause }) {
  const place = pick(places.places.filter(({ isUp }) => isUp));
  await places.kill(place, () => pause(200, 2500));
}

async function deathOfObjects(places, { pause }) {
  await places.killObjects(() => pause(100, 3000));
}

async function deathOfKv(places, { pause }) {
  await places.killKv(() => pause(100, 3000));
}

async function kvLags({ kv }, { pick, pause }) {
  await kv.lag(pick([2000, 8000, 60_000]), { model: pick(["global", "location"]) });
  await pause(3000, 12_000);
  await kv.heal();
}

async function kvFails({ kv }, { pick, pause }) {
  const fault = pick([{ mode: "throw" }, { mode: "throwAfter" }, { mode: "hang" }, { delayMs: 1500 }]);
  await kv.fail(pick([{ get: fault }, { put: fault }, { get: fault, put: fault }]));
  await pause(1000, 6000);
  await kv.heal();
}

/** The objects throw, never answer, answer late, lose answers, or are reset. */
async function objectsFail({ objects }, { pick, pause }, classes) {
  const mode = pick(["throw", "hang", "loseAnswer", "abort", "ok"]);
  const calls = mode === "abort" ? { times: pick([1, 3]) } : {};
  await objects.behave(mode, { classes: [pick(classes)], ...calls, ...(mode === "ok" && { delayMs: 1200 }) });
  await pause(1000, 6000);
  await objects.heal();
}

const onegenObjectsFail = (places, chance) => objectsFail(places, chance, ["RouteCoordinator", "TagLedger"]);
const ownObjectsFail = (places, chance) => objectsFail(places, chance, ["DOQueueHandler", "DOShardedTagCache"]);

/** Between the processes and the Onegen Worker. */
async function networkFails({ door }, { below, pick, pause }) {
  const fault = pick([{ reset: true }, { silent: true }, { lateMs: 1500 }, { garbled: true }, { cutOff: true }]);
  const oneIn = pick([1, 2, 5]);
  door.behave(() => (below(oneIn) === 0 ? fault : {}));
  await pause(1000, 6000);
  door.heal();
}

async function clockJumps(places, { pick, pause }) {
  const place = pick(places.places.filter(({ isUp }) => isUp));
  const { life } = place;
  await places.setClock(place, pick(SKEWS_MS));
  await pause(2000, 8000);
  // Whatever was started meanwhile has the right time.
  if (place.isUp && place.life === life) await places.setClock(place, 0);
}

async function enginePanics(places, { pick, pause }) {
  const running = places.places.filter(({ isUp, onWorkers }) => isUp && !onWorkers);
  if (running.length > 0) await places.panic(pick(running));
  await pause(500, 2000);
}

async function rendersAreSlow({ probe }, { pick, pause }) {
  probe.behave("*", { delayMs: pick([300, 1500, 4000]) });
  await pause(2000, 8000);
  probe.behave("*", {});
}

/** Each at most once at a time: what one began, another would end. */
export const troubles = [death, deathOfObjects, deathOfKv, kvLags, kvFails, onegenObjectsFail, networkFails, clockJumps, enginePanics, rendersAreSlow];

/** Those of them that what hosts bring along can be put to. */
export const ownTroubles = [death, deathOfObjects, deathOfKv, kvLags, kvFails, ownObjectsFail, rendersAreSlow];

/** What must not happen beside another: both would set, or end, the same. */
const SHARED = new Map([
  [kvLags, "kv"],
  [kvFails, "kv"],
  [deathOfKv, "kv"],
  [deathOfObjects, "objects"],
  [onegenObjectsFail, "objects"],
  [ownObjectsFail, "objects"],
  [death, "places"],
  [clockJumps, "places"],
  [enginePanics, "places"],
]);

/**
 * One trouble after the other, in a few lanes at once, until it is time.
 *
 * @param {(name: string) => void} tell is told of each
 */
export async function makeTrouble(places, kinds, chance, isOver, tell, lanes = 2) {
  const busy = new Set();
  const lane = async () => {
    while (!isOver()) {
      const free = kinds.filter((kind) => !busy.has(SHARED.get(kind) ?? kind));
      const kind = chance.pick(free);
      const name = SHARED.get(kind) ?? kind;
      busy.add(name);
      tell(kind.name);
      await kind(places, chance);
      busy.delete(name);
      await chance.pause(100, 2000);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
