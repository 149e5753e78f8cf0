// OpenNext's calls about fetched data (`fetch` and `unstable_cache`): between them and the engine's.
//
// OpenNext reads an entry first, and asks about the tags of whoever reads it afterwards (its `adapters/cache.js`): about the entry by
// the time that it was given for it. What it returns it takes only then from the object that it was given.
import type { Lease } from "../engine/protocol.js";
import { BEFORE_EVERYTHING, type DataReading, type RequestContext } from "../host/context.js";
import type { Host } from "../host/host.js";
import type { EntryRead } from "../host/reading.js";
import { type OpenNextData, fromStored, toStoredData } from "../next-format/opennext-values.js";

/** Times are told apart by fractions of a millisecond: a number of this size holds so many. */
const FRACTIONS = 1024;

export class DataCache {
  readonly #host: Host;
  readonly #collapses: boolean;
  /** When a lease was taken. */
  readonly #since = new WeakMap<Lease, number>();

  /** @param collapses whether data is fetched by one for all */
  constructor(host: Host, collapses: boolean) {
    this.#host = host;
    this.#collapses = collapses;
  }

  /** `incrementalCache.get`. */
  async get(context: RequestContext, key: string): Promise<DataReading["handed"] | null> {
    // Whoever makes it does not wait for itself.
    if (context.leases.has(this.#entryKey(key))) return null;
    const { entry, body } = await this.#read(context, key);
    if (entry === undefined) return null;
    const lastModified = uniqueTime(context.data, this.#lastModified(entry));
    const handed = { value: fromStored(entry, body), lastModified };
    context.data.set(lastModified, { key, position: entry.position, stale: false, handed });
    return handed;
  }

  /**
   * `tagCache.hasBeenRevalidated`: whether the entry that was given this time counts for whoever reads it with these tags. Where
   * it does not, somebody else may have it anew by now.
   */
  async hasBeenRevalidated(context: RequestContext, tags: string[], lastModified: number | undefined): Promise<boolean> {
    const reading = readingAt(context, lastModified);
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
  async isStale(context: RequestContext, tags: string[], lastModified: number | undefined): Promise<boolean> {
    const reading = readingAt(context, lastModified);
    if (reading) return reading.stale;
    return (await this.#host.invalidated(context, { tags, position: BEFORE_EVERYTHING })) === "soft";
  }

  /** `incrementalCache.set`. */
  async set(context: RequestContext, key: string, value: OpenNextData): Promise<void> {
    const entryKey = this.#entryKey(key);
    const lease = context.leases.get(entryKey);
    context.leases.delete(entryKey);
    const startedAt = (lease && this.#since.get(lease)) ?? context.startedAt;
    await this.#host.store(context, { kind: "data", key, lease, startedAt, value: toStoredData(value) });
  }

  /** Reads an entry; what this request is to make is noted. */
  async #read(context: RequestContext, key: string, tags?: string[]) {
    const caller = this.#collapses ? "regenerator" : "bystander";
    const reading = await this.#host.read(context, { kind: "data", key, caller, tags });
    const lease = reading.entry?.lease ?? reading.miss?.lease;
    if (lease) {
      context.leases.set(this.#entryKey(key), lease);
      this.#since.set(lease, Date.now());
    }
    return reading;
  }

  /** A time by which Next.js makes the entry anew if that is for this request to do. Else it judges its age by what its caller wants. */
  #lastModified(entry: EntryRead): number {
    if (entry.regenerate) return 1;
    return entry.stale && this.#collapses ? Date.now() : entry.created_at;
  }

  #entryKey(key: string): string {
    return this.#host.engine.entryKey("data", key);
  }
}

function readingAt({ data }: RequestContext, time: number | undefined): DataReading | undefined {
  return time === undefined ? undefined : data.get(time);
}

/** A time a little before `time` that is not taken yet. */
function uniqueTime(taken: ReadonlyMap<number, unknown>, time: number): number {
  let unique = time;
  for (let fraction = 1; taken.has(unique); fraction += 1) unique = time - fraction / FRACTIONS;
  return unique;
}
