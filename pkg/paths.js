// From Next.js's keys to paths, and to the names of its files.

const ROUTE_CACHE = "/route-cache/";

/**
 * How Next.js names a page in keys and files: a first part `index` stands for the root (next, `shared/lib/page-path/normalize-page-path.js`).
 *
 * @param {string} path
 */
export function nameOf(path) {
  if (path === "/") return "/index";
  return /^\/index(\/|$)/.test(path) ? `/index${path}` : path;
}

/** The path of a page so named. @param {string} name */
export function pathNamed(name) {
  return name === "/index" ? "/" : name.replace(/^\/index(?=\/index(\/|$))/, "");
}

/** The name in a response's key. @param {string} key */
export function nameIn(key) {
  return key.startsWith(ROUTE_CACHE) ? key.slice(key.indexOf("/$/") + 2) : key;
}

/**
 * The path behind a response's key: `/route-cache/<kind>/<digest>/$<path>`, or before next 15.5.27 and 16.3.8 the path itself; either
 * way with `/index` for `/` (next, `server/lib/route-cache-key.js`).
 */
export function pathOf(key) {
  return nameIn(key).replace(/(?:\/index)?\/?$/, "") || "/";
}

/**
 * The tags by which `revalidatePath` may name the page behind a key: of a path that addresses encode, Next.js 16 names the encoded one,
 * as the tags of pages of the App Router do; next 15.5 the one that it was given.
 *
 * @param {string} key
 */
export function pathTags(key) {
  const path = pathOf(key);
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return [...new Set([path, encodeURI(path), encoded])].map((one) => `_N_T_${one}`);
}

/** Whether a key is of a page of the Pages Router; older keys do not tell. */
export function isOfPagesRouter(key) {
  return key.startsWith("/route-cache/PAGES/");
}

/** Whether a key, read in the same request as that of a page, is of the shell of the page's route. */
export function isShellOf(key, page) {
  const routeOf = (any) => any.slice(0, any.indexOf("/$/"));
  return isOfPagesRouter(page) && key !== page && routeOf(key) === routeOf(page);
}

/** The path of the page whose data a path is (`/_next/data/<build>/<page>.json`), or the path itself. */
export function pageOf(pathname) {
  const [, page] = /\/_next\/data\/[^/]+(\/.+)\.json$/.exec(pathname) ?? [];
  return page === undefined ? pathname : pathOf(page);
}
