// `cacheHandler` in next.config: processes of `next start` share the cache of an Onegen Worker.
import { giveOptions, isPrivate, nextItself, processCache } from "#process";
import type { OnegenOptions } from "./options.js";

export type { OnegenOptions } from "./options.js";

/** What Next.js calls. Keys, values and contexts are of the app's version of Next.js. */
export interface CacheHandler {
  // oxlint-disable-next-line typescript/no-explicit-any -- Next.js's own type differs from version to version.
  get(key: string, ctx: unknown): Promise<any>;
  set(key: string, value: unknown, ctx: unknown): Promise<void>;
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;
  resetRequestCache(): void;
}

/** What Next.js makes its handlers with. */
export interface HandlerContext {
  readonly dev?: boolean;
  readonly serverDistDir?: string;
  readonly _requestHeaders?: Record<string, string>;
}

/** Makes a class for Next.js's `cacheHandler` with options of its own: export it by default from a file, and name that file. */
export function cacheHandler(options: OnegenOptions = {}): new (ctx: HandlerContext) => CacheHandler {
  giveOptions(options);
  return handlerClass();
}

/** The class for Next.js's `cacheHandler`, configured by `ONEGEN_URL` and `ONEGEN_TOKEN`. */
const OnegenHandler: new (ctx: HandlerContext) => CacheHandler = handlerClass();
export default OnegenHandler;

function handlerClass(): new (ctx: HandlerContext) => CacheHandler {
  return class OnegenCacheHandler implements CacheHandler {
    readonly #cache: Omit<CacheHandler, "resetRequestCache"> | null | undefined;

    constructor(context: HandlerContext) {
      this.#cache =
        context.dev || isPrivate() ? nextItself(context) : processCache(context.serverDistDir)?.forRequest(context._requestHeaders);
    }

    async get(key: string, ctx: unknown): Promise<unknown> {
      return this.#cache ? this.#cache.get(key, ctx) : null;
    }

    async set(key: string, value: unknown, ctx: unknown): Promise<void> {
      await this.#cache?.set(key, value, ctx);
    }

    async revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void> {
      await this.#cache?.revalidateTag(tags, durations);
    }

    resetRequestCache(): void {}
  };
}
