// The object that Next.js calls for `use cache`: the contracts of 15.5 and of 16 in one. The work is done by the cache that the
// process or the isolate has; without one nothing is kept.

/**
 * @param {() => object | null | undefined} find the cache: a `UseCache`, a `LocalUseCache`, or none
 */
export function handlerOver(find) {
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
async function discarded(pendingEntry) {
  try {
    await (await pendingEntry).value.cancel();
  } catch {
    // It was nothing to keep.
  }
}
