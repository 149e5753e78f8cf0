// Who was served what, where Next.js reads an entry once for all requests that ask at the same time: only the first one's context
// knows of it, and that one may be a prefetch.
import { pathOf } from "./paths.js";

/** Pages whose last reading is remembered. */
const HELD = 1024;

export class Readings {
  #served = new Map();

  /** @param {string} key Next.js's @param {object} served what was read for it */
  remember(key, served) {
    const path = pathOf(key);
    this.#served.delete(path);
    this.#served.set(path, served);
    if (this.#served.size > HELD) this.#served.delete(this.#served.keys().next().value);
  }

  /**
   * What a request that joined another's reading was served, if anything.
   * @param {string} pathname the request's
   * @param {string | null | undefined} nextCache the response's `x-nextjs-cache`, which tells whether an entry was served
   */
  joined(pathname, nextCache) {
    const served = this.#served.get(pathname) ?? this.#served.get(decoded(pathname));
    if (/^(HIT|STALE)$/.test(nextCache ?? "")) return served?.entry && served;
    if (/^(MISS|REVALIDATED)$/.test(nextCache ?? "")) return served?.miss && { ...served, collapsed: true };
    return undefined;
  }
}

function decoded(pathname) {
  try {
    return decodeURI(pathname);
  } catch {
    return pathname;
  }
}
