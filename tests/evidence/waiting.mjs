// Scenes about who must not wait: nobody for a render that will not be stored, or for a lease that nobody uses.
import { scene } from "./runner/scenes.mjs";
import { bothWays, builtApp, everyWay, inWorld, mustBe200, sleep, worstOf } from "./apps.mjs";
import { replaced, withLimits } from "./switched-off.mjs";

/** The machine may be slow; nothing here depends on how fast it is. */
const LIMIT_MS = 60_000;

// ---------------------------------------------------------------- uncacheable_waiters

const WAITERS = 20;
const others = Array.from({ length: WAITERS }, (_, n) => n + 1);
/** Ample for a render to begin, and less than a first lease (10 s): without hit-for-miss, one waiter renders for so long. */
const BEGUN_MS = 8000;

/**
 * Renders that end without a store: one that turns out to be dynamic (Next.js answers with an error, and does not store it),
 * and one that throws. Next.js does store the 404 of a page that calls `notFound()`, which is a page like any other here.
 */
const unstored = [
  { path: "/dynamic/cookies", behaviour: {} },
  { path: "/flaky/fails", behaviour: { fail: true } },
];

/**
 * How many of the waiters begin to render before one of them has ended. Each is on an isolate of its own: within an isolate
 * Next.js itself joins all requests for a page to one render (its response cache), cacheable or not, so there 20 visitors
 * begin one render whatever the cache under it does.
 */
async function waitersOfTheUnstored(world, { path, behaviour }) {
  const before = await questions(world);
  world.probe.behave(path, { ...behaviour, hold: true });
  const leader = world.visit(0, path);
  await world.probe.waitForRenders(path, 1, LIMIT_MS);
  const waiting = Promise.all(others.map((isolate) => world.visit(isolate, path)));
  // All of them have asked the coordinator before the leader gives up.
  while ((await questions(world)) < before + 1 + WAITERS) await sleep(50);
  world.probe.release(path);
  world.probe.behave(path, { ...behaviour, hold: true });
  await leader;

  const begun = await world.probe.waitForRenders(path, 1 + WAITERS, BEGUN_MS).catch(() => world.probe.renders(path));
  world.probe.release(path);
  await waiting;
  return begun.length - 1;
}

async function questions(world) {
  return (await world.objects.counts())["RouteCoordinator.acquire"] ?? 0;
}

async function waitersOfEach(context, bundle) {
  const options = { bundle, isolates: 1 + WAITERS, wrapObjects: { RouteCoordinator: ["acquire"] } };
  return inWorld(context, options, async (world) => {
    await Promise.all([0, ...others].map((isolate) => world.visit(isolate, "/about")));
    const counts = [];
    for (const kind of unstored) counts.push(await waitersOfTheUnstored(world, kind));
    return counts;
  });
}

/** A coordinator that goes on making others wait, whatever became of the renders before. */
const NO_HIT_FOR_MISS = `
  export class RouteCoordinator extends onegen.RouteCoordinator {
    static options = { firstHitForMissMs: 1, maxHitForMissMs: 1, firstBackOffMs: 1, maxBackOffMs: 1 };

    async acquire(name, message) {
      for (;;) {
        const reply = await super.acquire(name, message);
        if (!reply.answer.uncacheable) return reply;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
`;

const uncacheableWaiters = scene("uncacheable_waiters", {
  required: `after the first abandonment, ${WAITERS} requests all begin rendering before one ends`,
  seconds: 110,
  holds: (begun) => begun === WAITERS,
  limitMs: 480_000,
  run: async (context) => {
    const counts = [];
    for (const variant of everyWay) counts.push(...(await waitersOfEach(context, await builtApp(variant))));
    return Math.min(...counts);
  },
  controlName: "no hit-for-miss",
  control: async (context) => {
    return Math.max(...(await waitersOfEach(context, replaced(await builtApp("onegen"), NO_HIT_FOR_MISS))));
  },
});

// ---------------------------------------------------------------- prefetch_strands_no_lease

/** Leases as long as this make a stranded one plain to see. */
const LONG_LEASES = { firstLeaseMs: 600_000, minLeaseMs: 600_000, maxLeaseMs: 600_000 };
/** Far less than a lease, and ample for a render to begin. */
const AT_ONCE_MS = 15_000;

const prefetch = { rsc: "1", "next-router-prefetch": "1" };
const prefetches = [
  prefetch,
  ...["/_tree", "/_full", "/_head"].map((name) => ({ ...prefetch, "next-router-segment-prefetch": name })),
  { purpose: "prefetch" },
];

/** Prefetches on one isolate, then a visitor there or elsewhere: how many visitors' requests began no render. */
async function prefetchThenVisit(world) {
  const pages = [
    { path: "/brief/here", isolate: 0 },
    { path: "/brief/there", isolate: 1 },
  ];
  mustBe200(await Promise.all(pages.map(({ path }) => world.visit(0, path))));
  await Promise.all([1, 2, 3].map((isolate) => world.visit(isolate, "/about")));
  await sleep(2500);
  for (const { path } of pages) await Promise.all(prefetches.map((headers) => prefetched(world, path, headers)));

  const before = new Map(pages.map(({ path }) => [path, world.probe.renders(path).length]));
  const visits = await Promise.all(pages.map(({ path, isolate }) => world.visit(isolate, path)));
  mustBe200(visits);
  const begun = pages.map(({ path }) => world.probe.waitForRenders(path, before.get(path) + 1, AT_ONCE_MS).then(() => true, () => false));
  return (await Promise.all(begun)).filter((one) => !one).length;
}

/** As a browser does it: by way of the address that Next.js sends it to. */
async function prefetched(world, path, headers) {
  const visit = await world.visit(0, path, { headers });
  const answer = visit.status === 307 ? await world.visit(0, visit.headers.get("location"), { headers }) : visit;
  mustBe200([answer]);
}

/** Prefetches that ask the coordinator as a visitor's request does, and then have nothing to store. */
const TAKES_LEASES = `
  function takingLeases(app) {
    return {
      ...app,
      async fetch(request, env, ctx) {
        if (request.headers.has("next-router-prefetch")) await takeLease(env, new URL(request.url).pathname);
        return app.fetch(request, env, ctx);
      },
    };
  }

  async function takeLease({ ONEGEN_KV: kv, ONEGEN_ROUTES: routes }, path) {
    const { keys } = await kv.list();
    const { name } = keys.find(({ name }) => name.endsWith("/$" + path));
    const question = { have: 2 * Date.now(), holder: crypto.randomUUID(), position: { epoch: 0, number: 0 }, need: "refresh" };
    await routes.get(routes.idFromName(name)).acquire(name, question);
  }
`;

const prefetchStrandsNoLease = scene("prefetch_strands_no_lease", {
  required: "0 visitors whose request does not regenerate at once",
  seconds: 45,
  holds: (stranded) => stranded === 0,
  limitMs: 240_000,
  run: (context) =>
    // 15.5 has no segments to prefetch.
    worstOf(bothWays, async (variant) => inWorld(context, { bundle: withLimits(await builtApp(variant), LONG_LEASES) }, prefetchThenVisit)),
  controlName: "prefetches that take leases",
  control: async (context) => {
    const app = withLimits(await builtApp("onegen"), LONG_LEASES);
    return inWorld(context, { bundle: replaced(app, TAKES_LEASES, "takingLeases(onegen.default)") }, prefetchThenVisit);
  },
});

export const scenes = [prefetchStrandsNoLease, uncacheableWaiters];
