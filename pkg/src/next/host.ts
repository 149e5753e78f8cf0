// Next.js's calls of a `cacheHandler`, in a process of `next start`: between them and the engine's.
import { atMost } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import type { Kind, Lease } from "../engine/protocol.js";
import { BEFORE_EVERYTHING, RequestContext, currentContext, runInContext } from "../host/context.js";
import type { Host } from "../host/host.js";
import type { EntryRead, Served } from "../host/reading.js";
import { Readings } from "../host/readings.js";
import { type Durations, Unrecorded, profileOf } from "../next-format/invalidation.js";
import { type CacheControl, type NextValue, fromStored, toStored } from "../next-format/next-values.js";
import { pathTags } from "../next-format/paths.js";

/** Leases in use; one whose render never ended is forgotten when so many newer ones are there. */
const LEASES_HELD = 4096;
/** Next.js does not answer a visitor before what it rendered for them is stored: it is told so after this long, and storing goes on. */
const STORED_MS = 2500;
const NO_CTX = { waitUntil() {} };
/**
 * After a miss Next.js would believe a build that found no such page, for ever (next, `server/lib/incremental-cache/index.js`). It renders
 * what is expired, before 16.3 after the response.
 */
const expiredNotFound = (): NextRead => ({ lastModified: -1, value: null });
/** Where the ledger is, for a process. */
export const LEDGER = "Onegen Worker";

/** What Next.js asks a `cacheHandler` with. */
export interface GetContext {
  readonly kind?: string;
  readonly isFallback?: boolean;
  readonly tags?: string[];
  readonly softTags?: string[];
  readonly revalidate?: number | false;
}

/** What Next.js stores with. */
export interface SetContext {
  readonly cacheControl?: CacheControl;
  readonly tags?: string[];
}

/** What a `cacheHandler` answers. */
export interface NextRead {
  readonly lastModified: number;
  readonly cacheControl?: CacheControl;
  readonly value: NextValue | null | undefined;
}

/** The cache as a `cacheHandler` of one request uses it. */
export interface RequestCache {
  get(key: string, ctx: GetContext): Promise<NextRead | null>;
  set(key: string, value: NextValue | null, ctx: SetContext): Promise<void>;
  revalidateTag(tags: string | string[], durations?: Durations): Promise<void>;
}

/** A lease in use. */
interface Held {
  readonly lease: Lease;
  readonly context: RequestContext;
  readonly since: number;
  /** The lifetime that Next.js was told of a page that is not there. */
  toldOfNone?: CacheControl;
}

/** The host, and what it has to know of Next.js and the build. */
export interface NextParts {
  readonly host: Host;
  /** Tells Next.js before 16.4 an entry's lifetime. */
  readonly shareLifetime: (key: string, cacheControl: CacheControl) => void;
  /** The app's `expireTime`, in seconds. */
  readonly expireTime?: number | undefined;
  /** Whether the build found that there is no such page. */
  readonly wasNotFound?: (key: string) => Promise<boolean>;
  /** Whether data is fetched by one for all. */
  readonly collapseData?: boolean | undefined;
}

export class NextHost implements RequestCache {
  readonly #host: Host;
  readonly #shareLifetime: NextParts["shareLifetime"];
  readonly #expireTime: number | undefined;
  readonly #wasNotFound: (key: string) => Promise<boolean>;
  readonly #collapseData: boolean;
  /** Entry key → the lease under which this process renders it, and since when. */
  readonly #leases = new Map<string, Held>();
  /** What identifies a value handed out when Next.js stores it again after a failed render. */
  readonly #handedOut = new WeakSet<object>();
  readonly #readings = new Readings();

  constructor({ host, shareLifetime, expireTime, wasNotFound = async () => false, collapseData = true }: NextParts) {
    this.#host = host;
    this.#shareLifetime = shareLifetime;
    this.#expireTime = expireTime;
    this.#wasNotFound = wasNotFound;
    this.#collapseData = collapseData;
  }

  /**
   * The cache for a handler that Next.js made for one request.
   *
   * @param context that request's
   */
  within(context: RequestContext): RequestCache {
    return {
      get: (key, ctx) => runInContext(context, () => this.get(key, ctx)),
      set: (key, value, ctx) => runInContext(context, () => this.set(key, value, ctx)),
      revalidateTag: (tags, durations) => runInContext(context, () => this.revalidateTag(tags, durations)),
    };
  }

  /**
   * `CacheHandler.get`. An error in it would be the visitor's (next, `server/response-cache/index.js`): it is a miss instead. Who
   * regenerates on demand is no visitor, and hears that others were not told.
   */
  async get(key: string, ctx: GetContext): Promise<NextRead | null> {
    try {
      return await (ctx.kind === "FETCH" ? this.#data(key, ctx) : this.#response(key, ctx));
    } catch (error) {
      if (error instanceof Unrecorded) throw error;
      const why = messageOf(error);
      this.#host.warnOnce(`get ${why}`, `reading ${key} failed, so it is rendered: ${why}`);
      return null;
    }
  }

  async #response(key: string, { kind, isFallback = false }: GetContext): Promise<NextRead | null> {
    const context = contextOrNone();
    if (context.onDemand) await this.#announce(context, key);
    const caller = isFallback ? "bystander" : "regenerator";
    const { entry, body, miss } = await this.#host.read(context, { kind: "response", key, caller, seeded: true });
    const lease = entry?.lease ?? miss?.lease;
    const isBelievedGone = miss !== undefined && (await this.#wasNotFound(key));
    if (lease) this.#take(context, this.#entryKey("response", key), lease, miss !== undefined && !isBelievedGone);
    if (lease && miss && kind === "PAGES") context.pagesLeases.add(lease);
    // What is read from now on becomes part of the page.
    context.nested ||= miss !== undefined || entry.regenerate;
    const served: Served = { entry, miss };
    context.serve(key, served, isFallback);
    this.#readings.remember(key, served);
    if (miss) return isBelievedGone ? expiredNotFound() : null;
    const value = fromStored(entry, body);
    if (value === undefined) return null;
    // An entry that only passes by may be made anew by whoever renders behind it.
    const regenerate = entry.regenerate || (isFallback && entry.stale);
    const { lastModified, cacheControl } = verdict(entry, regenerate);
    if (value !== null) this.#handedOut.add(value);
    else if (lease) this.#tellOfNone(this.#entryKey("response", key), cacheControl);
    this.#shareLifetime(key, cacheControl);
    return { lastModified, cacheControl, value };
  }

  /**
   * An on-demand regeneration is asked for outside of any lease: the page's own tags tell processes with the page in memory that
   * it was replaced, once (Next.js reads an entry once per request).
   */
  async #announce(context: RequestContext, key: string): Promise<void> {
    const tags = pathTags(key);
    if (!(await this.#host.invalidate(context, { tags }))) throw new Unrecorded(tags, LEDGER);
    // The render reads what is true after the invalidation.
    context.position = undefined;
  }

  /** Fetched data. Next.js compares its age with the lifetime that the caller asks for now: here that has been done, by the engine. */
  async #data(key: string, { tags = [], softTags = [], revalidate }: GetContext): Promise<NextRead | null> {
    const context = contextOrNone();
    const entryKey = this.#entryKey("data", key);
    // Whoever makes it does not wait for itself.
    if (context.leases.has(entryKey)) return null;
    const caller = this.#collapseData ? "regenerator" : "bystander";
    const asked = { tags: [...tags, ...softTags], revalidate: revalidate || undefined };
    const { entry, body, miss } = await this.#host.read(context, { kind: "data", key, caller, ...asked });
    const lease = entry?.lease ?? miss?.lease;
    if (lease) this.#take(context, entryKey, lease, miss !== undefined);
    if (miss) return null;
    const regenerate = entry.regenerate || (entry.stale && !this.#collapseData);
    // Not every version waits for what is regenerated before it goes on with a page that is stored.
    if (regenerate && entry.reason === "stale-tag" && context.nested) return null;
    return { lastModified: regenerate ? 1 : Date.now(), value: fromStored(entry, body) };
  }

  /** `CacheHandler.set`. */
  async set(key: string, value: NextValue | null, ctx: SetContext): Promise<void> {
    const context = contextOrNone();
    if (value?.kind === "FETCH") {
      const cacheControl = { revalidate: value.revalidate };
      const stored = toStored(value, { key, tags: ctx.tags ?? value.tags ?? [], cacheControl });
      const { lease, startedAt } = this.#leaseOf(context, this.#entryKey("data", key));
      await atMost(STORED_MS, this.#host.store(context, { kind: "data", key, lease, startedAt, value: stored }));
      return;
    }
    const entryKey = this.#entryKey("response", key);
    const { lease, startedAt, toldOfNone } = this.#leaseOf(context, entryKey);
    if (value === null ? isRetained(ctx.cacheControl, toldOfNone) : this.#handedOut.has(value)) {
      // A render failed, and Next.js stores again what it was given: the entry stays as it is, as old as it is.
      if (lease) await this.#host.release(context, { entryKey, lease, reason: "failed" });
      return;
    }
    const stored = toStored(value, { key, cacheControl: this.#completed(ctx.cacheControl) });
    await atMost(STORED_MS, this.#host.store(context, { kind: "response", key, lease, startedAt, value: stored }));
  }

  /** Before 16.3 Next.js adds the app's `expireTime` to what it tells visitors only (next 15.5 and 16.2, `build/templates/app-page.js`). */
  #completed({ revalidate, expire }: CacheControl = {}): CacheControl {
    return { revalidate, expire: expire ?? (Number(revalidate) > 0 ? this.#expireTime : undefined) };
  }

  /** `CacheHandler.revalidateTag`. Rejects, so that whoever invalidates hears of it, when it could not be recorded. */
  async revalidateTag(tags: string | string[], durations?: Durations): Promise<void> {
    const all = [tags].flat();
    if (!(await this.#host.invalidate(contextOrNone(), { tags: all, profile: profileOf(durations) }))) throw new Unrecorded(all, LEDGER);
  }

  /** What a response is made of: its request may have joined another's reading. */
  servedTo(context: RequestContext, response: { getHeader(name: string): unknown }): Served | undefined {
    const [pathname = ""] = (context.request?.url ?? "").split("?");
    const nextCache = response.getHeader("x-nextjs-cache");
    return this.#readings.servedTo(context, pathname, typeof nextCache === "string" ? nextCache : undefined);
  }

  /** Gives back what a request was to render and did not store. */
  async giveBack(context: RequestContext, failed: boolean): Promise<void> {
    for (const [entryKey, lease] of context.leases) {
      if (this.#leases.get(entryKey)?.lease !== lease) continue;
      this.#leases.delete(entryKey);
      await this.#host.release(context, { entryKey, lease, reason: context.reasonOf(lease, failed) });
    }
  }

  /** A page of the Pages Router is stored before it is sent, so what is sent without was its shell: nobody need wait for it. */
  async giveBackShell(context: RequestContext): Promise<void> {
    if (context.pagesLeases.size > 0) await this.giveBack(context, false);
  }

  /** A lease to regenerate is used after the response: only one to render at once can be given back with it. */
  #take(context: RequestContext, entryKey: string, lease: Lease, atOnce: boolean): void {
    this.#leases.delete(entryKey);
    this.#leases.set(entryKey, { lease, context, since: Date.now() });
    for (const [oldest] of this.#leases) {
      if (this.#leases.size <= LEASES_HELD) break;
      this.#leases.delete(oldest);
    }
    if (atOnce) context.leases.set(entryKey, lease);
  }

  #tellOfNone(entryKey: string, cacheControl: CacheControl): void {
    const held = this.#leases.get(entryKey);
    if (held) held.toldOfNone = cacheControl;
  }

  /**
   * The lease under which an entry is stored now, and since when it was rendered: from now on whoever stores it answers for it. A
   * request that was granted a lease may have joined the render of another (next, `server/response-cache/index.js`, `revalidateBatcher`):
   * what comes of that has read what was true when the other began.
   */
  #leaseOf(
    context: RequestContext,
    entryKey: string,
  ): { lease: Lease | undefined; toldOfNone: CacheControl | undefined; startedAt: number } {
    const held = this.#leases.get(entryKey);
    this.#leases.delete(entryKey);
    context.leases.delete(entryKey);
    const { lease, toldOfNone } = held ?? {};
    if (held?.context === context) return { lease, toldOfNone, startedAt: held.since };
    if (lease) context.lower(context.position ?? BEFORE_EVERYTHING);
    return { lease, toldOfNone, startedAt: context.startedAt };
  }

  #entryKey(kind: Kind, key: string): string {
    return this.#host.engine.entryKey(kind, key);
  }
}

/**
 * How an entry is described to Next.js so that it does what was decided, on every version (next,
 * `server/lib/incremental-cache/index.js`): it counts from `lastModified`, and never hears how old the entry is, so that what
 * it tells others is what is left.
 */
function verdict(
  { stale, revalidate, expire, created_at }: EntryRead,
  regenerate: boolean,
): { lastModified: number; cacheControl: CacheControl } {
  const now = Date.now();
  const age = Math.max(0, now - created_at) / 1000;
  /** Whole seconds that are left of a limit: Next.js takes none below one. */
  const left = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.max(1, Math.floor(seconds - age)));
  const usable = left(expire);
  if (regenerate) return { lastModified: now - 2000, cacheControl: { revalidate: 1, expire: usable && usable + 3 } };
  if (stale) return { lastModified: now, cacheControl: { revalidate: 1, expire: usable && Math.max(usable, 2) } };
  const fresh = Math.min(left(revalidate) ?? Infinity, usable ?? Infinity);
  return { lastModified: now, cacheControl: { revalidate: fresh === Infinity ? false : fresh, expire: usable } };
}

/**
 * Whether Next.js stores a 404 again because a render failed. There is no object to know it by, but the lifetime that Next.js then
 * makes of the one it was told (next, `server/response-cache/index.js`); no render ends with that one's odd `expire`.
 */
function isRetained({ revalidate, expire }: CacheControl = {}, told: CacheControl | undefined): boolean {
  if (told === undefined) return false;
  const [shortest, longest] = [3, 30];
  const again = Math.min(Math.max(Number(told.revalidate), shortest), longest);
  return revalidate === again && expire === (told.expire === undefined ? undefined : Math.max(again + 3, told.expire));
}

/** The context of the request in progress; outside of any, one that knows nothing. */
function contextOrNone(): RequestContext {
  return currentContext() ?? new RequestContext(undefined, undefined, NO_CTX);
}
