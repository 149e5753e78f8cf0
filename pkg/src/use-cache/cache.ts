// Next.js's calls for `use cache`: between them and the engine's.
import { within } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import type { Lease, Position } from "../engine/protocol.js";
import { BEFORE_EVERYTHING, type Generation, RequestContext } from "../host/context.js";
import type { Host } from "../host/host.js";
import type { EntryRead } from "../host/reading.js";
import { type Durations, Unrecorded, profileOf } from "../next-format/invalidation.js";
import type { StoredValue } from "../next-format/stored-value.js";
import {
  type CacheEntry,
  type CacheEntryHead,
  bytesOf,
  clock,
  fromStored,
  isKept,
  streamOf,
  toStored,
} from "../next-format/use-cache-values.js";
import type { UseCacheStore } from "./handler.js";

/** What others make anew is called fresh for so much longer than it is old, in seconds: Next.js may pass that on to a page. */
const LONGER = 5;
/** Values made outside of any request that are kept track of. */
const ORPHANS_HELD = 1024;
/** A lease that is older gives way to the next one: it has ended, unless `maxLeaseMs` says otherwise. */
const LEASE_LIMIT_MS = 60_000;
const NO_CTX = { waitUntil() {} };

/** The host, and what it has to know of its process or isolate. */
export interface UseCacheParts {
  readonly host: Host;
  /** The context of the request in progress. */
  readonly currentContext: () => RequestContext | undefined;
  /** Whether what is read now becomes part of something that is stored, if that is known. */
  readonly isNested?: (() => boolean | undefined) | undefined;
  /** Whether one request may wait for a promise of another's. */
  readonly sharesPromises: boolean;
  /** Longest that a request waits for what others make. */
  readonly waitMs?: number | undefined;
  /** What whoever invalidates is told that does not answer. */
  readonly ledger: string;
}

export class UseCache implements UseCacheStore {
  readonly #host: Host;
  readonly #currentContext: UseCacheParts["currentContext"];
  readonly #isNested: () => boolean | undefined;
  readonly #waitMs: number;
  readonly #ledger: string;
  /** Entry key → the end of its `set`, where that may be awaited by another request; else each request has its own. */
  readonly #pending: Map<string, Promise<void>> | undefined;
  /** What is being made outside of any request. */
  readonly #orphans = new Map<string, Generation>();
  #reachesLedger = true;
  /** Whether anything was ever asked for. */
  isUsed = false;

  constructor({ host, currentContext, isNested = () => undefined, sharesPromises, waitMs = 20_000, ledger }: UseCacheParts) {
    this.#host = host;
    this.#currentContext = currentContext;
    this.#isNested = isNested;
    this.#waitMs = waitMs;
    this.#ledger = ledger;
    this.#pending = sharesPromises ? new Map() : undefined;
  }

  /** `CacheHandler.get`. An error in it would be the page's (next, `server/use-cache/use-cache-wrapper.js`): it is a miss instead. */
  async get(cacheKey: string, softTags: string[] = []): Promise<CacheEntry | undefined> {
    try {
      return await this.#get(this.#context(), named(cacheKey), softTags);
    } catch (error) {
      this.#host.warnOnce("use-cache get", `reading a "use cache" value failed, so it is made anew: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #get(context: RequestContext, key: string, softTags: string[]): Promise<CacheEntry | undefined> {
    this.isUsed = true;
    const entryKey = this.#entryKey(key);
    await this.#pendingSet(context, entryKey);
    // Whoever makes it does not wait for itself.
    if (context.leases.has(entryKey)) return undefined;
    const asked = { tags: softTags, nested: this.#isNested() };
    const { entry, body, miss } = await this.#host.read(context, { kind: "use_cache", key, caller: "regenerator", ...asked });
    if (miss) {
      this.#begin(context, entryKey, miss.lease, { atOnce: true, position: miss.ledger });
      return undefined;
    }
    if (entry.regenerate) this.#begin(context, entryKey, entry.lease, { atOnce: false, position: entry.ledger });
    const found = fromStored(entry, body);
    return found && { ...verdict(found.entry, entry), value: streamOf(found.bytes) };
  }

  /** `CacheHandler.set`. The stream ends in here, and nothing of it or of its request is kept. */
  async set(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void> {
    const context = this.#context();
    const key = named(cacheKey);
    const entryKey = this.#entryKey(key);
    const begun = this.#take(context, entryKey);
    const stored = this.#store(context, key, entryKey, begun, pendingEntry);
    // While something is made anew there is something to serve.
    if (begun?.atOnce === false) return stored;
    const pending = this.#pendingOf(context);
    pending.set(entryKey, stored);
    try {
      await stored;
    } finally {
      if (pending.get(entryKey) === stored) pending.delete(entryKey);
    }
  }

  async #store(
    context: RequestContext,
    key: string,
    entryKey: string,
    begun: Generation | undefined,
    pendingEntry: Promise<CacheEntry>,
  ): Promise<void> {
    const { lease, since, position, lowered } = begun ?? {};
    let stored: StoredValue;
    let createdAt: number;
    try {
      const entry = await pendingEntry;
      // What was made though nothing was missing, because nobody could tell whether that is valid, is no better: what is there stays.
      const isDoubtful = begun === undefined && !this.#reachesLedger;
      const bytes = isKept(entry) && !isDoubtful ? await bytesOf(entry.value) : await discard(entry.value);
      if (isDoubtful) return;
      stored = toStored(entry, bytes);
      createdAt = Math.floor(entry.timestamp);
    } catch {
      // The app hears of it from Next.js.
      if (lease) await this.#host.release(context, { entryKey, lease, reason: "failed" });
      return;
    }
    try {
      context.position ??= position;
      if (lowered) context.lower(lowered);
      await this.#host.store(context, { kind: "use_cache", key, lease, startedAt: since ?? context.startedAt, createdAt, value: stored });
    } catch (error) {
      this.#host.warnOnce("use-cache set", `a "use cache" value could not be stored: ${messageOf(error)}`);
    }
  }

  /** `CacheHandler.refreshTags`: once per request, before its first `get`. */
  async refreshTags(): Promise<void> {
    await this.#observe(this.#context());
  }

  /**
   * `CacheHandler.getExpiration`. Next.js compares the answer with an entry's time, by a clock that may be another machine's: here
   * `get` has checked all tags, by the order of the ledger. Without the ledger no entry is known to be valid.
   */
  async getExpiration(tags: string[]): Promise<number> {
    const context = this.#context();
    if (!(await this.#observe(context))) return clock();
    const position = context.position ?? BEFORE_EVERYTHING;
    return (await this.#host.invalidated(context, { tags, position })) === "none" ? 0 : Infinity;
  }

  /** Brings the copy of the ledger within its window; whether the ledger answers. */
  async #observe(context: RequestContext): Promise<boolean> {
    try {
      const { reason } = await this.#host.observe(context);
      this.#reachesLedger = reason === "observed" || reason === "within-window";
    } catch {
      this.#reachesLedger = false;
    }
    return this.#reachesLedger;
  }

  /** `CacheHandler.updateTags`. Rejects, so that whoever invalidates hears of it, when it could not be recorded. */
  async updateTags(tags: string[], durations?: Durations): Promise<void> {
    if (!(await this.#host.invalidate(this.#context(), { tags, profile: profileOf(durations) }))) throw new Unrecorded(tags, this.#ledger);
  }

  /** Gives back what a request was to make and did not store. */
  async giveBack(context: RequestContext, failed: boolean): Promise<void> {
    for (const [entryKey, lease] of context.leases) {
      if (context.generations.get(entryKey)?.lease !== lease) continue;
      this.#take(context, entryKey);
      await this.#host.release(context, { entryKey, lease, reason: failed ? "failed" : "not_stored" });
    }
  }

  /** What is made anew is made after the response, perhaps: only what is made at once can be given back with it. */
  #begin(
    context: RequestContext,
    entryKey: string,
    lease: Lease | undefined,
    { atOnce, position }: { atOnce: boolean; position: Position | undefined },
  ): void {
    const since = Date.now();
    // Values made outside of any request are told apart by their keys alone: the older beginning is the safe one, whoever stores.
    const older = context.generations === this.#orphans ? context.generations.get(entryKey) : undefined;
    if (older !== undefined && older.since > since - LEASE_LIMIT_MS) return;
    context.generations.delete(entryKey);
    const lowered = older && (older.lowered ?? older.position ?? BEFORE_EVERYTHING);
    context.generations.set(entryKey, { lease, since, atOnce, position, lowered });
    for (const [oldest] of context.generations) {
      if (context.generations.size <= ORPHANS_HELD) break;
      context.generations.delete(oldest);
    }
    if (lease && atOnce && context.generations !== this.#orphans) context.leases.set(entryKey, lease);
  }

  #take(context: RequestContext, entryKey: string): Generation | undefined {
    const begun = context.generations.get(entryKey);
    context.generations.delete(entryKey);
    context.leases.delete(entryKey);
    return begun;
  }

  /** Waits for a `set` of the same key, as long as the request may wait. How that ends is not said: what is there then is read. */
  async #pendingSet(context: RequestContext, entryKey: string): Promise<void> {
    const pending = this.#pendingOf(context).get(entryKey);
    if (pending === undefined) return;
    const begun = Date.now();
    await within(Math.max(0, this.#waitMs - context.waited), pending).catch(() => {});
    context.hasWaited(Date.now() - begun);
  }

  #pendingOf(context: RequestContext): Map<string, Promise<void>> {
    return this.#pending ?? context.pendingSets;
  }

  #context(): RequestContext {
    const current = this.#currentContext();
    if (current) return current;
    const context = new RequestContext(undefined, undefined, NO_CTX);
    context.generations = this.#orphans;
    return context;
  }

  #entryKey(key: string): string {
    return this.#host.engine.entryKey("use_cache", key);
  }
}

/** How an entry is described to Next.js, whose clock may have drifted from the engine's, so that it does what was decided. */
function verdict(entry: CacheEntryHead, { regenerate, reason }: EntryRead): CacheEntryHead {
  const age = (clock() - entry.timestamp) / 1000;
  if (!regenerate) return { ...entry, revalidate: age < entry.revalidate ? entry.revalidate : Math.ceil(age) + LONGER };
  // By a lifetime of -1 Next.js's own handler tells what a tag has made stale.
  return { ...entry, revalidate: reason === "stale-tag" || age <= entry.revalidate ? -1 : entry.revalidate };
}

/** Next.js makes keys of arguments: what is no Unicode text has to be told apart, too. */
function named(cacheKey: string): string {
  return cacheKey.isWellFormed() ? cacheKey : `\0${JSON.stringify(cacheKey)}`;
}

async function discard(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  await stream.cancel();
  return new Uint8Array();
}
