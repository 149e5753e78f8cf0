// Scenes about entries that are there already: they are fresh for every isolate, after every restart, whoever deployed them.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { seedAssets } from "../../pkg/dist/cli/seed-assets.js";
import { scene } from "./runner/scenes.mjs";
import { builtApp, everyWay, inWorld, isHit, isStale, mustBe200, renderOf, sleep, worstOf } from "./apps.mjs";
import { roundRobin } from "./round-robin.mjs";
import { grantingEverybody } from "./switched-off.mjs";

/** Renders that nobody should have started would have begun by then. */
const QUIET_MS = 1500;

const LONG_LIVED = "/isr/rendered-once";

/** Whether a visit got a fresh entry. */
const isFreshHit = (visit) => isHit(visit) && !isStale(visit);

function mustBeFreshHits(visits) {
  const other = visits.find((visit) => !isFreshHit(visit));
  if (other) throw new Error(`isolate ${other.isolate} answered ${other.path} with: ${other.headers?.get("cache-status")}`);
}

// ---------------------------------------------------------------- cold_isolate_renders

async function visitFreshIsolates(world) {
  const fresh = [1, 2, 3, 4, 5];
  mustBe200([await world.visit(0, LONG_LIVED)]);
  const visits = [];
  for (let round = 0; round < 2; round += 1) {
    await sleep(2500);
    visits.push(...(await Promise.all(fresh.map((isolate) => world.visit(isolate, LONG_LIVED)))));
  }
  await sleep(QUIET_MS);
  mustBe200(visits);
  return { more: world.probe.renders(LONG_LIVED).length - 1, visits };
}

async function coldIsolates(context, variant) {
  return inWorld(context, { bundle: await builtApp(variant), isolates: 6 }, visitFreshIsolates);
}

const coldIsolateRenders = scene("cold_isolate_renders", {
  required: "0 more renders, every visit a hit",
  seconds: 60,
  holds: (more) => more === 0,
  limitMs: 240_000,
  run: (context) =>
    worstOf(everyWay, async (variant) => {
      const { more, visits } = await coldIsolates(context, variant);
      mustBeFreshHits(visits);
      return more;
    }),
  controlName: "OpenNext's own cache",
  control: async (context) => (await coldIsolates(context, "opennext")).more,
});

// ---------------------------------------------------------------- restart_renders

async function visitAfterRestart(world) {
  const before = await world.visit(0, LONG_LIVED);
  // OpenNext's own cache writes to KV after it has answered.
  await sleep(1000);
  await world.restart();
  const after = await world.visit(0, LONG_LIVED);
  await sleep(QUIET_MS);
  mustBe200([before, after]);
  return { more: world.probe.renders(LONG_LIVED).length - 1, before, after };
}

async function restarted(context, variant) {
  return inWorld(context, { bundle: await builtApp(variant), isolates: 1 }, visitAfterRestart);
}

const restartRenders = scene("restart_renders", {
  required: "0, hit, same body",
  seconds: 35,
  holds: (more) => more === 0,
  limitMs: 240_000,
  run: (context) =>
    worstOf(everyWay, async (variant) => {
      const { more, before, after } = await restarted(context, variant);
      mustBeFreshHits([after]);
      if (after.text !== before.text) throw new Error("after the restart the page is another one");
      return more;
    }),
  controlName: "OpenNext's own cache",
  control: async (context) => (await restarted(context, "opennext")).more,
});

// ---------------------------------------------------------------- seeded_first_visit

const ISOLATES = [0, 1, 2, 3];
/** The pre-rendered page that goes stale within the scene. */
const SHORT_LIVED = "/quick/built";

const builtFile = (...names) => fileURLToPath(new URL(path.posix.join("../.build", ...names), import.meta.url));

async function described(variant) {
  return JSON.parse(await readFile(builtFile(variant, "variant.json"), "utf8"));
}

/** The address of each pre-rendered page; the error pages have none. */
function addressesOf({ seeds }) {
  return seeds
    .filter(({ type, key }) => type === "cache" && !/\/(_global-error|_not-found|404|500)$/.test(key))
    .map(({ key }) => key.slice(key.indexOf("/$/") + 2).replace(/^\/index$/, "/"));
}

async function seedText(variant, address) {
  const { seeds } = await described(variant);
  const { file } = seeds.find(({ key }) => key.endsWith(`/$${address}`));
  return readFile(builtFile(variant, file), "utf8");
}

/**
 * What a deployment puts there, as if the build had ended just now: however long ago the tests were built, the pages are inside
 * of their lifetimes, and those of a second deployment claim to be newer than anything.
 */
async function deploy(variant, folder) {
  const { nextBuild } = await described(variant);
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.join(folder, ".next"), { recursive: true });
  await cp(builtFile(variant, "assets"), path.join(folder, ".open-next/assets"), { recursive: true });
  await cp(builtFile(variant, "seeds"), path.join(folder, ".open-next/cache"), { recursive: true });
  for (const file of ["BUILD_ID", "prerender-manifest.json"]) {
    await writeFile(path.join(folder, ".next", file), await readFile(builtFile("next", nextBuild, file)));
  }
  await seedAssets(folder);
}

/** Number of answers that should not have been: a render of a page that was built, or the built page after a newer one. */
async function seedTwice(world, variant, seed) {
  await seed();
  await world.restart();
  const addresses = addressesOf(await described(variant)).filter((address) => address !== SHORT_LIVED);
  const firsts = await Promise.all(ISOLATES.map((isolate) => visitAll(world, isolate, addresses)));
  await sleep(QUIET_MS);
  mustBe200(firsts.flat());
  const renders = addresses.reduce((sum, address) => sum + world.probe.renders(address).length, 0);

  const built = renderOf({ text: await seedText(variant, SHORT_LIVED).then((text) => JSON.parse(text).html) });
  const first = await world.visit(0, SHORT_LIVED);
  if (renderOf(first) !== built) throw new Error(`the first visit of ${SHORT_LIVED} did not get the page that was built`);
  await newerThan(world, built);

  let older = 0;
  for (const again of [seed, async () => emptyKv(world)]) {
    await again();
    await world.restart();
    const visits = await Promise.all(ISOLATES.map((isolate) => world.visit(isolate, SHORT_LIVED)));
    mustBe200(visits);
    older += visits.filter((visit) => renderOf(visit) === built).length;
    if (older > 0) break;
  }
  return { wrong: renders + older, firsts: firsts.flat() };
}

async function visitAll(world, isolate, addresses) {
  const visits = [];
  for (const address of addresses) visits.push(await world.visit(isolate, address));
  return visits;
}

/** Visits the short-lived page until a visitor gets another than the one that was built. */
async function newerThan(world, built) {
  for (let visits = 0; visits < 60; visits += 1) {
    if (renderOf(await world.visit(0, SHORT_LIVED)) !== built) return;
    await sleep(250);
  }
  throw new Error(`${SHORT_LIVED} was never generated anew`);
}

/** What a location sees that KV has told "not found" a moment ago: then the seed is what it finds next. */
async function emptyKv(world) {
  for (const { name } of await world.kv.keys()) await world.kv.remove(name);
}

async function seededAssets(context, variant) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-deployment-"));
  await context.use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
  const bundle = await builtApp(variant);
  bundle.assets = { ...bundle.assets, directory: path.join(folder, ".open-next/assets") };
  await deploy(variant, folder);
  return inWorld(context, { bundle, isolates: ISOLATES.length }, (world) => seedTwice(world, variant, () => deploy(variant, folder)));
}

/** OpenNext's deployment puts every seed into KV. */
async function seededKv(context, variant) {
  const { seeds } = await described(variant);
  const bundle = await builtApp(variant);
  return inWorld(context, { bundle, isolates: ISOLATES.length }, (world) =>
    seedTwice(world, variant, async () => {
      for (const { file, kvKey } of seeds) await world.kv.write(kvKey, await readFile(builtFile(variant, file)));
    }),
  );
}

const seededFirstVisit = scene("seeded_first_visit", {
  required: "0 renders; the newer page stays",
  seconds: 90,
  holds: (wrong) => wrong === 0,
  limitMs: 360_000,
  run: (context) =>
    worstOf(everyWay, async (variant) => {
      const { wrong, firsts } = await seededAssets(context, variant);
      mustBeFreshHits(firsts);
      return wrong;
    }),
  controlName: "OpenNext's own seeding",
  control: async (context) => (await seededKv(context, "opennext")).wrong,
});

// ---------------------------------------------------------------- round_robin_generations

/** Who regenerates is not who was asked. */
const elsewhere = (isolate) => (isolate === "objects" ? 0 : (isolate + 1) % ISOLATES.length);

const roundRobinGenerations = scene("round_robin_generations", {
  required: "0: a visitor's generations never decrease",
  seconds: 70,
  holds: (backwards) => backwards === 0,
  limitMs: 240_000,
  run: (context) =>
    worstOf(everyWay, async (variant) => inWorld(context, { bundle: await builtApp(variant), selfReference: elsewhere }, roundRobin)),
  controlName: "a coordinator that grants everybody",
  control: async (context) => inWorld(context, { bundle: await grantingEverybody("onegen"), selfReference: elsewhere }, roundRobin),
});

export const scenes = [coldIsolateRenders, restartRenders, seededFirstVisit, roundRobinGenerations];
