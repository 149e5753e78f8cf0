// OpenNext's calls about fetched data (`fetch` and `unstable_cache`): between them and the engine's.
//
// OpenNext reads an entry first, and asks about the tags of whoever reads it afterwards (its `adapters/cache.js`): about the entry by
// the time that it was given for it. What it returns it takes only then from the object that it was given.
import { BEFORE_EVERYTHING } from "../context.js";
import { fromStored, toStoredData } from "./values.js";

/** Times are told apart by fractions of a millisecond: a number of this size holds so many. */
const FRACTIONS = 1024;

export class DataCache {
  #host;
  #collapses;
  /** When a lease was taken. */
  #since = new WeakMap();

  /**
   * @param {import("../host.js").Host} host
   * @param {boolean} collapses whether data is fetched by one for all
   */
  constructor(host, collapses) {
    this.#host = host;
    this.#collapses = collapses;
  }

  /** `incrementalCache.get`. */
  async get(context, key) {
    // Whoever makes it does not wait for itself.
    if (context.leases.has(this.#entryKey(key))) return null;
    const { entry, body } = await this.#read(context, key);
    if (entry === undefined) return null;
    const reading = { key, position: entry.position, stale: false, handed: undefined };
    const lastModified = uniqueTime(context.data, this.#lastModified(entry));
    reading.handed = { value: fromStored(entry, body), lastModified };
    context.data.set(lastModified, reading);
    return reading.handed;
  }

  /**
   * `tagCache.hasBeenRevalidated`: whether the entry that was given this time counts for whoever reads it with these tags. Where
   * it does not, somebody else may have it anew by now.
   */
  async hasBeenRevalidated(context, tags, lastModified) {
    const reading = context.data.get(lastModified);
    const invalidation = await this.#host.invalidated(context, { tags, position: reading?.position ?? BEFORE_EVERYTHING });
    if (invalidation === "none") return false;
    // A page that is stored is made of what is new.
    const counts = invalidation === "soft" && !context.nested;
    if (reading === undefined || context.leases.has(this.#entryKey(reading.key))) return !counts;
    if (!this.#collapses) {
      reading.stale = counts;
      return !counts;
    }
    const { entry, body } = await this.#read(context, reading.key, tags);
    if (entry === undefined) return true;
    reading.handed.value = fromStored(entry, body);
    reading.stale = entry.regenerate;
    return entry.regenerate && entry.reason === "stale-tag" && context.nested;
  }

  /** `tagCache.isStale`, asked after that: whether this request makes the entry anew because of its tags. */
  async isStale(context, tags, lastModified) {
    const reading = context.data.get(lastModified);
    if (reading) return reading.stale;
    return (await this.#host.invalidated(context, { tags, position: BEFORE_EVERYTHING })) === "soft";
  }

  /** `incrementalCache.set`. */
  async set(context, key, value) {
    const entryKey = this.#entryKey(key);
    const lease = context.leases.get(entryKey);
    context.leases.delete(entryKey);
    const startedAt = this.#since.get(lease) ?? context.startedAt;
    await this.#host.store(context, { kind: "data", key, lease, startedAt, value: toStoredData(value) });
  }

  /** Reads an entry; what this request is to make is noted. */
  async #read(context, key, tags) {
    const caller = this.#collapses ? "regenerator" : "bystander";
    const { entry, body, miss } = await this.#host.read(context, { kind: "data", key, caller, tags });
    const lease = entry?.lease ?? miss?.lease;
    if (lease) {
      context.leases.set(this.#entryKey(key), lease);
      this.#since.set(lease, Date.now());
    }
    return { entry, body };
  }

  /** A time by which Next.js makes the entry anew if that is for this request to do. Else it judges its age by what its caller wants. */
  #lastModified(entry) {
    if (entry.regenerate) return 1;
    return entry.stale && this.#collapses ? Date.now() : entry.created_at;
  }

  #entryKey(key) {
    return this.#host.engine.call("entry_key", "data", key);
  }
}

/** A time a little before `time` that is not taken yet. */
function uniqueTime(taken, time) {
  let unique = time;
  for (let fraction = 1; taken.has(unique); fraction += 1) unique = time - fraction / FRACTIONS;
  return unique;
}
