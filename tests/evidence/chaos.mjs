// Everything goes wrong, at random, for as long as `CHAOS_SECONDS` says; at the end the books balance.
import assert from "node:assert/strict";
import { Books } from "../chaos/books.mjs";
import { playFaults } from "../chaos/faults.mjs";
import { SLUGS, pageOf, sendTraffic, visiting } from "../chaos/traffic.mjs";
import { startChaosWorld, startOwnCachesInChaos } from "../chaos/world.mjs";
import { scene } from "../harness/scenes.mjs";
import { renderOf, sleep } from "./apps.mjs";
import { QUIET_MS } from "./fleet-tools.mjs";
import { toldBy, until } from "./outage-tools.mjs";
import { sequence } from "./round-robin.mjs";

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 120);
const SEED = Number(process.env.CHAOS_SEED ?? 20261125);
/** The control fails at once. */
const CONTROL_SECONDS = 15;
/** What there is at first, modules and caches, has been loaded by then. */
const SETTLED_SECONDS = Math.min(40, SECONDS / 3);
const RECOVERY_LIMIT_MS = 60_000;
const RENDER_MS = 60;
const MOST_GROWTH = 1.5;
const SPARE_HANDLES = 32;

async function inChaos(chaos, seconds, own) {
  chaos.world.probe.behave("*", { delayMs: RENDER_MS });
  const end = Date.now() + seconds * 1000;
  const over = () => Date.now() >= end;
  const faults = playFaults(chaos, { random: sequence(SEED), over, own });
  await Promise.all([faults, sendTraffic(chaos, { random: sequence(SEED + 1), over })]);
}

const weighed = async (fleet) => {
  await sleep(QUIET_MS);
  return { heap: await fleet.ask(0, "heap"), handles: await fleet.ask(0, "handles") };
};

/**
 * When all is well again an invalidation has each page made once for all: no lease is left, and no memory of what was down. Who has
 * found a coordinator down asks it again after a while only.
 */
async function recovered(chaos) {
  const { world, books } = chaos;
  const madeOnce = async (slug) => {
    const page = pageOf(slug);
    const before = world.probe.renders(page).length;
    books.answered({ ...(await world.visit(world.places[0], `/api/revalidate?tag=product:${slug}`, { method: "POST", ...visiting() })), invalidates: slug });
    await sleep(QUIET_MS);
    const visits = await Promise.all(world.places.flatMap((place) => Array.from({ length: 5 }, () => world.visit(place, page, visiting()))));
    visits.forEach((visit) => books.answered({ ...visit, page, slug }));
    return world.probe.renders(page).length === before + 1 && toldBy(visits, renderOf).length === 1;
  };
  const wrong = SLUGS.map((slug) => until(`one render of ${pageOf(slug)} for all when all was well again`, () => madeOnce(slug), RECOVERY_LIMIT_MS));
  return (await Promise.allSettled(wrong)).flatMap(({ reason }) => reason?.message ?? []);
}

let seen = "";

const chaosViolations = scene("chaos_violations", {
  required: "0: every request accounted for, no lost invalidation, no generation going back, every render with a cause, nothing leaked",
  holds: (violations) => violations === 0,
  limitMs: SECONDS * 1000 + 240_000,
  alone: true,
  seen: () => seen,
  run: async (context) => {
    const world = await startChaosWorld(context);
    const chaos = { world, books: new Books(world.probe) };
    await inChaos(chaos, SETTLED_SECONDS);
    const settled = await weighed(world.fleet);
    await inChaos(chaos, SECONDS - SETTLED_SECONDS);
    const violations = [...(await recovered(chaos)), ...chaos.books.violations(), ...(await world.fleet.ask(0, "unhandled"))];
    const { heap, handles } = await weighed(world.fleet);
    if (heap > MOST_GROWTH * settled.heap) violations.push(`the heap grew from ${settled.heap} to ${heap} bytes`);
    if (handles > settled.handles + SPARE_HANDLES) violations.push(`${handles} handles are open, of which ${settled.handles} were before`);
    for (const violation of violations.slice(0, 20)) console.error(`chaos_violations: ${violation}`);
    const { books } = chaos;
    seen = `${books.visits.length} requests, ${books.faults.length} faults, ${books.kills} kills, ${books.invalidations.length} invalidations`;
    assert.ok(books.kills > 0 && books.invalidations.length > 0, `there was no chaos: ${seen}`);
    return violations.length;
  },
  controlName: `Next.js's and OpenNext's own caches for ${CONTROL_SECONDS} s`,
  control: async (context) => {
    const world = await startOwnCachesInChaos(context);
    const chaos = { world, books: new Books(world.probe) };
    await inChaos(chaos, CONTROL_SECONDS, true);
    return chaos.books.violations().length;
  },
});

export const scenes = [chaosViolations];
