// `cacheHandler` in next.config: processes of `next start` share the cache of an Onegen Worker.
import { giveOptions, isPrivate, nextItself, processCache } from "#process";

/**
 * A class for `cacheHandler`.
 *
 * @param {object} [options] `app`, `memoryBytes`, `windowMs`, `waitMs`, `collapseData`: see docs/options.md
 */
export function cacheHandler(options = {}) {
  giveOptions(options);
  return handlerClass();
}

export default handlerClass();

function handlerClass() {
  return class OnegenCacheHandler {
    #cache;

    constructor(context) {
      this.#cache = context.dev || isPrivate() ? nextItself(context) : processCache(context.serverDistDir)?.forRequest(context._requestHeaders);
    }

    async get(key, ctx) {
      return this.#cache ? this.#cache.get(key, ctx) : null;
    }

    async set(key, value, ctx) {
      await this.#cache?.set(key, value, ctx);
    }

    async revalidateTag(tags, durations) {
      await this.#cache?.revalidateTag(tags, durations);
    }

    resetRequestCache() {}
  };
}
