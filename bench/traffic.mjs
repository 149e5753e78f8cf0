/**
 * What a site's views cost in a day: operations as they were counted, times how often each kind of view comes about.
 *
 * A page lives for `lifetime` seconds; the first view after that begins a new version, and all views until others can see that
 * one are views of a stale page. With Onegen they see it when it is published: who finds a stale copy in KV asks the coordinator.
 * With KV alone they see it up to a minute later, unless they are where it was written.
 */

import { priceOf, sumOf } from "./prices.mjs";

/** Until a write to KV is seen elsewhere (developers.cloudflare.com/kv/concepts/how-kv-works). */
const KV_LAG_SECONDS = 60;
/** How long the app renders. */
const RENDER_SECONDS = 0.5;
/** How long an object is at work for a request that waits for nothing, and for one that writes to KV: taken, not measured. */
const CALL_SECONDS = 0.001;
const PUT_SECONDS = 0.3;
const WINDOW_SECONDS = 1;
const DAY_SECONDS = 86_400;

/** @typedef {{ name: string, views: number, pages: number, places: number, lifetime: number }} Site `views` in a day */

export const SITES = {
  blog: { name: "a blog", views: 5000, pages: 100, places: 3, lifetime: 3600 },
  shop: fivePercentStale({ name: "a shop", views: 200_000, pages: 2000, places: 20 }),
  news: { name: "a news site", views: 5_000_000, pages: 1000, places: 100, lifetime: 60 },
};

export const WARM = [0, 0.5, 0.9, 0.99];

/** Views per second of each page: the n-th is asked for an n-th as often as the first. */
function rates({ views, pages }) {
  const weights = Array.from({ length: pages }, (_, n) => 1 / (n + 1));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => (weight / sum) * (views / DAY_SECONDS));
}

/** How often in a day a page becomes stale, and how many views find it so, by how long a new version is not seen. */
function staleness(site, unseenSeconds) {
  let [events, views] = [0, 0];
  for (const rate of rates(site)) {
    const times = DAY_SECONDS / (site.lifetime + unseenSeconds + 1 / rate);
    events += times;
    views += times * (1 + rate * unseenSeconds);
  }
  return { events, views };
}

function unseenInKv({ places }) {
  return RENDER_SECONDS + KV_LAG_SECONDS * (1 - 1 / places);
}

/** The share of views that find a stale page where KV alone says what the newest is. */
export function staleShare(site) {
  return staleness(site, unseenInKv(site)).views / site.views;
}

/** A site whose pages live for as long as it takes to have five of a hundred such views be of stale pages. */
function fivePercentStale(site) {
  let [short, long] = [1, DAY_SECONDS];
  while (long - short > 1) {
    const lifetime = Math.round((short + long) / 2);
    if (staleShare({ ...site, lifetime }) > 0.05) short = lifetime;
    else long = lifetime;
  }
  return { ...site, lifetime: long };
}

/** @typedef {Awaited<ReturnType<typeof import("./operations.mjs").countOperations>>} Counted */

/** What Onegen has the stores do in a day; `warm` is the share of views whose isolate has the page in memory. @param {Counted} counted */
export function withOnegen(site, warm, counted) {
  const { events, views } = staleness(site, RENDER_SECONDS);
  const fresh = site.views - views;
  // An isolate asks the ledger once per window.
  const asks = 1 / (1 + (site.views / DAY_SECONDS / site.places) * WINDOW_SECONDS);
  const operations = sumOf(
    [events, counted.stale],
    [views - events, counted.waiting],
    [fresh * warm * asks, counted.hit],
    [fresh * warm * (1 - asks), counted.again],
    [fresh * (1 - warm), counted.cold],
  );
  return atWork(operations, events * PUT_SECONDS);
}

/** What OpenNext's KV cache, queue object and sharded tags do. @param {Counted} counted */
export function withOpenNextKv(site, warm, counted) {
  const { events, views } = staleness(site, unseenInKv(site));
  const fresh = site.views - views;
  // An isolate that has not seen a page takes it for stale (docs/faults.md, H1): that is a regeneration, as counted.
  const regenerated = counted.cold.kvWrites > 0 ? counted.stale : counted.cold;
  const operations = sumOf(
    [events, counted.stale],
    [views - events, counted.waiting],
    [fresh * warm, counted.again],
    [fresh * (1 - warm), regenerated],
  );
  return atWork(operations, operations.kvWrites * RENDER_SECONDS);
}

/** OpenNext's documented setup for small sites, R2 and D1 with the interceptor, by what its source does (1.20.13): four tags a page. */
export function withOpenNextSmall(site) {
  const { events, views } = staleness(site, RENDER_SECONDS);
  const hit = { r2Reads: 1, d1RowsRead: 4 };
  const regeneration = { r2Reads: 1, r2Writes: 1, d1RowsRead: 4, objectRequests: 1, rowsWritten: 2 };
  return atWork(sumOf([site.views, hit], [events, regeneration], [views - events, { objectRequests: 1 }]), events * RENDER_SECONDS);
}

/**
 * Its setup for large sites: a regional cache before R2, which costs nothing. Next.js 16 has it read R2 again behind every hit, as
 * is the code's default; the documentation's setting does not, and then soft invalidations are not seen (docs/faults.md, H16).
 */
export function withOpenNextLarge(site, _warm, _counted, { lazily = true } = {}) {
  const { events } = staleness(site, RENDER_SECONDS);
  const regeneration = { r2Reads: 2, r2Writes: 1, objectRequests: 5, rowsWritten: 2 };
  return atWork(sumOf([site.views, { r2Reads: lazily ? 1 : 0 }], [events, regeneration]), events * RENDER_SECONDS);
}

function atWork(operations, waitedSeconds) {
  return sumOf([1, operations], [1, { objectSeconds: (operations.objectRequests ?? 0) * CALL_SECONDS + waitedSeconds }]);
}

/** Dollars for a million views. */
export const forAMillionViews = (site, operations) => priceOf(operations) / site.views;

/** How many times as much OpenNext's KV setup costs: the figure of `bench_bill_ratio` is its reciprocal. */
export function billRatio(onegen, opennext, { site = SITES.shop, warm = 0.9 } = {}) {
  return priceOf(withOnegen(site, warm, onegen)) / priceOf(withOpenNextKv(site, warm, opennext));
}
