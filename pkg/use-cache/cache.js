// Next.js's calls for `use cache`: between them and the engine's.
import { BEFORE_EVERYTHING, RequestContext } from "../context.js";
import { within } from "../host.js";
import { Unrecorded, profileOf } from "../invalidation.js";
import { bytesOf, clock, fromStored, isKept, streamOf, toStored } from "./values.js";

/** What others make anew is called fresh for so much longer than it is old, in seconds: Next.js may pass that on to a page. */
const LONGER = 5;
/** Values made outside of any request that are kept track of. */
const ORPHANS_HELD = 1024;
/** A lease that is older gives way to the next one: it has ended, unless `maxLeaseMs` says otherwise. */
const LEASE_LIMIT_MS = 60_000;
const NO_CTX = { waitUntil() {} };

export class UseCache {
  #host;
  #currentContext;
  #isNested;
  #waitMs;
  #ledger;
  /** Entry key → the end of its `set`, where that may be awaited by another request; else each request has its own. */
  #pending;
  /** What is being made outside of any request. */
  #orphans = new Map();
  #reachesLedger = true;
  /** Whether anything was ever asked for. */
  isUsed = false;

  /**
   * @param {object} parts
   * @param {import("../host.js").Host} parts.host
   * @param {() => RequestContext | undefined} parts.currentContext the context of the request in progress
   * @param {() => boolean | undefined} [parts.isNested] whether what is read now becomes part of something that is stored, if that is known
   * @param {boolean} parts.sharesPromises whether one request may wait for a promise of another's
   * @param {number} [parts.waitMs] longest that a request waits for what others make
   * @param {string} parts.ledger what whoever invalidates is told that does not answer
   */
  constructor({ host, currentContext, isNested = () => undefined, sharesPromises, waitMs = 20_000, ledger }) {
    this.#host = host;
    this.#currentContext = currentContext;
    this.#isNested = isNested;
    this.#waitMs = waitMs;
    this.#ledger = ledger;
    this.#pending = sharesPromises ? new Map() : undefined;
  }

  /** `CacheHandler.get`. An error in it would be the page's (next, `server/use-cache/use-cache-wrapper.js`): it is a miss instead. */
  async get(cacheKey, softTags = []) {
    try {
      return await this.#get(this.#context(), named(cacheKey), softTags);
    } catch (error) {
      this.#host.warnOnce("use-cache get", `reading a "use cache" value failed, so it is made anew: ${error.message}`);
      return undefined;
    }
  }

  async #get(context, key, softTags) {
    this.isUsed = true;
    const entryKey = this.#entryKey(key);
    await this.#pendingSet(context, entryKey);
    // Whoever makes it does not wait for itself.
    if (context.leases.has(entryKey)) return undefined;
    const read = { kind: "use_cache", key, caller: "regenerator", tags: softTags, nested: this.#isNested() };
    const { entry, body, miss } = await this.#host.read(context, read);
    if (miss) {
      this.#begin(context, entryKey, miss.lease, { atOnce: true, position: miss.ledger });
      return undefined;
    }
    if (entry.regenerate) this.#begin(context, entryKey, entry.lease, { atOnce: false, position: entry.ledger });
    const found = fromStored(entry, body);
    return found && { ...verdict(found.entry, entry), value: streamOf(found.bytes) };
  }

  /** `CacheHandler.set`. The stream ends in here, and nothing of it or of its request is kept. */
  async set(cacheKey, pendingEntry) {
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

  async #store(context, key, entryKey, begun, pendingEntry) {
    const { lease, since, position, lowered } = begun ?? {};
    let stored;
    let createdAt;
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
      this.#host.warnOnce("use-cache set", `a "use cache" value could not be stored: ${error.message}`);
    }
  }

  /** `CacheHandler.refreshTags`: once per request, before its first `get`. */
  async refreshTags() {
    await this.#observe(this.#context());
  }

  /**
   * `CacheHandler.getExpiration`. Next.js compares the answer with an entry's time, by a clock that may be another machine's: here
   * `get` has checked all tags, by the order of the ledger. Without the ledger no entry is known to be valid.
   */
  async getExpiration(tags) {
    const context = this.#context();
    if (!(await this.#observe(context))) return clock();
    const position = context.position ?? BEFORE_EVERYTHING;
    return (await this.#host.invalidated(context, { tags, position })) === "none" ? 0 : Infinity;
  }

  /** Brings the copy of the ledger within its window. @returns {Promise<boolean>} whether the ledger answers */
  async #observe(context) {
    try {
      const { reason } = await this.#host.observe(context);
      this.#reachesLedger = reason === "observed" || reason === "within-window";
    } catch {
      this.#reachesLedger = false;
    }
    return this.#reachesLedger;
  }

  /** `CacheHandler.updateTags`. Rejects, so that whoever invalidates hears of it, when it could not be recorded. */
  async updateTags(tags, durations) {
    if (!(await this.#host.invalidate(this.#context(), { tags, profile: profileOf(durations) }))) throw new Unrecorded(tags, this.#ledger);
  }

  /** Gives back what a request was to make and did not store. */
  async giveBack(context, failed) {
    for (const [entryKey, lease] of context.leases) {
      if (context.generations.get(entryKey)?.lease !== lease) continue;
      this.#take(context, entryKey);
      await this.#host.release(context, { entryKey, lease, reason: failed ? "failed" : "not_stored" });
    }
  }

  /** What is made anew is made after the response, perhaps: only what is made at once can be given back with it. */
  #begin(context, entryKey, lease, { atOnce, position }) {
    const since = Date.now();
    // Values made outside of any request are told apart by their keys alone: the older beginning is the safe one, whoever stores.
    const older = context.generations === this.#orphans ? context.generations.get(entryKey) : undefined;
    if (older?.since > since - LEASE_LIMIT_MS) return;
    context.generations.delete(entryKey);
    const lowered = older && (older.lowered ?? older.position ?? BEFORE_EVERYTHING);
    context.generations.set(entryKey, { lease, since, atOnce, position, lowered });
    if (context.generations.size > ORPHANS_HELD) context.generations.delete(context.generations.keys().next().value);
    if (lease && atOnce && context.generations !== this.#orphans) context.leases.set(entryKey, lease);
  }

  #take(context, entryKey) {
    const begun = context.generations.get(entryKey);
    context.generations.delete(entryKey);
    context.leases.delete(entryKey);
    return begun;
  }

  /** Waits for a `set` of the same key, as long as the request may wait. How that ends is not said: what is there then is read. */
  async #pendingSet(context, entryKey) {
    const pending = this.#pendingOf(context).get(entryKey);
    if (pending === undefined) return;
    const begun = Date.now();
    await within(Math.max(0, this.#waitMs - context.waited), pending).catch(() => {});
    context.hasWaited(Date.now() - begun);
  }

  #pendingOf(context) {
    return this.#pending ?? context.pendingSets;
  }

  #context() {
    const current = this.#currentContext();
    if (current) return current;
    const context = new RequestContext(undefined, undefined, NO_CTX);
    context.generations = this.#orphans;
    return context;
  }

  #entryKey(key) {
    return this.#host.engine.call("entry_key", "use_cache", key);
  }
}

/** How an entry is described to Next.js, whose clock may have drifted from the engine's, so that it does what was decided. */
function verdict(entry, { regenerate, reason }) {
  const age = (clock() - entry.timestamp) / 1000;
  if (!regenerate) return { ...entry, revalidate: age < entry.revalidate ? entry.revalidate : Math.ceil(age) + LONGER };
  // By a lifetime of -1 Next.js's own handler tells what a tag has made stale.
  return { ...entry, revalidate: reason === "stale-tag" || age <= entry.revalidate ? -1 : entry.revalidate };
}

/** Next.js makes keys of arguments: what is no Unicode text has to be told apart, too. */
function named(cacheKey) {
  return cacheKey.isWellFormed() ? cacheKey : `\0${JSON.stringify(cacheKey)}`;
}

async function discard(stream) {
  await stream.cancel();
  return new Uint8Array();
}
