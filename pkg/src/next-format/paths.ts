// From Next.js's keys to paths, and to the names of its files.

const ROUTE_CACHE = "/route-cache/";

/**
 * How Next.js names a page in keys and files: a first part `index` stands for the root (next, `shared/lib/page-path/normalize-page-path.js`).
 */
export function nameOf(path: string): string {
  if (path === "/") return "/index";
  return /^\/index(\/|$)/.test(path) ? `/index${path}` : path;
}

/** The path of a page so named. */
export function pathNamed(name: string): string {
  return name === "/index" ? "/" : name.replace(/^\/index(?=\/index(\/|$))/, "");
}

/** The name in a response's key. */
export function nameIn(key: string): string {
  return key.startsWith(ROUTE_CACHE) ? key.slice(key.indexOf("/$/") + 2) : key;
}

/**
 * The path behind a response's key: `/route-cache/<kind>/<digest>/$<path>`, or before next 15.5.27 and 16.3.8 the path itself; either
 * way with `/index` for `/` (next, `server/lib/route-cache-key.js`).
 */
export function pathOf(key: string): string {
  return nameIn(key).replace(/(?:\/index)?\/?$/, "") || "/";
}

/**
 * The tags by which `revalidatePath` may name the page behind a key: of a path that addresses encode, Next.js 16 names the encoded one,
 * as the tags of pages of the App Router do; next 15.5 the one that it was given.
 */
export function pathTags(key: string): string[] {
  const path = pathOf(key);
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return [...new Set([path, encodeURI(path), encoded])].map((one) => `_N_T_${one}`);
}

/** Whether a key is of a page of the Pages Router; older keys do not tell. */
export function isOfPagesRouter(key: string): boolean {
  return key.startsWith("/route-cache/PAGES/");
}

/** Whether a key, read in the same request as that of a page, is of the shell of the page's route. */
export function isShellOf(key: string, page: string): boolean {
  const routeOf = (any: string) => any.slice(0, any.indexOf("/$/"));
  return isOfPagesRouter(page) && key !== page && routeOf(key) === routeOf(page);
}

/** The path of the page whose data a path is (`/_next/data/<build>/<page>.json`), or the path itself. */
export function pageOf(pathname: string): string {
  const [, page] = /\/_next\/data\/[^/]+(\/.+)\.json$/.exec(pathname) ?? [];
  return page === undefined ? pathname : pathOf(page);
}
