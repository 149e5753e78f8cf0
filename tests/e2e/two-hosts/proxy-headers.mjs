/** What responses tell caches in between: every kind of response, of both routers, on both hosts. */

import { renderOf, sleep } from "../../evidence/apps.mjs";

const HOUR = 3600;
const HELD_MS = 10_000;

const ROUTERS = {
  "App Router": { long: "/isr", short: "/brief" },
  "Pages Router": { long: "/hourly", short: "/fleeting" },
};

/**
 * @typedef {object} Told A response, and what is expected of it.
 * @property {string} what
 * @property {object} place
 * @property {string} router
 * @property {string} page the path of what was rendered
 * @property {number} lifetime its `revalidate`, in seconds
 * @property {RegExp} says its `Cache-Status`
 * @property {"fresh" | "stale" | "private" | "never"} sharing what a shared cache may make of it; "stale": nothing without asking again
 * @property {import("../../tools/harness/visitors.mjs").Visit} visit
 *
 * @typedef {{ about: "status" | "lifetime" | "sharing" | "vary", text: string }} Fault
 */

const LED = /^Onegen; fwd=uri-miss; detail="leader"$/;
const LED_AGAIN = /^Onegen; fwd=stale; detail="leader"$/;
const COLLAPSED = /^Onegen; fwd=uri-miss; collapsed; (ttl=\d+; detail="generation=\d+ \w+"|detail="leader")$/;
const HIT = /^Onegen; hit; ttl=\d+; detail="generation=\d+ (memory|kv|coordinator)"$/;
const STALE = /^Onegen; hit; ttl=-\d+; detail="generation=\d+ (memory|kv)"$/;
const TOMBSTONE = /^Onegen; fwd=(uri-miss|stale); detail="tombstone"$/;
/** The build left it: it is its page that is not there. */
const SHELL = /^Onegen; hit; ttl=\d+; detail="generation=0 (seed|memory|kv)"$/;
const ANY_RENDER = /^Onegen; fwd=/;

/** Every kind of response, asked for at `one` and `other`, which are of one host. @returns {Promise<Told[]>} */
async function responses(hosts, router, one, other) {
  const { long, short } = ROUTERS[router];
  const { probe } = hosts;
  const slug = `headers-${one.onWorkers ? "edge" : "node"}`;
  const [kept, passing] = [`${long}/${slug}`, `${short}/${slug}`];
  const told = [];
  const add = (what, visit, { place = one, page = visit.path, lifetime = HOUR, says, sharing = "fresh" }) =>
    told.push({ what, visit, place, router, page, lifetime, says, sharing });
  const ask = async (what, path, { place = one, init, ...expected }) => add(what, await place.visit(path, init), { place, ...expected });

  await ask("a miss", kept, { says: LED });
  await ask("a short-lived miss", passing, { says: LED, lifetime: 2 });
  await sleep(2300);
  await ask("a hit", kept, { says: HIT });
  await ask("a hit elsewhere", kept, { place: other, says: HIT });

  // If one waits for the render, the time limit ends both.
  probe.behave(passing, { hold: true });
  const limit = setTimeout(() => probe.release(passing), HELD_MS);
  await ask("stale, to whoever has it regenerated", passing, { says: STALE, lifetime: 2, sharing: "stale" });
  await ask("stale, once more", passing, { says: STALE, lifetime: 2, sharing: "stale" });
  await ask("stale, to a follower", passing, { place: other, says: STALE, lifetime: 2, sharing: "stale" });
  clearTimeout(limit);
  probe.release(passing);

  const cold = `${long}/${slug}-cold`;
  probe.behave(cold, { delayMs: 400 });
  const leader = one.visit(cold);
  await probe.waitForRenders(cold, 1);
  await sleep(50);
  const [joins, follows] = await Promise.all([one.visit(cold), other.visit(cold)]);
  add("a miss that others wait for", await leader, { says: LED });
  add("who joins it", joins, { says: COLLAPSED });
  add("a follower of it", follows, { place: other, says: COLLAPSED });

  await one.visit(`/api/revalidate?path=${kept}`, { method: "POST" });
  await ask("regenerated after a purge, blocking", kept, { says: LED_AGAIN });
  await sleep(1000);
  await ask("a hit after a purge elsewhere", kept, { place: other, says: HIT });

  const failing = `${long}/${slug}-failing`;
  probe.behave(failing, { fail: true });
  await ask("a failure", failing, { says: LED, sharing: "private" });
  await ask("a draft", kept, { init: { headers: { cookie: `__prerender_bypass=${hosts.previewId}` } }, sharing: "private" });
  await (router === "App Router" ? ofAppRouter : ofPagesRouter)({ hosts, one, other, ask, add, slug, kept });
  return told;
}

async function ofAppRouter({ one, other, ask, slug, kept }) {
  const asData = { headers: { rsc: "1" }, redirect: "follow" };
  await ask("RSC, a hit", kept, { init: asData, says: HIT });
  // Next.js lets shared caches keep a 404; OpenNext lets none.
  const sharing = one.onWorkers ? "private" : "fresh";
  const missing = `/missing/${slug}`;
  await ask("a 404", missing, { says: LED, lifetime: 5, sharing });
  await sleep(1000);
  await ask("a cached 404", missing, { says: HIT, lifetime: 5, sharing });
  await ask("a cached 404 elsewhere", missing, { place: other, says: HIT, lifetime: 5, sharing });
  for (const route of ["/file/bytes", "/gone/any"]) {
    const path = `${route}-${slug}`;
    await ask("a route handler's answer", path, { says: LED });
    await sleep(1500);
    await ask("a route handler's, a hit", path, { says: HIT });
    await ask("a route handler's, a hit elsewhere", path, { place: other, says: HIT });
  }
}

async function ofPagesRouter({ hosts, one, other, ask, add, slug, kept }) {
  const { probe } = hosts;
  await one.visit(`/api/regenerate?path=${kept}`, { method: "POST" });
  await ask("regenerated on demand", kept, { says: HIT });
  await sleep(1000);
  await ask("regenerated on demand elsewhere", kept, { place: other, says: HIT });
  const data = hosts.dataOf(kept);
  await ask("data, a hit", data, { page: kept, says: HIT });
  for (const visit of await Promise.all([other, other].map((place) => place.visit(data)))) {
    add("data, a hit that may be joined", visit, { place: other, page: kept, says: HIT });
  }

  const missing = `/hourly/${slug}-missing`;
  probe.behave(missing, { outcome: "not-found" });
  // OpenNext lets no cache keep a 404, itself included.
  const known = one.onWorkers ? { says: TOMBSTONE, sharing: "private" } : { says: HIT };
  await ask("a 404", missing, { says: LED, sharing: known.sharing });
  await sleep(1500);
  await ask("a cached 404", missing, known);
  await ask("a cached 404 elsewhere", missing, { place: other, ...known });

  const moved = `/hourly/${slug}-moved`;
  probe.behave(moved, { outcome: "redirect" });
  await ask("a redirect", moved, { says: LED });
  await sleep(1500);
  await ask("a redirect, a hit", moved, { says: HIT });
  await ask("a redirect, a hit elsewhere", moved, { place: other, says: HIT });

  const shell = `/fallback/${slug}`;
  await ask("a shell", shell, { says: SHELL, sharing: "private" });
  await ask("a shell's data", hosts.dataOf(shell), { page: shell, says: LED });
  await ask("a page that had a shell", shell, { place: other, says: HIT });
}

/** Both routers on both hosts. @returns {Promise<Told[]>} */
export async function everyResponse(hosts) {
  await hosts.visitEach("/about");
  const { process, otherProcess, isolate, otherIsolate } = hosts;
  const pairs = [[process, otherProcess], [isolate, otherIsolate]];
  const all = Object.keys(ROUTERS).flatMap((router) => pairs.map(([one, other]) => responses(hosts, router, one, other)));
  return (await Promise.all(all)).flat();
}

/** What is wrong with responses. @param {Told[]} told @param {Map<string, string>} varies what `variesOf` made of the hosts without Onegen @returns {Fault[]} */
export function faultsOf(hosts, told, varies) {
  return told.flatMap((one) => {
    const faults = [...statusFaults(hosts, one), ...lifetimeFaults(hosts, one), ...sharingFaults(one), ...varyFaults(one, varies)];
    const { visit, router, what } = one;
    return faults.map(({ about, text }) => ({ about, text: `${what} (${router}, ${visit.place}, ${visit.status} of ${visit.path}): ${text}` }));
  });
}

/** `Cache-Status`: what is expected, and what the probe has seen. */
function statusFaults(hosts, { visit, says, page, lifetime }) {
  const status = visit.headers.get("cache-status") ?? "";
  if (says === undefined) return [];
  const fault = (text) => [{ about: "status", text: `${text}: ${status || "no Cache-Status"}` }];
  if (!says.test(status)) return fault(`expected ${says}`);
  const render = renderBehind(hosts, visit, page);
  if (render === undefined) return [];
  const isMadeForIt = render.startedAt >= visit.startedAt;
  const isLed = ANY_RENDER.test(status) && !status.includes("collapsed");
  if (isLed !== isMadeForIt) return fault(isMadeForIt ? "it was rendered for this request" : "it was rendered before");
  const [, ttl] = /ttl=(-?\d+)/.exec(status) ?? [];
  if (ttl === undefined) return [];
  const left = (at) => lifetime - (at - render.endedAt) / 1000;
  if (Number(ttl) > left(visit.startedAt) + 1 || Number(ttl) < left(visit.answeredAt) - 1) return fault(`${left(visit.answeredAt)} s are left`);
  return [];
}

/** `s-maxage` is never beyond what is left of the page's lifetime. */
function lifetimeFaults(hosts, { visit, lifetime, page }) {
  const shared = sharedFor(visit);
  const render = renderBehind(hosts, visit, page);
  if (shared === undefined || render === undefined) return [];
  const left = lifetime - (Math.max(visit.startedAt, render.endedAt) - render.endedAt) / 1000;
  return shared > Math.max(0, left) + 1 ? [{ about: "lifetime", text: `${left} s are left, but it says ${visit.headers.get("cache-control")}` }] : [];
}

/** What must not be kept is not, and what may be kept says for how long. */
function sharingFaults({ visit, sharing }) {
  const says = visit.headers.get("cache-control") ?? "";
  const holds = {
    fresh: /^s-maxage=\d+(, stale-while-revalidate=\d+)?$/,
    stale: /^s-maxage=0, stale-while-revalidate=\d+$/,
    private: /^private, no-cache, no-store, max-age=0, must-revalidate$/,
  }[sharing];
  return holds.test(says) ? [] : [{ about: "sharing", text: `expected to be ${sharing}, but it says ${says || "nothing"}` }];
}

function varyFaults({ visit, router, place }, varies) {
  if (varies === undefined) return [];
  const expected = varies.get(wayOf(visit, router, place)) ?? "what nothing without Onegen says";
  const says = varyOf(visit);
  return expected === says ? [] : [{ about: "vary", text: `expected Vary: ${expected || "none"}, but it says ${says || "none"}` }];
}

/** For how long a shared cache may use a response without asking; undefined if it may not. */
function sharedFor({ headers }) {
  const says = headers.get("cache-control") ?? "";
  if (/private|no-store/.test(says)) return undefined;
  const [, shared] = /s-maxage=(\d+)/.exec(says) ?? [];
  return shared === undefined ? undefined : Number(shared) - Number(headers.get("age") ?? 0);
}

/** The render that a response shows, as the probe has seen it; of what shows none, the last one. */
function renderBehind({ probe }, visit, page) {
  const shown = renderOf(visit) ?? visit.headers.get("x-render-id") ?? /"(?:id|data-render-id)":"([0-9a-f-]{36})"/.exec(visit.text)?.[1];
  const renders = probe.renders(page).filter(({ endedAt }) => endedAt !== undefined);
  if (shown) return renders.find(({ id }) => id === shown);
  return renders.findLast(({ endedAt }) => endedAt <= visit.endedAt);
}

/**
 * What Vary depends on: OpenNext's interceptor says something else than the server behind it, `next start` does not compress
 * everything, and the Pages Router's 404 is a page of the App Router.
 */
const wayOf = ({ status, headers }, router, { onWorkers }) =>
  [router, status, onWorkers ? `OpenNext ${headers.has("x-opennext-cache")}` : headers.get("content-type")].join();

const varyOf = ({ headers }) => (headers.get("vary") ?? "").toLowerCase().split(/,\s*/).sort().join(", ");

/** What responses say they vary by, for all that it depends on. @param {Told[]} told @returns {Map<string, string>} */
export const variesOf = (told) => new Map(told.map(({ visit, router, place }) => [wayOf(visit, router, place), varyOf(visit)]));
