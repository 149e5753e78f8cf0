// `cacheHandlers` in next.config: processes of `next start` share what `use cache` keeps, as they share pages.
import { giveOptions, isPrivate, processCache } from "#process";
import { handlerOver } from "./handler.js";
import { LocalUseCache } from "./local.js";

/** Next.js may load this module more than once, in `next build` and `next dev`, too. */
const LOCAL = Symbol.for("onegen.use-cache.local");

function cache() {
  return isPrivate() ? (globalThis[LOCAL] ??= new LocalUseCache()) : processCache()?.useCache;
}

const handler = handlerOver(cache);

/**
 * The same with options, where `onegen/next` is not given any: export it by default from a file, and name that file.
 *
 * @param {object} options `app`, `memoryBytes`, `windowMs`, `waitMs`: see docs/options.md
 */
export function useCacheHandler(options) {
  giveOptions(options);
  return handler;
}

export default handler;
