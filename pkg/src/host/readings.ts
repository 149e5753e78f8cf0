// Who was served what, where Next.js reads an entry once for all requests that ask at the same time: only the first one's context
// knows of it, and that one may be a prefetch.
import { pageOf, pathOf } from "../next-format/paths.js";
import type { RequestContext } from "./context.js";
import type { Served } from "./reading.js";

/** Pages whose last reading is remembered. */
const HELD = 1024;
/** Why there is none for who passes misses on: the engine's word. */
const PASSED_ON = "pass";

export class Readings {
  readonly #served = new Map<string, Served>();

  /** @param key Next.js's @param served what was read for it */
  remember(key: string, served: Served): void {
    // Who renders behind it has more to tell.
    if (served.miss?.reason === PASSED_ON) return;
    const path = pathOf(key);
    this.#served.delete(path);
    this.#served.set(path, served);
    for (const [oldest] of this.#served) {
      if (this.#served.size <= HELD) break;
      this.#served.delete(oldest);
    }
  }

  /**
   * What a response is made of: what its own request read for the page that was asked for, else what another did whose reading it
   * joined. Then what it read itself, if anything, stands in for the page, as a 404's page does, or was asked for by another path.
   *
   * @param context the request's
   * @param pathname the request's
   * @param nextCache the response's `x-nextjs-cache`, which tells whether an entry was served
   */
  servedTo(
    { served, servedKey }: Pick<RequestContext, "served" | "servedKey">,
    pathname: string,
    nextCache: string | null | undefined,
  ): Served | undefined {
    const page = pageOf(pathname);
    const paths = [page, decoded(page)];
    const isOwn = served && servedKey !== undefined && served.miss?.reason !== PASSED_ON && paths.includes(pathOf(servedKey));
    return isOwn ? served : (this.#joined(paths, nextCache) ?? served);
  }

  #joined(paths: string[], nextCache: string | null | undefined): Served | undefined {
    const [served] = paths.map((path) => this.#served.get(path)).filter((found) => found !== undefined);
    if (/^(HIT|STALE)$/.test(nextCache ?? "")) return served?.entry && served;
    if (/^(MISS|REVALIDATED)$/.test(nextCache ?? "")) return served?.miss && { ...served, collapsed: true };
    return undefined;
  }
}

function decoded(pathname: string): string {
  try {
    return decodeURI(pathname);
  } catch {
    return pathname;
  }
}
