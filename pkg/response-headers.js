// What a response says of the cache: `Cache-Status` (RFC 9211), and a `Cache-Control` that is never longer than what is left.

/**
 * @param {import("./engine/engine.js").Engine} engine
 * @param {{ entry?: object, miss?: object, collapsed?: boolean }} served what the response is made of; `collapsed` where another
 *   request of this isolate rendered it
 * @param {{ status: number, cacheControl?: string | null }} given what the app says
 * @returns {Record<string, string>} headers to set
 */
export function headersOf(engine, { entry, miss, collapsed = false }, { status, cacheControl }) {
  if (miss) return { "cache-status": engine.call("cache_status_of_render", miss.renewed, collapsed, miss.reason) };
  const { revalidate, expire, stale } = entry;
  const age = Math.max(0, Date.now() - entry.created_at);
  const how = entry.collapsed ? "collapsed" : stale ? "stale" : "hit";
  const told = {
    "cache-status": engine.call("cache_status_of_entry", how, revalidate, expire, age, entry.generation, entry.source),
  };
  // Next.js's own for what it caches, and OpenNext's, tell `s-maxage`; any other is the page's, or is for one visitor. An error
  // without any is the host's.
  if (cacheControl ? !/s-maxage/.test(cacheControl) : status >= 500) return told;
  return { ...told, "cache-control": entry.brief ? "s-maxage=1" : engine.call("cache_control", revalidate, expire, age, stale) };
}
