// From Next.js's keys to paths.

/**
 * The path behind a response's key: `/route-cache/<kind>/<digest>/$<path>`, or before next 15.5.27 and 16.3.8 the path itself; either
 * way with `/index` for `/` (next, `server/lib/route-cache-key.js`).
 */
export function pathOf(key) {
  const path = key.startsWith("/route-cache/") ? key.slice(key.indexOf("/$/") + 2) : key;
  return path.replace(/(?:\/index)?\/?$/, "") || "/";
}
