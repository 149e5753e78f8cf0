// The object that Next.js calls for `use cache`: the contracts of 15.5 and of 16 in one. The work is done by the cache that the
// process or the isolate has; without one nothing is kept.

import type { Durations } from "../next-format/invalidation.js";
import type { CacheEntry } from "../next-format/use-cache-values.js";

/** What keeps values of `use cache`. */
export interface UseCacheStore {
  get(cacheKey: string, softTags?: string[]): Promise<CacheEntry | undefined>;
  set(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(tags: string[]): Promise<number>;
  updateTags(tags: string[], durations?: Durations): Promise<void>;
}

/** What Next.js calls: of every version. */
export interface UseCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<CacheEntry | undefined>;
  set(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(...tags: (string | string[])[]): Promise<number>;
  updateTags(tags: string | string[], durations?: Durations): Promise<void>;
  expireTags(...tags: (string | string[])[]): Promise<void>;
}

/** @param find the cache, if there is one */
export function handlerOver(find: () => UseCacheStore | null | undefined): UseCacheHandler {
  return {
    async get(cacheKey, softTags) {
      return find()?.get(cacheKey, softTags);
    },

    async set(cacheKey, pendingEntry) {
      const cache = find();
      if (cache) await cache.set(cacheKey, pendingEntry);
      else await discarded(pendingEntry);
    },

    async refreshTags() {
      await find()?.refreshTags();
    },

    /** 15.5 gives the tags one by one, 16 a list. */
    async getExpiration(...tags) {
      return (await find()?.getExpiration(tags.flat())) ?? 0;
    },

    async updateTags(tags, durations) {
      await find()?.updateTags([tags].flat(), durations);
    },

    /** What 15.5 calls `updateTags`. */
    async expireTags(...tags) {
      await find()?.updateTags(tags.flat());
    },
  };
}

/** An entry that nobody keeps is not left half read. */
async function discarded(pendingEntry: Promise<CacheEntry>): Promise<void> {
  try {
    await (await pendingEntry).value.cancel();
  } catch {
    // It was nothing to keep.
  }
}
