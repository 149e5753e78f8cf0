// `use cache` on OpenNext: the entry Worker puts this in the place of OpenNext's own handler, which knows text only and drops the second
// of two invalidations (opennextjs/aws, `adapters/composable-cache.js`).
import { type UseCacheHandler, type UseCacheStore, handlerOver } from "./handler.js";

const HOST = Symbol.for("onegen.opennext");
/** Where Next.js looks for its handlers: by kind, and all of them (next 16.4, `server/use-cache/handlers.js`). */
const BY_KIND = Symbol.for("@next/cache-handlers-map");
const ALL = Symbol.for("@next/cache-handlers-set");

const shared = globalThis as { [HOST]?: { useCache?: UseCacheStore | undefined } | null };

const handler: UseCacheHandler = handlerOver(() => shared[HOST]?.useCache);

export default handler;

/** Has Next.js use this handler, whatever OpenNext's server sets up when it is loaded. */
export function installHandler(): void {
  const byKind = new Map(["default", "remote"].map((kind) => [kind, handler]));
  const all = new Set(byKind.values());
  byKind.set = () => byKind;
  all.add = () => all;
  for (const [name, value] of [
    [BY_KIND, byKind],
    [ALL, all],
  ] as const) {
    Object.defineProperty(globalThis, name, { configurable: true, get: () => value, set() {} });
  }
}
