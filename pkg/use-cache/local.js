// `use cache` in `next dev` and `next build`: what is being edited, and a build that may never be deployed, stay in their process.
import { profileOf } from "../invalidation.js";
import { bytesOf, clock, isKept, streamOf } from "./values.js";

const MOST_BYTES = 50 * 1024 * 1024;

export class LocalUseCache {
  /** Key → entry and bytes, the one not used for longest first. */
  #entries = new Map();
  #bytes = 0;
  #pending = new Map();
  /** Tag → when it was last invalidated: for good, and so that entries may be served until `ends`. */
  #tags = new Map();

  async get(cacheKey, softTags = []) {
    await this.#pending.get(cacheKey);
    const held = this.#entries.get(cacheKey);
    if (held === undefined) return undefined;
    const { entry, bytes } = held;
    const invalidation = this.#invalidation([...entry.tags, ...softTags], entry.timestamp);
    if (invalidation === "hard" || clock() > entry.timestamp + entry.expire * 1000) return undefined;
    this.#entries.delete(cacheKey);
    this.#entries.set(cacheKey, held);
    return { ...entry, revalidate: invalidation === "soft" ? -1 : entry.revalidate, value: streamOf(bytes) };
  }

  async set(cacheKey, pendingEntry) {
    const stored = this.#store(cacheKey, pendingEntry);
    this.#pending.set(cacheKey, stored);
    await stored;
    if (this.#pending.get(cacheKey) === stored) this.#pending.delete(cacheKey);
  }

  async #store(cacheKey, pendingEntry) {
    try {
      const { value, ...entry } = await pendingEntry;
      if (!isKept(entry)) return await value.cancel();
      this.#keep(cacheKey, { entry, bytes: await bytesOf(value) });
    } catch {
      // The app hears of it from Next.js.
    }
  }

  #keep(cacheKey, held) {
    this.#forget(cacheKey);
    this.#entries.set(cacheKey, held);
    this.#bytes += held.bytes.byteLength;
    for (const [oldest] of this.#entries) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest);
    }
  }

  #forget(cacheKey) {
    this.#bytes -= this.#entries.get(cacheKey)?.bytes.byteLength ?? 0;
    this.#entries.delete(cacheKey);
  }

  async refreshTags() {}

  /** All tags are checked in `get`. */
  async getExpiration() {
    return Infinity;
  }

  async updateTags(tags, durations) {
    const profile = profileOf(durations);
    const now = clock();
    for (const tag of tags) {
      const hard = profile ? this.#tags.get(tag)?.hard : now;
      this.#tags.set(tag, { hard, ...(profile && { soft: now, ends: now + (profile.expire_ms ?? Infinity) }) });
    }
  }

  #invalidation(tags, timestamp) {
    const stamps = tags.map((tag) => this.#tags.get(tag)).filter((stamp) => stamp !== undefined);
    const isHard = ({ hard, soft, ends }) => hard >= timestamp || (soft >= timestamp && clock() >= ends);
    if (stamps.some(isHard)) return "hard";
    return stamps.some(({ soft }) => soft >= timestamp) ? "soft" : "none";
  }
}
