// `cacheHandlers` in next.config: processes of `next start` share what `use cache` keeps, as they share pages.
import { giveOptions, isPrivate, processCache } from "#process";
import type { OnegenOptions } from "../next/options.js";
import { type UseCacheHandler, type UseCacheStore, handlerOver } from "./handler.js";
import { LocalUseCache } from "./local.js";

/** Next.js may load this module more than once, in `next build` and `next dev`, too. */
const LOCAL = Symbol.for("onegen.use-cache.local");

const shared = globalThis as { [LOCAL]?: LocalUseCache };

function cache(): UseCacheStore | undefined {
  return isPrivate() ? (shared[LOCAL] ??= new LocalUseCache()) : processCache()?.useCache;
}

/** The handler for Next.js's `cacheHandlers`, kinds `default` and `remote`. */
const handler: UseCacheHandler = handlerOver(cache);

/**
 * On Node: the handler with options of its own, where `onegen/next` is not given any. Export it by default from a file, and name
 * that file in `cacheHandlers`.
 */
export function useCacheHandler(options: OnegenOptions): UseCacheHandler {
  giveOptions(options);
  return handler;
}

export default handler;
