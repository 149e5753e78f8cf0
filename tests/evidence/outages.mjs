/** Scenes in which KV, the coordinators or the renders themselves fail or lag for a while. */

import assert from "node:assert/strict";
import { scene } from "./runner/scenes.mjs";
import { builtApp, everyWay, generationOf, inWorld, isHit, isStale, renderOf, sleep, worstOf } from "./apps.mjs";
import { everyIsolate, keptInKv, onegenWorker, toldBy, until } from "./outage-tools.mjs";

const ISOLATES = [0, 1, 2, 3];
const OTHERS = [1, 2, 3];

const KV_LAG_MS = 60_000;
/** Isolates learn of an invalidation within one window of the ledger: the crate's `policy` module. */
const WINDOW_MS = 1000;
/** The first pause after a failed render, and after a coordinator that did not answer. */
const FIRST_BACK_OFF_MS = 1000;
/** Longest that a visitor waits for the render of another. */
const WAIT_LIMIT_MS = 20_000;
/** How long a coordinator is given to answer somebody who does not wait for a render. */
const COORDINATOR_LIMIT_MS = 2000;

const FAILING_MS = 9000;
const MOST_FAILING_RENDERS = Math.floor(2 + Math.log2(FAILING_MS / FIRST_BACK_OFF_MS));

/** Between two visits of the same visitor. */
const PACE_MS = 200;
/** The lifetimes of `/brief` and `/quick`. */
const BRIEF_MS = 2000;
const QUICK_MS = 5000;

/** The most renders that one version of a page took, while KV shows every change a minute late. */
async function rendersUnderLag(world) {
  const most = [];
  for (const model of ["global", "location"]) {
    await world.kv.lag(KV_LAG_MS, { model });
    most.push(await crowdUnderLag(world, `/isr/crowd-${model}`), await latecomersUnderLag(world, `/isr/late-${model}`));
  }
  return Math.max(...most);
}

/** All ask at once for a page that was never built, so every location has read "not found". */
async function crowdUnderLag(world, path) {
  const visits = await world.crowd({ isolates: ISOLATES, each: 5, path });
  assert.deepEqual(toldBy(visits, "status"), [200], "what the crowd is answered");
  return world.probe.renders(path).length;
}

/** They come one after the other, to a new page and then to the one that has replaced it. */
async function latecomersUnderLag(world, path) {
  const first = await everyIsolate(world, path);
  const { length: firstRenders } = world.probe.renders(path);
  const purge = await world.visit(0, `/api/revalidate?path=${path}`, { method: "POST" });
  await sleep(WINDOW_MS);
  const second = await everyIsolate(world, path);
  assert.deepEqual(toldBy([...first, purge, ...second], "status"), [200], "what latecomers are answered");
  const secondRenders = world.probe.renders(path).length - firstRenders;
  assert.ok(secondRenders > 0, "the page is replaced");
  return Math.max(firstRenders, secondRenders);
}

async function rendersOfOneVersion(world) {
  const renders = await rendersUnderLag(world);
  await world.kv.lag(KV_LAG_MS, { model: "global" });
  const path = "/isr/handed-over";
  const [, ...followers] = await everyIsolate(world, path);
  assert.deepEqual(toldBy(followers, sourceOf), ["coordinator"], "where followers have the bytes from");
  assert.deepEqual(toldBy(followers, renderOf), [world.probe.renders(path)[0].id], "followers get the new bytes");
  return Math.max(renders, await regenerationsUnderLag(world), world.probe.renders(path).length);
}

/** A page goes stale and is made anew; the others still have the old one, and so does their KV. */
async function regenerationsUnderLag(world) {
  const path = "/quick/lagging";
  await everyIsolate(world, path);
  await sleep(QUICK_MS);
  await world.visit(0, path);
  const [first, second] = await world.probe.waitForEnd(path, 2);
  // What is stale is served while the coordinator is asked; its answer is there for the next visit.
  for (const isolate of OTHERS) {
    const visit = await until("followers have what was made anew", async () => {
      const answer = await world.visit(isolate, path);
      return renderOf(answer) !== first.id && answer;
    });
    assert.ok(renderOf(visit), "a page is served");
  }
  // Later ones belong to the next lifetime.
  return world.probe.renders(path).filter(({ startedAt }) => startedAt >= second.startedAt && startedAt < second.endedAt + QUICK_MS).length;
}

/** After one good render a page fails for a while, under steady traffic from four isolates. */
async function rendersFail(world) {
  const path = "/brief/fails";
  const { renders, knownAt } = await knownAndStale(world, path);
  assert.equal(renders.length, 1, "it was rendered once");
  world.probe.behave(path, { fail: true });
  const visits = await traffic(world, path, FAILING_MS);
  return { good: { ...renders[0], knownAt }, visits, failed: world.probe.renders(path).length - 1 };
}

async function failingRenders(world) {
  const { good, visits, failed } = await rendersFail(world);
  assert.ok(failed > 0, "it is tried again");
  assert.deepEqual(toldBy(visits, "status"), [200], "what visitors are answered");
  assert.deepEqual(toldBy(visits, renderOf), [good.id], "the good page is served throughout");
  assert.equal(toldBy(visits, generationOf).length, 1, "its generation is kept");
  assert.deepEqual(toldBy(visits, isStale), [true], "it is told to be stale throughout");
  for (const visit of visits) {
    // Both headers tell it in whole seconds, rounded up.
    const [youngest, oldest] = [visit.startedAt - good.knownAt, visit.endedAt - good.startedAt + 1000];
    for (const age of [BRIEF_MS - 1000 * ttlOf(visit), 1000 * (YEAR_SECONDS - usableSecondsOf(visit))]) {
      assert.ok(age >= youngest && age <= oldest, `its age is kept: told as ${age} ms, and between ${youngest} and ${oldest} ms`);
    }
  }
  return failed;
}

/** A page that every isolate has, and that has just gone stale. */
async function knownAndStale(world, path) {
  await everyIsolate(world, `/isr/${path.replaceAll("/", "-")}`);
  const visits = await world.crowd({ isolates: ISOLATES, each: 1, path });
  assert.deepEqual(toldBy(visits, "status"), [200], "the app works before anything happens to it");
  await sleep(BRIEF_MS);
  const renders = await world.probe.waitForEnd(path);
  return { renders, knownAt: Math.max(...visits.map(({ endedAt }) => endedAt)) };
}

/** Coordinators fail; nothing else does. */
async function coordinatorsAreDown(world, { mode, classes }) {
  const [known, unknown] = [`/brief/known-${mode}`, `/isr/unknown-${mode}`];
  const { renders: before } = await knownAndStale(world, known);
  await world.objects.behave(mode, { classes });
  const init = () => ({ signal: AbortSignal.timeout(WAIT_LIMIT_MS) });
  const [stale, fresh] = await Promise.all([
    traffic(world, known, 8000, init),
    Promise.all(ISOLATES.flatMap((isolate) => Array.from({ length: 3 }, () => world.visit(isolate, unknown, init())))),
  ]);
  await world.objects.heal();
  const regenerations = world.probe.renders(known).slice(before.length);
  return { stale, regenerations, errors: [...stale, ...fresh].filter(({ status }) => status !== 200).length };
}

async function errorsWithoutCoordinators(world) {
  const errors = [];
  for (const mode of ["throw", "hang"]) {
    const outage = await coordinatorsAreDown(world, { mode, classes: ["RouteCoordinator"] });
    assert.deepEqual(toldBy(outage.stale, isHit), [true], `${mode}: what is stale is served from its entry`);
    const took = outage.stale.map(({ startedAt, endedAt }) => endedAt - startedAt).sort((a, b) => a - b);
    assert.ok(took[took.length >> 1] < COORDINATOR_LIMIT_MS, `${mode}: what is stale does not wait for a coordinator`);
    for (const isolate of ISOLATES) {
      const starts = outage.regenerations.filter((render) => render.isolate === isolate).map(({ startedAt }) => startedAt);
      assert.ok(starts.length > 0, `${mode}: isolate ${isolate} regenerates for itself`);
      const gaps = starts.slice(1).map((start, n) => start - starts[n]);
      const doubling = gaps.every((gap, n) => gap >= FIRST_BACK_OFF_MS * 2 ** n);
      assert.ok(doubling, `${mode}: isolate ${isolate} regenerates once per back-off, each twice as long, and not after ${gaps} ms`);
    }
    errors.push(outage.errors);
  }
  return Math.max(...errors);
}

/** KV fails to read, then to write, then works again: how many visits did not get the page as it was made once? */
async function kvIsDown(world) {
  const [known, unknown, unwritten] = ["/isr/known", "/isr/unknown", "/isr/unwritten"];
  await world.visit(0, known);
  await until("the known page is in KV", () => keptInKv(world, known));

  await world.kv.fail({ get: { mode: "throw" } });
  const visits = [
    ...(await world.crowd({ isolates: ISOLATES, each: 2, path: known })),
    ...(await world.crowd({ isolates: ISOLATES, each: 2, path: unknown })),
  ];
  await world.kv.fail({ get: {}, put: { mode: "throw" } });
  visits.push(...(await world.crowd({ isolates: ISOLATES, each: 2, path: unwritten })));
  await world.kv.heal();
  const once = (path) => world.probe.renders(path)[0].id;
  const wrong = visits.filter((visit) => visit.status !== 200 || renderOf(visit) !== once(visit.path));
  return { pages: [known, unknown, unwritten], once, wrong: wrong.length };
}

async function errorsWithoutKv(world) {
  const { pages, once, wrong } = await kvIsDown(world);
  for (const path of pages) {
    const text = await until(`KV has ${path} again`, () => keptInKv(world, path), 70_000);
    assert.ok(text.includes(once(path)), "KV has the page that was made once");
    const visit = await world.visit(4, path);
    assert.deepEqual([sourceOf(visit), renderOf(visit)], ["kv", once(path)], `a new isolate finds ${path} in KV`);
  }
  return wrong;
}

/** Visits at a steady pace from every isolate, until `ms` have passed. */
async function traffic(world, path, ms, init = () => undefined) {
  const until = Date.now() + ms;
  const visits = ISOLATES.map(async (isolate) => {
    const own = [];
    while (Date.now() < until) {
      own.push(await world.visit(isolate, path, init()));
      await sleep(PACE_MS);
    }
    return own;
  });
  return (await Promise.all(visits)).flat();
}

/** `expire` of an entry that has none of its own. */
const YEAR_SECONDS = 31_536_000;
const ttlOf = ({ headers }) => Number(/; ttl=(-?\d+)/.exec(headers.get("cache-status"))[1]);
const usableSecondsOf = ({ headers }) => Number(/^s-maxage=0, stale-while-revalidate=(\d+)$/.exec(headers.get("cache-control"))[1]);
const sourceOf = ({ headers }) => /generation=\d+ ([a-z]+)/.exec(headers.get("cache-status"))?.[1];

const withApp = async (variant, options) => ({ bundle: await builtApp(variant), ...options });

/** The worst over both ways, each in a world of its own. */
const worstWorld = (context, options, measure) => worstOf(everyWay, async (variant) => inWorld(context, await withApp(variant, options), measure));

export const scenes = [
  scene("lagging_kv_renders", {
    required: "1: followers get the new bytes from the coordinator",
    seconds: 60,
    holds: (renders) => renders === 1,
    run: (context) => worstWorld(context, { kv: "bridge" }, rendersOfOneVersion),
    controlName: "OpenNext's own cache",
    control: async (context) => inWorld(context, await withApp("opennext", { kv: "bridge" }), rendersUnderLag),
    limitMs: 240_000,
  }),
  scene("failing_render_count", {
    required: `<= ${MOST_FAILING_RENDERS} in ${FAILING_MS / 1000} s; the good page served throughout, its age and expire kept`,
    seconds: 70,
    holds: (failed) => failed <= MOST_FAILING_RENDERS,
    run: (context) => worstWorld(context, {}, failingRenders),
    controlName: "no back-off",
    control: async (context) => {
      const objects = await onegenWorker({ firstBackOffMs: 1, maxBackOffMs: 1 });
      return inWorld(context, await withApp("onegen", { objects }), async (world) => (await rendersFail(world)).failed);
    },
    limitMs: 240_000,
  }),
  scene("coordinator_down_errors", {
    required: "0; stale served, regenerated at most once per isolate per back-off",
    seconds: 120,
    holds: (errors) => errors === 0,
    run: (context) => worstWorld(context, { wrapObjects: true }, errorsWithoutCoordinators),
    controlName: "OpenNext's own objects",
    control: async (context) =>
      inWorld(context, await withApp("opennext", { wrapObjects: true }), async (world) => (await coordinatorsAreDown(world, { mode: "hang" })).errors),
    limitMs: 300_000,
  }),
  scene("kv_down_errors", {
    required: "0 visits without 200 and the page that was made once; repaired when KV returns",
    seconds: 40,
    holds: (wrong) => wrong === 0,
    run: (context) => worstWorld(context, { isolates: 5, kv: "bridge" }, errorsWithoutKv),
    controlName: "OpenNext's own cache",
    control: async (context) => inWorld(context, await withApp("opennext", { isolates: 5, kv: "bridge" }), async (world) => (await kvIsDown(world)).wrong),
    limitMs: 300_000,
  }),
];
