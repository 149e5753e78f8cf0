/** Mixed traffic while nearly everything goes wrong; then everything is well, and the books must balance. */

import { sleep } from "../apps.mjs";
import { sequence } from "../round-robin.mjs";
import { hard, versionOf } from "../../e2e/two-hosts/invalidating.mjs";
import { accounted, recorded, unseenByTheirOwn, wentBack } from "./books.mjs";
import { Traffic, kept, tagged } from "./traffic.mjs";
import { chanceOf, makeTrouble, ownTroubles, troubles } from "./troubles.mjs";

/** Until then every page is rendered exactly once again per event: the longest hit-for-miss, and time to look. */
const RECOVERED_WITHIN_MS = 90_000;
/** A copy of the ledger that could not be had is asked for again by then, and has what was missed one window later. */
const LEDGER_AGAIN_MS = 12_000;
const WINDOW_MS = 1000;
const STORED_MS = 2500;
const FURTHER_VISITS = 300;
const MOST_GROWTH = 1.1;

/**
 * @param {import("./places.mjs").Places} places
 * @param {{ seconds: number, seed: number, recoverWithinMs?: number, print?: (line: string) => void }} options
 * @returns {Promise<{ violations: string[], requests: number, kills: number, renders: number, invalidations: number, recoveredMs: number }>}
 */
export async function chaos(places, { seconds, seed, recoverWithinMs = RECOVERED_WITHIN_MS, print = () => {} }) {
  const chance = chanceOf(sequence(seed));
  const traffic = new Traffic(places, chance);
  const begunAt = Date.now();
  const isOver = () => Date.now() > begunAt + seconds * 1000;
  const tell = (name) => print(`${new Date().toISOString().slice(11, 23)}  ${name}`);
  const kinds = places.hasOnegen ? troubles : ownTroubles;
  await Promise.all([traffic.flow(isOver), makeTrouble(places, kinds, chance, isOver, tell)]);
  tell("everything is well from here on");
  const violations = [];
  const recovered = await recover(places, traffic, { chance, recoverWithinMs, violations, tell });
  violations.push(...(await audit(places, traffic)));
  if (places.hasOnegen) violations.push(...(await leaks(places)));
  const invalidations = traffic.asked.filter(({ invalidation }) => invalidation).length;
  const renders = places.probe.renders().filter(({ path }) => !path.startsWith("/product/")).length;
  return { violations, requests: traffic.asked.length, kills: places.kills, renders, invalidations, recoveredMs: recovered };
}

/** Until a whole round is as it must be: whatever is invalidated is rendered once for everybody, what is not is not. */
async function recover(places, traffic, { chance, recoverWithinMs, violations, tell }) {
  await sleep(LEDGER_AGAIN_MS);
  const from = Date.now();
  for (;;) {
    const wrong = await round(places, traffic, chance);
    const took = Date.now() - from;
    if (wrong.length === 0) return took;
    tell(`not yet: ${wrong.join("; ")}`);
    if (took > recoverWithinMs) {
      violations.push(...wrong.map((one) => `after ${took} ms in which everything was well, ${one}`));
      return took;
    }
    await sleep(1000);
  }
}

async function round(places, traffic, chance) {
  const wrong = [];
  const crowd = async (path) => {
    const before = places.probe.renders(path).length;
    const visits = await Promise.all(places.places.flatMap((place) => [place, place].map((one) => traffic.visit(one, path))));
    const bad = visits.filter(({ status }) => status !== 200);
    if (bad.length > 0) wrong.push(`${path} was answered with ${bad.map(({ status }) => status)}`);
    return { visits, renders: places.probe.renders(path).length - before };
  };
  for (const path of kept) {
    await crowd(path);
    // Whoever has a page that is fresh asks nobody: where a clock that was wrong has had it made anew, places may have two.
    const { renders } = await crowd(path);
    if (renders > 0) wrong.push(`${path}, which nobody invalidated, was rendered ${renders} times`);
  }
  for (const slug of tagged) {
    await traffic.invalidate(chance.pick(places.places), hard, slug);
    await sleep(WINDOW_MS + 500);
    const { visits, renders } = await crowd(`/tagged/${slug}`);
    const versions = new Set(visits.map(({ render }) => render)).size;
    if (renders !== 1 || versions !== 1) wrong.push(`/tagged/${slug} was rendered ${renders} times and has ${versions} versions`);
  }
  return wrong;
}

/** Until when a render may have been stored: `next start` waits no longer for that. */
const ends = ({ endedAt, diedAt = Infinity }) => (endedAt ?? diedAt) + STORED_MS;

async function audit(places, traffic) {
  const { asked } = traffic;
  const { sums, wrong } = accounted(asked);
  const violations = [...wrong, ...wentBack(asked)];
  const sum = Object.values(sums).reduce((a, b) => a + b, 0);
  if (sum + wrong.length < asked.length) violations.push(`of ${asked.length} requests ${sum} are accounted for`);
  // When the probe was asked for what a page is made of.
  const reads = new Map(places.probe.renders().map(({ id, startedAt }) => [id, startedAt]));
  const readAt = (version) => reads.get(version);
  const lostSentences = places.logged(/could not be recorded/);
  const invalidations = recorded(asked, lostSentences, Date.now());
  const wasRendered = ({ place, path, startedAt, follows }) =>
    places.probe.renders(path).some((render) => render.isolate === place.index && render.startedAt <= follows.endedAt && ends(render) >= startedAt);
  violations.push(...unseenByTheirOwn(asked, invalidations, readAt, wasRendered));
  for (const slug of tagged) {
    const last = Math.max(0, ...invalidations.filter(({ invalidation }) => invalidation.slug === slug).map(({ startedAt }) => startedAt));
    for (const place of places.places) {
      const visit = await place.visit(`/tagged/${slug}`);
      const read = readAt(versionOf(visit)) ?? 0;
      if (read < last) violations.push(`/tagged/${slug} at ${place.name}: made of what was read ${last - read} ms before its last invalidation`);
    }
  }
  return violations;
}

/** Nothing is left of it: calls, leases, what nobody handled, requests before the door, memory. */
async function leaks(places) {
  await sleep(3000);
  const violations = [];
  for (const place of places.places.filter(({ onWorkers }) => !onWorkers)) {
    for (const what of await places.ask(place, "unhandled")) violations.push(`${place.name} handled nowhere: ${what}`);
    const machines = await places.ask(place, "machines");
    if (machines > 0) violations.push(`${place.name} has ${machines} calls of its engine in progress when nobody asks for anything`);
    const growth = await growthOf(places, place);
    if (growth > MOST_GROWTH) violations.push(`the heap of ${place.name} grows to ${growth.toFixed(2)} times its size by ${FURTHER_VISITS} visits`);
  }
  places.door.takeMostPending();
  const pending = places.door.takeMostPending();
  if (pending > 0) violations.push(`${pending} requests wait before the Onegen Worker when nobody asks for anything`);
  const routes = (await places.kv.keys("onegen/")).map(({ name }) => name).filter((name) => name.includes("/response/"));
  for (const [name, tables] of Object.entries(await places.rows(routes))) {
    const lease = liveLease(tables);
    if (lease) violations.push(`${name}: a lease lives until ${lease} when nobody renders`);
  }
  return violations;
}

/** What further visits make of the heap of a process, as a ratio; one that was just started has loaded everything by then. */
async function growthOf(places, place) {
  const visited = async () => {
    for (let n = 0; n < FURTHER_VISITS; n += 1) await place.visit(n % 2 ? kept[n % kept.length] : `/tagged/${tagged[n % tagged.length]}`);
    return places.ask(place, "heap");
  };
  const before = await visited();
  return (await visited()) / before;
}

/** The deadline of the lease that a coordinator's row holds, if it is to come. */
function liveLease(tables) {
  for (const row of Object.values(tables).flat()) {
    for (const value of Object.values(typeof row === "string" ? JSON.parse(row) : {})) {
      const { grant } = typeof value === "string" && value.startsWith("{") ? JSON.parse(value) : {};
      if (grant && !grant.ended && grant.deadline > Date.now()) return new Date(grant.deadline).toISOString();
    }
  }
  return undefined;
}
