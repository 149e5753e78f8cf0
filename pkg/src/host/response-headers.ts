// What a response says of the cache: `Cache-Status` (RFC 9211), and a `Cache-Control` that is never longer than what is left.
import type { Engine } from "../engine/engine.js";
import type { EntryRead, Served } from "./reading.js";

/** What the app says. */
export interface GivenHead {
  readonly status: number;
  readonly cacheControl?: string | null | undefined;
}

/**
 * Headers to set. An engine that breaks twice in a row has none to tell.
 *
 * @param served what the response is made of
 */
export function headersOf(engine: Engine, { entry, miss, collapsed = false }: Served, given: GivenHead): Record<string, string> {
  if (miss) return told({ "cache-status": engine.call("cache_status_of_render", miss.renewed, collapsed, miss.reason) });
  return entry === undefined ? {} : headersOfEntry(engine, entry, given);
}

function headersOfEntry(engine: Engine, entry: EntryRead, { status, cacheControl }: GivenHead): Record<string, string> {
  const { revalidate, expire, stale } = entry;
  const age = Math.max(0, Date.now() - entry.created_at);
  const how = entry.collapsed ? "collapsed" : stale ? "stale" : "hit";
  const cacheStatus = engine.call("cache_status_of_entry", how, revalidate, expire, age, entry.generation, entry.source);
  // Next.js's own for what it caches, and OpenNext's, tell `s-maxage`; any other is the page's, or is for one visitor. An error
  // without any is the host's.
  if (cacheControl ? !cacheControl.includes("s-maxage") : status >= 500) return told({ "cache-status": cacheStatus });
  const ours = entry.brief ? "s-maxage=1" : engine.call("cache_control", revalidate, expire, age, stale);
  return told({ "cache-status": cacheStatus, "cache-control": ours });
}

function told(headers: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter((header): header is [string, string] => header[1] !== undefined));
}
