// Scenes of invalidations that fall into a render, meet a regeneration, or come again and again; on both hosts at once.
import assert from "node:assert/strict";
import { scene } from "./runner/scenes.mjs";
import { byPath, hard, regenerated, soft, updated, versionOf } from "../e2e/two-hosts/invalidating.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { OWN_CACHES, withOnegen, withOnegenBothWays, withOwnCaches } from "./both-hosts.mjs";
import { QUIET_MS } from "./fleet-tools.mjs";
import { until } from "./outage-tools.mjs";

/** Isolates learn of an invalidation within one window of the ledger: the crate's `policy` module. */
const WINDOW_MS = 1000;
const LIMIT_MS = 60_000;
/** What is stale is made anew after it was served: who shows the old one for so long has lost the invalidation. */
const PATIENCE_MS = 15_000;

/** Who renders and who invalidates: within each host and across. */
const pairs = ({ process, otherProcess, isolate, otherIsolate }) => [
  [process, otherProcess],
  [isolate, otherIsolate],
  [process, isolate],
  [isolate, process],
];

const eventually = (answer) => until("", answer, PATIENCE_MS).then(
  () => true,
  () => false,
);

// ---------------------------------------------------------------- invalidate_mid_render_lost

const data = (kind) => ({ kind, tell: (name) => `/mid/${kind}/${name}`, page: (hosts, name) => `/mid/${kind}/${hosts.probe.address}/${name}` });
const thePage = { kind: "page", tell: (name) => `/midpage/${name}`, page: (_, name) => `/midpage/${name}` };
const subjects = [thePage, data("unstable_cache"), data("fetch"), data("use_cache")];

/** How it is invalidated; what a soft invalidation made stale may be served until it is made anew. */
const ways = [
  { how: "hard", invalidate: (place, name) => hard(place, `mid:${name}`) },
  { how: "soft", mayServeOld: true, invalidate: (place, name) => soft(place, `mid:${name}`) },
  { how: "path", invalidate: (place, _, page) => byPath(place, page) },
  { how: "updateTag", invalidate: (place, name) => updated(place, `mid:${name}`) },
  { how: "regenerated", only: "page", regenerates: true, invalidate: (place, _, page) => regenerated(place, page) },
];

/** Data is read, then invalidated elsewhere, then what is made of it is done. @returns {Promise<boolean>} whether the old is fresh somewhere */
async function midRender(hosts, [renderer, other], { page, tell }, { how, invalidate, mayServeOld, regenerates }, name) {
  const [path, told] = [page(hosts, name), tell(name)];
  hosts.probe.behave(told, { hold: true });
  const rendering = renderer.visit(path);
  const [{ id: old }] = await hosts.probe.waitForRenders(told, 1, LIMIT_MS);
  // Only the first is held: a regeneration on demand renders, too.
  hosts.probe.behave(told, {});
  const answer = await invalidate(other, name, path);
  assert.ok(answer.status >= 200 && answer.status < 400, `${how} of ${path} answered ${answer.status} ${answer.text.slice(0, 200)}`);
  hosts.probe.release(told);
  mustBe200([await rendering]);
  await sleep(WINDOW_MS);
  const shows = async (place) => {
    const visit = await place.visit(path);
    mustBe200([visit]);
    return versionOf(visit) === old;
  };
  const showing = await Promise.all(hosts.places.map(async (place) => ((await shows(place)) ? !mayServeOld || !(await eventually(async () => !(await shows(place)))) : false)));
  if (regenerates && hosts.probe.renders(told).length < 2) throw new Error(`${path} was not regenerated`);
  return showing.filter(Boolean).length;
}

async function lostMidRender(hosts) {
  for (const place of hosts.places) mustBe200([await place.visit("/about"), await place.visit("/press?tag=none")]);
  const plays = subjects.flatMap((subject) =>
    ways.filter(({ only }) => only === undefined || only === subject.kind).flatMap((way) => pairs(hosts).map((pair, n) => ({ subject, way, pair, name: `${subject.kind}-${way.how}-${n}` }))),
  );
  const lost = [];
  // A few at a time: what counts is their order, not how busy the machine is.
  const play = async () => {
    for (let one = plays.shift(); one !== undefined; one = plays.shift()) lost.push(await midRender(hosts, one.pair, one.subject, one.way, one.name));
  };
  await Promise.all(Array.from({ length: 12 }, play));
  return lost.reduce((sum, count) => sum + count, 0);
}

const invalidateMidRenderLost = scene("invalidate_mid_render_lost", {
  required: "0 places that show the old as fresh: a page, `unstable_cache`, `fetch` and `use cache`; `revalidateTag` hard and soft, `revalidatePath`, `updateTag`, `res.revalidate`",
  seconds: 90,
  holds: (lost) => lost === 0,
  limitMs: 300_000,
  run: (context) => withOnegen(context, lostMidRender),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, lostMidRender),
});

// ---------------------------------------------------------------- nested_stale_baked

const READS = { fetch: data("fetch"), unstable_cache: data("unstable_cache"), use_cache: data("use_cache") };

/** One place makes stale data anew while another renders a page that reads it. @returns {Promise<number>} places with a page of the old data */
async function bakedStale(hosts, [regenerator, renderer], kind, name) {
  const { page, tell } = READS[kind];
  const [reader, told, nested] = [page(hosts, name), tell(name), `/nested/${kind}/${hosts.probe.address}/${name}`];
  mustBe200([await regenerator.visit(reader), await renderer.visit(reader)]);
  const known = hosts.probe.renders(told).length;
  const olds = new Set(hosts.probe.renders(told).map(({ id }) => id));
  mustBe200([await soft(regenerator, `mid:${name}`)]);
  await sleep(WINDOW_MS);
  hosts.probe.behave(told, { hold: true });
  const regenerating = regenerator.visit(reader);
  await hosts.probe.waitForRenders(told, known + 1, LIMIT_MS);
  const rendering = renderer.visit(nested);
  await hosts.probe.waitForRenders(`/nested/${kind}/${name}`, 1, LIMIT_MS);
  // The page's render has come to its data by now.
  await sleep(300);
  hosts.probe.release(told);
  mustBe200([await regenerating, await rendering]);
  await sleep(QUIET_MS);
  // What is stale is made anew after it was served; who is told so is not told that it is fresh.
  const isOld = async (place) => !(await eventually(async () => !olds.has(versionOf(await place.visit(nested)))));
  return (await Promise.all(hosts.places.map(isOld))).filter(Boolean).length;
}

async function allBaked(hosts) {
  const plays = Object.keys(READS).flatMap((kind) => pairs(hosts).map((pair, n) => bakedStale(hosts, pair, kind, `nested-${kind}-${n}`)));
  return (await Promise.all(plays)).reduce((sum, count) => sum + count, 0);
}

const nestedStaleBaked = scene("nested_stale_baked", {
  required: "0 places in which a page is fresh with data that was stale when it was rendered",
  seconds: 50,
  holds: (places) => places === 0,
  limitMs: 240_000,
  run: (context) => withOnegen(context, allBaked),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, allBaked),
});

// ---------------------------------------------------------------- swr_tag_repeats, static_page_swr_tag

const ROUNDS = 5;

/** Soft invalidations, each awaited until every place shows a new body. @returns {Promise<number>} those that led to one */
async function softRounds(hosts, page, tag) {
  mustBe200(await hosts.visitEach(page));
  let rounds = 0;
  for (; rounds < ROUNDS; rounds += 1) {
    const before = hosts.probe.renders(page).length;
    const old = renderOf(await hosts.process.visit(page));
    mustBe200([await soft(hosts.places[rounds % hosts.places.length], tag)]);
    await sleep(WINDOW_MS);
    const isNew = async (place) => eventually(async () => ![old, undefined].includes(renderOf(await place.visit(page))));
    if ((await Promise.all(hosts.places.map(isNew))).includes(false)) break;
    await sleep(QUIET_MS);
    const renders = hosts.probe.renders(page).length - before;
    if (renders !== 1) break;
  }
  return rounds;
}

const repeats = (name, page, tag) =>
  scene(name, {
    required: `${ROUNDS} new bodies in every place, one render each`,
    seconds: 90,
    holds: (rounds) => rounds === ROUNDS,
    limitMs: 240_000,
    run: async (context) => -(await withOnegenBothWays(context, async (hosts) => -(await softRounds(hosts, page, tag)))),
    controlName: OWN_CACHES,
    control: (context) => withOwnCaches(context, (hosts) => softRounds(hosts, page, tag)),
  });

export const scenes = [
  invalidateMidRenderLost,
  nestedStaleBaked,
  repeats("swr_tag_repeats", "/tagged/repeats", "product:repeats"),
  repeats("static_page_swr_tag", "/static/repeats", "static:repeats"),
];
