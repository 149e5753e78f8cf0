// Scenes of one build of one app on two hosts at once: processes of `next start` and isolates of OpenNext's Worker.
import { scene } from "./runner/scenes.mjs";
import { failures as pagesRouterFailures } from "../e2e/two-hosts/pages-router.mjs";
import { everyResponse, faultsOf, variesOf } from "../e2e/two-hosts/proxy-headers.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { OWN_CACHES, withOnegenBothWays, withOwnCaches } from "./both-hosts.mjs";
import { QUIET_MS, versionsOf } from "./fleet-tools.mjs";
import { toldBy } from "./outage-tools.mjs";

const LIMIT_MS = 60_000;
const RENDER_MS = 400;
const EACH = 5;

// ---------------------------------------------------------------- fleet_and_edge_renders

/** As the App Router's client asks; Next.js redirects to where the answer cannot be taken for the page. */
const ASKS_FOR_DATA = { headers: { rsc: "1" }, redirect: "follow" };

const expire = (place, slug) => place.visit(`/api/revalidate?tag=product:${slug}`, { method: "POST" });

/** Renders that an event led to, or versions that came of them, whichever are more. */
async function rendersOf(hosts, path, event) {
  const before = hosts.probe.renders(path).length;
  hosts.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await event();
  await sleep(QUIET_MS);
  mustBe200(visits);
  const bodies = toldBy(visits, ({ body }) => body.toString("base64")).length;
  return { worst: Math.max(hosts.probe.renders(path).length - before, bodies), visits };
}

const allAtOnce = (hosts, path) => rendersOf(hosts, path, () => hosts.crowd(path, EACH));

/** One place renders, then every place is asked, for the page and for what the App Router's client asks for. */
async function readElsewhere(hosts, path, first) {
  const html = await rendersOf(hosts, path, async () => [await first.visit(path), ...(await hosts.visitEach(path))]);
  const data = [];
  for (const place of hosts.places) data.push(await place.visit(path, ASKS_FOR_DATA));
  mustBe200(data);
  return { worst: Math.max(html.worst, toldBy(data, ({ body }) => body.toString("base64")).length, hosts.probe.renders(path).length) };
}

/** The render does not end before all have been answered; if one waits for it, the time limit ends both. */
async function stale(hosts) {
  const path = "/brief/stale";
  // A first render of some length, so that leases are longer than all the answers take.
  hosts.probe.behave(path, { delayMs: 2000 });
  const known = await hosts.visitEach(path);
  await sleep(2500);
  const before = hosts.probe.renders(path).length;
  hosts.probe.behave(path, { hold: true });
  const limit = setTimeout(() => hosts.probe.release(path), LIMIT_MS);
  const visits = await hosts.crowd(path, EACH);
  clearTimeout(limit);
  await hosts.probe.waitForRenders(path, before + 1, LIMIT_MS);
  await sleep(QUIET_MS);
  hosts.probe.release(path);
  await hosts.probe.waitForEnd(path, before + 1, LIMIT_MS);
  mustBe200(visits);
  return { worst: Math.max(hosts.probe.renders(path).length - before, versionsOf(visits)), visits, known };
}

/** Just after a purge, which every place has to hear of: none has asked the ledger within the window. */
async function purged(hosts, slug, caller) {
  const path = `/tagged/${slug}`;
  const known = await hosts.visitEach(path);
  await sleep(QUIET_MS);
  mustBe200([await expire(caller, slug)]);
  return { ...(await allAtOnce(hosts, path)), known };
}

function mustBeOther({ visits, known }) {
  const old = new Set(known.map(renderOf));
  if (visits.some((visit) => old.has(renderOf(visit)))) throw new Error("a visitor got the page that was gone");
}

function mustBeSame({ visits, known }) {
  if (toldBy([...visits, ...known], renderOf).length !== 1) throw new Error("a visitor of the stale page got another one");
}

/** What each event led to. Those of different pages do not mind each other, but for purges: while one is on, nobody else asks. */
async function everyEvent(hosts) {
  const { process, isolate } = hosts;
  const [neverBuilt, bytes, text, fromProcess, fromIsolate, wasStale] = await Promise.all([
    allAtOnce(hosts, "/isr/never-built"),
    allAtOnce(hosts, "/file/bytes-never-built"),
    allAtOnce(hosts, "/file/text-never-built"),
    readElsewhere(hosts, "/isr/from-process", process),
    readElsewhere(hosts, "/isr/from-isolate", isolate),
    stale(hosts),
  ]);
  const purgedByProcess = await purged(hosts, "by-process", process);
  const purgedByIsolate = await purged(hosts, "by-isolate", isolate);
  return { neverBuilt, bytes, text, fromProcess, fromIsolate, stale: wasStale, purgedByProcess, purgedByIsolate };
}

const worsts = (events) => Object.values(events).map(({ worst }) => worst);

const EVERY_BYTE = Buffer.from(Uint8Array.from({ length: 256 * 16 }, (_, at) => at % 256));

const fleetAndEdgeRenders = scene("fleet_and_edge_renders", {
  required: "1 render between both hosts for each event, the same bytes on both",
  seconds: 60,
  holds: (renders) => renders === 1,
  limitMs: 180_000,
  run: (context) =>
    withOnegenBothWays(context, async (hosts) => {
      const events = await everyEvent(hosts);
      const tooMany = Object.entries(events).filter(([, { worst }]) => worst > 1);
      for (const [name, { worst }] of tooMany) console.error(`fleet_and_edge_renders: ${worst} of ${name}`);
      if (tooMany.length > 0) return Math.max(...worsts(events));
      mustBeSame(events.stale);
      mustBeOther(events.purgedByProcess);
      mustBeOther(events.purgedByIsolate);
      const [{ body }] = events.bytes.visits;
      if (!body.equals(EVERY_BYTE)) throw new Error("the binary body is another one");
      return Math.max(...worsts(events));
    }),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, async (hosts) => Math.min(...worsts(await everyEvent(hosts)))),
});

// ---------------------------------------------------------------- pages_router_failed

const pagesRouterFailed = scene("pages_router_failed", {
  required: "0 checks failed, between two of each host and across",
  seconds: 70,
  holds: (failed) => failed === 0,
  limitMs: 240_000,
  run: (context) =>
    withOnegenBothWays(context, async (hosts) => {
      const failed = await pagesRouterFailures(hosts);
      for (const what of failed) console.error(`pages_router_failed: ${what}`);
      return failed.length;
    }),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, async (hosts) => (await pagesRouterFailures(hosts)).length),
});

// ---------------------------------------------------------------- proxy_headers_wrong

/** Without Onegen: what responses vary by there, and which of them tell shared caches more than what is left of their lifetime. */
async function withoutOnegen(context) {
  return withOwnCaches(context, async (hosts) => {
    const told = await everyResponse(hosts);
    return { varies: variesOf(told), tooLong: faultsOf(hosts, told).filter(({ about }) => about === "lifetime").length };
  });
}

const proxyHeadersWrong = scene("proxy_headers_wrong", {
  required: "0 responses that mislead a shared cache",
  seconds: 90,
  holds: (wrong) => wrong === 0,
  limitMs: 240_000,
  run: async (context) => {
    const { varies } = await withoutOnegen(context);
    return withOnegenBothWays(context, async (hosts) => {
      const faults = faultsOf(hosts, await everyResponse(hosts), varies);
      for (const { text } of faults) console.error(`proxy_headers_wrong: ${text}`);
      return faults.length;
    });
  },
  controlName: `${OWN_CACHES}, lifetimes alone`,
  control: async (context) => (await withoutOnegen(context)).tooLong,
});

export const scenes = [fleetAndEdgeRenders, pagesRouterFailed, proxyHeadersWrong];
