/** Visitors of both hosts, and those who invalidate; everything that was asked and answered. */

import { generationOf, renderOf, sleep } from "../apps.mjs";
import { byPath, hard, soft, versionOf } from "../../e2e/two-hosts/invalidating.mjs";

const VISITORS = 14;

/** How many pages of each kind. */
const PAGES = { kept: 4, pathed: 3, brief: 3, tagged: 6 };
export const kept = Array.from({ length: PAGES.kept }, (_, n) => `/isr/kept-${n}`);
export const tagged = Array.from({ length: PAGES.tagged }, (_, n) => `page-${n}`);

/** Kinds of requests, and how many in a hundred are of each. */
const KINDS = [
  [22, ({ pick }) => ({ path: pick(kept) })],
  [8, ({ below }) => ({ path: `/isr/pathed-${below(PAGES.pathed)}` })],
  [18, ({ below }) => ({ path: `/brief/page-${below(PAGES.brief)}` })],
  [24, ({ pick }) => ({ path: `/tagged/${pick(tagged)}` })],
  [6, ({ pick }) => ({ path: pick(kept), init: { headers: { rsc: "1" } } })],
  [5, ({ below }) => ({ path: `/brief/page-${below(PAGES.brief)}`, init: { headers: { rsc: "1", "next-router-prefetch": "1" } } })],
  [4, ({ pick }) => ({ path: `/tagged/${pick(tagged)}`, init: { method: "HEAD" } })],
  [4, ({ pick, below }) => ({ path: pick(kept), abortMs: below(40) })],
  [5, ({ pick }) => ({ invalidates: hard, slug: pick(tagged) })],
  [2, ({ pick }) => ({ invalidates: soft, slug: pick(tagged) })],
  [2, ({ below }) => ({ invalidates: byPath, path: `/isr/pathed-${below(PAGES.pathed)}` })],
];

/**
 * @typedef {object} Asked One request.
 * @property {import("./places.mjs").Place} place
 * @property {number} life of the place when it was asked; its answer is of the same if that is so still
 * @property {number} lifeAfter
 * @property {string} path
 * @property {number} status 0 without an answer
 * @property {number} startedAt
 * @property {number} endedAt
 * @property {boolean} [aborted]
 * @property {string} [render]
 * @property {string} [version]
 * @property {number} [generation]
 * @property {string} [told] `Cache-Status`
 * @property {{ slug: string, hard: boolean }} [invalidation]
 * @property {Asked} [follows] the invalidation that the same visitor was told of just before
 */

export class Traffic {
  /** @type {Asked[]} */
  asked = [];
  #places;
  #chance;

  constructor(places, chance) {
    this.#places = places;
    this.#chance = chance;
  }

  /** Visitors come and go until it is time. */
  async flow(isOver) {
    const visitor = async () => {
      while (!isOver()) {
        await this.#one();
        await sleep(this.#chance.below(120));
      }
    };
    await Promise.all(Array.from({ length: VISITORS }, visitor));
  }

  /** One visit, which is kept with the others. @returns {Promise<Asked & { text: string }>} */
  async visit(place, path, { init, abortMs } = {}) {
    const client = new AbortController();
    if (abortMs !== undefined) void sleep(abortMs).then(() => client.abort());
    return this.#keep(place, path, () => place.visit(path, { ...init, signal: client.signal }), { isAborted: () => client.signal.aborted });
  }

  /** Invalidates a tag at a place. */
  async invalidate(place, how, slug) {
    return this.#keep(place, `/tagged/${slug}`, () => how(place, `product:${slug}`), { invalidation: { slug, hard: how === hard } });
  }

  async #one() {
    const place = this.#chance.pick(this.#places.places.filter(({ isUp }) => isUp));
    if (place === undefined) return;
    let left = this.#chance.below(KINDS.reduce((sum, [share]) => sum + share, 0));
    const [, make] = KINDS.find(([share]) => (left -= share) < 0);
    const { path, init, abortMs, invalidates, slug } = make(this.#chance);
    if (!invalidates) return void (await this.visit(place, path, { init, abortMs }));
    if (slug === undefined) return void (await this.#keep(place, path, () => invalidates(place, path), {}));
    const follows = await this.invalidate(place, invalidates, slug);
    // Whoever invalidated looks at once.
    if (follows.status === 200) await this.#keep(place, `/tagged/${slug}`, () => place.visit(`/tagged/${slug}`), { follows });
  }

  async #keep(place, path, ask, { isAborted = () => false, ...more }) {
    const { life } = place;
    const visit = await ask();
    const { status, startedAt, endedAt, text } = visit;
    const one = { place, life, lifeAfter: place.life, path, status, startedAt, endedAt, aborted: isAborted(), ...more };
    if (status === 200 && !more.invalidation) Object.assign(one, { render: renderOf(visit), version: versionOf(visit), generation: generationOf(visit), told: visit.headers.get("cache-status") });
    if (status === 0) one.why = String(visit.error?.cause?.message ?? visit.error?.message);
    else if (status !== 200) one.why = text.slice(0, 120);
    if (status === 200 && /<main/.test(text) && !text.includes(`data-path="${path}"`)) one.why = "another page";
    this.asked.push(one);
    return { ...one, text };
  }
}
