// `use cache` in `next dev` and `next build`: what is being edited, and a build that may never be deployed, stay in their process.
import type { Invalidation } from "../engine/protocol.js";
import { type Durations, profileOf } from "../next-format/invalidation.js";
import { type CacheEntry, type CacheEntryHead, bytesOf, clock, isKept, streamOf } from "../next-format/use-cache-values.js";
import type { UseCacheStore } from "./handler.js";

const MOST_BYTES = 50 * 1024 * 1024;

interface Held {
  readonly entry: CacheEntryHead;
  readonly bytes: Uint8Array;
}

/** When a tag was last invalidated: for good, and so that entries may be served until `ends`. */
interface Stamp {
  readonly hard: number | undefined;
  readonly soft?: number;
  readonly ends?: number;
}

export class LocalUseCache implements UseCacheStore {
  /** Key → entry and bytes, the one not used for longest first. */
  readonly #entries = new Map<string, Held>();
  #bytes = 0;
  readonly #pending = new Map<string, Promise<void>>();
  readonly #tags = new Map<string, Stamp>();

  async get(cacheKey: string, softTags: string[] = []): Promise<CacheEntry | undefined> {
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

  async set(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void> {
    const stored = this.#store(cacheKey, pendingEntry);
    this.#pending.set(cacheKey, stored);
    await stored;
    if (this.#pending.get(cacheKey) === stored) this.#pending.delete(cacheKey);
  }

  async #store(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void> {
    try {
      const { value, ...entry } = await pendingEntry;
      if (!isKept(entry)) return await value.cancel();
      this.#keep(cacheKey, { entry, bytes: await bytesOf(value) });
    } catch {
      // The app hears of it from Next.js.
    }
  }

  #keep(cacheKey: string, held: Held): void {
    this.#forget(cacheKey);
    this.#entries.set(cacheKey, held);
    this.#bytes += held.bytes.byteLength;
    for (const [oldest] of this.#entries) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest);
    }
  }

  #forget(cacheKey: string): void {
    this.#bytes -= this.#entries.get(cacheKey)?.bytes.byteLength ?? 0;
    this.#entries.delete(cacheKey);
  }

  async refreshTags(): Promise<void> {}

  /** All tags are checked in `get`. */
  async getExpiration(): Promise<number> {
    return Infinity;
  }

  async updateTags(tags: string[], durations?: Durations): Promise<void> {
    const profile = profileOf(durations);
    const now = clock();
    for (const tag of tags) {
      const hard = profile ? this.#tags.get(tag)?.hard : now;
      this.#tags.set(tag, { hard, ...(profile && { soft: now, ends: now + (profile.expire_ms ?? Infinity) }) });
    }
  }

  #invalidation(tags: string[], timestamp: number): Invalidation {
    const stamps = tags.map((tag) => this.#tags.get(tag)).filter((stamp) => stamp !== undefined);
    const since = (time: number | undefined) => time !== undefined && time >= timestamp;
    const isHard = ({ hard, soft, ends = Infinity }: Stamp) => since(hard) || (since(soft) && clock() >= ends);
    if (stamps.some(isHard)) return "hard";
    return stamps.some(({ soft }) => since(soft)) ? "soft" : "none";
  }
}
