/** Requests of every kind to one process of `next start`, a few at a time over kept connections, from paths that are always the same. */

import { Agent } from "undici";
import { sleep } from "./apps.mjs";
import { sequence } from "./round-robin.mjs";

const AT_ONCE = 32;
const RSC = { rsc: "1" };
const PREFETCH = { rsc: "1", "next-router-prefetch": "1" };

/** Of how many pages of each kind the traffic consists: all have been visited long before its first fifth is over. */
const PAGES = { kept: 20, purged: 40, brief: 10, tagged: 20, missing: 20 };

/** Kinds of requests, and how many in a hundred are of each. `n` tells the page. */
const KINDS = [
  [30, "fresh", (n) => ({ path: n % 10 === 0 ? "/about" : `/kept-${n % PAGES.kept}` })],
  [12, "stale", (n) => ({ path: `/brief/page-${n % PAGES.brief}` })],
  [12, "never built, or purged", (n) => ({ path: `/purged-${n % PAGES.purged}` })],
  [8, "from the data cache", (n) => ({ path: `/tagged/page-${n % PAGES.tagged}` })],
  [7, "RSC", (n) => ({ path: `/kept-${n % PAGES.kept}`, headers: RSC })],
  [7, "prefetch", (n) => ({ path: `/brief/page-${n % PAGES.brief}`, headers: PREFETCH })],
  [6, "HEAD", (n) => ({ path: `/purged-${n % PAGES.purged}`, method: "HEAD" })],
  [6, "aborted", (n) => ({ path: `/${n % 2 ? "purged-" : "brief/page-"}${n % PAGES.brief}`, abortMs: n % 8 })],
  [4, "not found", (n) => ({ path: `/no/such/page-${n % PAGES.missing}`, expected: [404] })],
  [3, "purged by tag", (n) => ({ path: `/api/revalidate?tag=product:page-${n % PAGES.tagged}`, method: "POST" })],
  [3, "purged by path", (n) => ({ path: `/api/revalidate?path=/purged-${n % PAGES.purged}`, method: "POST" })],
  // A regeneration of which others could not be told is an error, for whoever asked for it.
  [2, "on demand", (n, previewId) => ({ path: `/kept-${n % PAGES.kept}`, headers: { "x-prerender-revalidate": previewId }, expected: [200, 500] })],
];

/** Whether a page, as HTML or RSC, is that of its path. */
const tellsPath = ({ text }, path) => text.includes(`data-path="${path}"`) || text.includes(`"data-path":"${path}"`);

export class MixedTraffic {
  /** Kind of request → how many. */
  sent = {};
  /** What was answered as it must not be. */
  wrong = [];
  #agent;
  #urlOf;
  #previewId;
  #random = sequence(20270214);

  /** @param {{ urlOf: () => string, previewId: string, patienceMs?: number }} target `previewId` is what the app's `res.revalidate` sends */
  constructor({ urlOf, previewId, patienceMs = 60_000 }) {
    this.#agent = new Agent({ connections: AT_ONCE, pipelining: 1, headersTimeout: patienceMs, bodyTimeout: patienceMs });
    this.#urlOf = urlOf;
    this.#previewId = previewId;
  }

  /** Sends `count` requests; before each, `each` is called with its number. */
  async send(count, each = () => {}) {
    let next = 0;
    const visitor = async () => {
      while (next < count) {
        each((next += 1));
        await this.#one();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  }

  async #one() {
    const [kind, request] = this.#choose();
    this.sent[kind] = (this.sent[kind] ?? 0) + 1;
    const { path, method = "GET", headers = {}, expected = [200], abortMs } = request;
    const client = new AbortController();
    if (abortMs !== undefined) void sleep(abortMs).then(() => client.abort());
    try {
      const ask = async (where) => {
        const answer = await this.#agent.request({ origin: this.#urlOf(), path: where, method, headers, signal: client.signal });
        return { ...answer, text: await answer.body.text() };
      };
      let answer = await ask(path);
      // To where its kind of RSC is kept apart.
      if (headers.rsc && answer.statusCode === 307) answer = await ask(answer.headers.location);
      if (!expected.includes(answer.statusCode)) this.wrong.push(`${kind} ${path}: ${answer.statusCode}`);
      else if (answer.statusCode === 200 && method === "GET" && !tellsPath(answer, path)) this.wrong.push(`${kind} ${path}: another page`);
    } catch (error) {
      if (!client.signal.aborted) this.wrong.push(`${kind} ${path}: ${error.message}`);
    }
  }

  #choose() {
    let left = this.#random() * KINDS.reduce((sum, [share]) => sum + share, 0);
    const [, kind, make] = KINDS.find(([share]) => (left -= share) < 0);
    return [kind, make(Math.floor(this.#random() * 1000), this.#previewId)];
  }

  async stop() {
    await this.#agent.destroy();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}
