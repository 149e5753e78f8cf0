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
/** How long the documented setup for large sites keeps in a region what it knows of tags. */
const REGIONAL_TAGS_SECONDS = 5;
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

/** The share of requests, so many per second, that come after a window which the last such one began. */
const askingShare = (rate, seconds) => 1 / (1 + rate * seconds);

/** The share of views whose page nobody has asked for in their place within a window. */
function askingShareOfPages(site, seconds) {
  const asking = rates(site).reduce((sum, rate) => sum + rate * askingShare(rate / site.places, seconds), 0);
  return asking / (site.views / DAY_SECONDS);
}

/** How many views in a day are the first of a version in their place; where it was rendered it is known. */
function firstViews(site) {
  return rates(site).reduce((sum, rate) => {
    const versions = DAY_SECONDS / (site.lifetime + RENDER_SECONDS + 1 / rate);
    return sum + versions * (site.places - 1) * (1 - Math.exp((-rate * site.lifetime) / site.places));
  }, 0);
}

/** @typedef {Awaited<ReturnType<typeof import("./operations.mjs").countOperations>>} Counted */

/** What Onegen has the stores do in a day; `warm` is the share of views whose isolate has the page in memory. @param {Counted} counted */
export function withOnegen(site, warm, counted) {
  const { events, views } = staleness(site, RENDER_SECONDS);
  const fresh = site.views - views;
  // An isolate asks the ledger once per window.
  const asks = askingShare(site.views / DAY_SECONDS / site.places, WINDOW_SECONDS);
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

/** What OpenNext's documented setup for small sites does: R2, D1 and the interceptor, asked for every view. @param {Counted} counted */
export function withOpenNextSmall(site, _warm, counted) {
  const { events, views } = staleness(site, RENDER_SECONDS);
  const operations = sumOf([events, counted.stale], [views - events, counted.waiting], [site.views - views, counted.again]);
  return atWork(operations, events * RENDER_SECONDS);
}

/**
 * Its setup for large sites: what a region knows costs nothing. A page's own tag is asked about again with the page, those of its
 * route and of the app with any page. @param {Counted} counted
 */
export function withOpenNextLarge(site, _warm, counted) {
  const { events, views } = staleness(site, RENDER_SECONDS);
  const fresh = site.views - views;
  const first = Math.min(fresh, firstViews(site));
  const [page, route] = [askingShareOfPages(site, REGIONAL_TAGS_SECONDS), askingShare(site.views / DAY_SECONDS / site.places, REGIONAL_TAGS_SECONDS)];
  const operations = sumOf(
    [events, counted.stale],
    [views - events, counted.waiting],
    [first, counted.cold],
    [(fresh - first) * route, counted.hit],
    [(fresh - first) * (page - route), counted.sibling],
    [(fresh - first) * (1 - page), counted.again],
  );
  return atWork(operations, events * RENDER_SECONDS);
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
