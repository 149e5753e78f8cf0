// Scenes in which many ask for the same page at once, on several isolates: one of them renders.
import { scene } from "./runner/scenes.mjs";
import { bothWays, builtApp, everyWay, inWorld, mustBe200, renderOf, sleep, worstOf } from "./apps.mjs";
import { grantingEverybody } from "./switched-off.mjs";

const ISOLATES = [0, 1, 2, 3];
const EACH = 25;
const RENDER_MS = 400;
/** Renders that nobody should have started would have begun by then. */
const QUIET_MS = 1500;
/** The machine may be slow; nothing here depends on how fast it is. */
const LIMIT_MS = 60_000;

const crowd = (world, path) => world.crowd({ isolates: ISOLATES, each: EACH, path });

/** In the order of isolates: who regenerates is not who was asked. */
const elsewhere = (isolate) => (isolate === "objects" ? 0 : (isolate + 1) % ISOLATES.length);

const versionsOf = (visits) => new Set(visits.map(renderOf)).size;

/** Isolates that have loaded the app: a scene measures who renders, not who starts. */
async function warm(world) {
  await Promise.all(ISOLATES.map((isolate) => world.visit(isolate, "/about")));
}

async function fewestOf(values, measure) {
  const measured = [];
  for (const value of values) measured.push(await measure(value));
  return Math.min(...measured);
}

// ---------------------------------------------------------------- cold_stampede_renders

/** Fresh isolates, and a path that nobody has asked for. */
async function coldStampede(world) {
  const path = "/isr/never-built";
  world.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await crowd(world, path);
  await sleep(QUIET_MS);
  mustBe200(visits);
  return Math.max(world.probe.renders(path).length, versionsOf(visits));
}

const coldStampedeRenders = scene("cold_stampede_renders", {
  required: "1 render, 1 version, all 200",
  seconds: 40,
  holds: (renders) => renders === 1,
  limitMs: 240_000,
  run: (context) => worstOf(everyWay, async (variant) => inWorld(context, { bundle: await builtApp(variant) }, coldStampede)),
  controlName: "OpenNext's own cache",
  control: async (context) => inWorld(context, { bundle: await builtApp("opennext") }, coldStampede),
});

// ---------------------------------------------------------------- stale_stampede_renders

/** Renders of a page that has gone stale; every answer must have come before they ended. */
async function staleStampede(world) {
  const path = "/brief/stale";
  // A first render of some length, so that leases are longer than a hundred answers take.
  world.probe.behave(path, { delayMs: 3000 });
  const first = await world.visit(0, path);
  await warm(world);
  await sleep(2500);

  // The render does not end before all have been answered; if one waits for it, the time limit ends both.
  world.probe.behave(path, { hold: true, delayMs: RENDER_MS });
  const limit = setTimeout(() => world.probe.release(path), LIMIT_MS);
  const visits = await crowd(world, path);
  clearTimeout(limit);
  await world.probe.waitForRenders(path, 2, LIMIT_MS);
  world.probe.release(path);
  const [, ...renders] = await world.probe.waitForEnd(path, 2, LIMIT_MS);
  await sleep(QUIET_MS);

  mustBe200(visits);
  if (visits.some((visit) => renderOf(visit) !== renderOf(first))) throw new Error("a visitor of the stale page got another one");
  const firstEnd = Math.min(...renders.map(({ endedAt }) => endedAt));
  const late = visits.filter(({ answeredAt }) => answeredAt >= firstEnd).length;
  if (late > 0) throw new Error(`${late} visitors waited for the render of a page that was there`);
  return world.probe.renders(path).length - 1;
}

const staleStampedeRenders = scene("stale_stampede_renders", {
  required: "1 render; every answer precedes the end of the render",
  seconds: 60,
  holds: (renders) => renders === 1,
  limitMs: 240_000,
  run: (context) =>
    worstOf(everyWay, async (variant) => inWorld(context, { bundle: await builtApp(variant), selfReference: elsewhere }, staleStampede)),
  // OpenNext's own cache does this one well.
  controlName: "a coordinator that grants everybody",
  control: async (context) => inWorld(context, { bundle: await grantingEverybody("onegen"), selfReference: elsewhere }, staleStampede),
});

// ---------------------------------------------------------------- expired_stampede_renders

/** Past its `expire`, which these variants shorten to 8 s. */
async function pastExpire(world) {
  const path = "/brief/expires";
  const first = await world.visit(0, path);
  await warm(world);
  await sleep(8500 - (Date.now() - first.endedAt));
  return stampedeOnGone(world, path, first);
}

/** Just after a purge, which every isolate has to hear of: none has asked the ledger within the window. */
async function justPurged(world) {
  const path = "/tagged/purged";
  const [first] = await Promise.all([world.visit(0, path), warm(world)]);
  await Promise.all(ISOLATES.map((isolate) => world.visit(isolate, path)));
  await sleep(1500);
  mustBe200([await world.visit(1, "/api/revalidate?tag=product:purged", { method: "POST" })]);
  return stampedeOnGone(world, path, first);
}

async function stampedeOnGone(world, path, first) {
  const before = world.probe.renders(path).length;
  world.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await crowd(world, path);
  await sleep(QUIET_MS);
  mustBe200([first, ...visits]);
  if (visits.some((visit) => renderOf(visit) === renderOf(first))) throw new Error("a visitor got the page that was gone");
  return Math.max(world.probe.renders(path).length - before, versionsOf(visits));
}

const gone = [
  { variants: ["onegen-expire", "onegen-expire-interception"], stampede: pastExpire },
  { variants: everyWay, stampede: justPurged },
];

const expiredStampedeRenders = scene("expired_stampede_renders", {
  required: "1 render, past `expire` and just after a purge",
  seconds: 90,
  holds: (renders) => renders === 1,
  limitMs: 360_000,
  run: (context) =>
    worstOf(gone, ({ variants, stampede }) =>
      worstOf(variants, async (variant) => inWorld(context, { bundle: await builtApp(variant) }, stampede)),
    ),
  controlName: "a coordinator that grants everybody",
  control: (context) =>
    fewestOf(gone, async ({ variants: [variant], stampede }) =>
      inWorld(context, { bundle: await grantingEverybody(variant) }, stampede),
    ),
});

// ---------------------------------------------------------------- representations_renders

const segment = (name) => ({ rsc: "1", "next-router-prefetch": "1", "next-router-segment-prefetch": name });
/** What browsers ask for: a page, its RSC payload on navigation, and what a link in view prefetches. */
const representations = [{}, { rsc: "1" }, segment("/_tree"), segment("/_full"), segment("/_head")];

export async function everyRepresentation(world) {
  const path = "/brief/represented";
  mustBe200([await world.visit(0, path)]);
  await warm(world);
  const addresses = [];
  for (const headers of representations) addresses.push(await addressOf(world, path, headers));
  await sleep(2500);
  const before = world.probe.renders(path).length;
  world.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await Promise.all(
    ISOLATES.flatMap((isolate) => representations.map((headers, n) => world.visit(isolate, addresses[n], { headers }))),
  );
  await world.probe.waitForEnd(path, before + 1, LIMIT_MS);
  await sleep(QUIET_MS);
  mustBe200(visits);
  mustDiffer(visits);
  return world.probe.renders(path).length - before;
}

/** Next.js has a browser put a hash of these headers into `_rsc`, and sends one that did not to the right address. */
async function addressOf(world, path, headers) {
  const asked = headers.rsc ? `${path}?_rsc=other` : path;
  const { status, headers: told } = await world.visit(0, asked, { headers });
  return status === 307 ? told.get("location") : asked;
}

/** Without this, the scene might ask for one representation in five ways. */
function mustDiffer(visits) {
  const kinds = new Set(visits.map(({ headers, text }) => `${headers.get("content-type")} ${text.length}`));
  // A page's RSC payload and the segment that holds the whole page are the same bytes.
  if (kinds.size < representations.length - 1) throw new Error(`only ${kinds.size} different answers: ${[...kinds].join(", ")}`);
}

const representationsRenders = scene("representations_renders", {
  required: "1 render",
  seconds: 35,
  holds: (renders) => renders === 1,
  limitMs: 240_000,
  // 15.5 has no segments to prefetch.
  run: (context) => worstOf(bothWays, async (variant) => inWorld(context, { bundle: await builtApp(variant) }, everyRepresentation)),
  controlName: "a coordinator that grants everybody",
  control: async (context) => inWorld(context, { bundle: await grantingEverybody("onegen") }, everyRepresentation),
});

export const scenes = [coldStampedeRenders, staleStampedeRenders, expiredStampedeRenders, representationsRenders];
