// OpenNext's overrides, as the entry Worker does them: between OpenNext's calls and the engine's.
import { atMost } from "../base/deadline.js";
import type { Lease, Profile } from "../engine/protocol.js";
import { RequestContext, type ResponseHead, currentContext } from "../host/context.js";
import type { Host } from "../host/host.js";
import type { EntryRead, Served } from "../host/reading.js";
import { Readings } from "../host/readings.js";
import { profileOf } from "../next-format/invalidation.js";
import { type OpenNextFile, fromStored, toStored } from "../next-format/opennext-values.js";
import { isOfPagesRouter, isShellOf, pathTags } from "../next-format/paths.js";
import type { UseCache } from "../use-cache/cache.js";
import type { EntryHost, OpenNextRead, OpenNextValue, QueueMessage, WrittenTag } from "./config.js";
import { DataCache } from "./data.js";
import { Texts } from "./texts.js";

/** The shape of a page of the Pages Router that is not there. */
const NOT_FOUND = "not-found";
/** How long a publication waits for the response's headers, which alone tell a page's `expire`. */
const RESPONSE_LIMIT_MS = 1000;

/** The host, and what it has to know of the app. */
export interface OpenNextParts {
  readonly host: Host;
  /** Whether the build's pages are among the Worker's assets. */
  readonly seeded: boolean;
  /** The deployment id, else the build id. */
  readonly build: string;
  /** What makes a request an on-demand regeneration. */
  readonly previewId: string;
  /** Whether data is fetched by one for all. */
  readonly collapseData?: boolean | undefined;
}

export class OpenNextHost implements EntryHost {
  /** What `use cache` keeps, if it is kept by Onegen. */
  useCache: UseCache | undefined;
  readonly #host: Host;
  readonly #seeded: boolean;
  readonly #build: string;
  readonly #previewId: string;
  readonly #data: DataCache;
  /** What identifies the value handed out when OpenNext hands it back after a failed render. */
  readonly #handedOut = new WeakSet<object>();
  readonly #readings = new Readings();
  readonly #texts = new Texts();

  constructor({ host, seeded, build, previewId, collapseData = true }: OpenNextParts) {
    this.#host = host;
    this.#seeded = seeded;
    this.#build = build;
    this.#previewId = previewId;
    this.#data = new DataCache(host, collapseData);
  }

  /** `incrementalCache.get`. The interceptor gives no `cacheType`: it passes misses on to the server. */
  async get(key: string, cacheType?: string): Promise<OpenNextRead | null> {
    const context = contextOrNone();
    if (cacheType === "fetch") return this.#data.get(context, key);
    if (context.announces && cacheType === "cache") await this.#announce(context, key);
    const caller = cacheType === "cache" ? "renderer" : "bystander";
    const { entry, body, again, miss } = await this.#host.read(context, { kind: "response", key, caller, seeded: this.#seeded });
    if (miss) {
      // What is read from now on becomes part of the page.
      context.nested ||= cacheType === "cache";
      if (miss.lease) context.leases.set(this.#entryKey(key), miss.lease);
      if (miss.lease && isOfPagesRouter(key)) context.pagesLeases.add(miss.lease);
      this.#serve(context, key, { miss });
      return null;
    }
    if (entry.shape === NOT_FOUND) return this.#notFound(context, key, entry);
    const value = again ? this.#texts.valueOf(entry, body) : fromStored(entry, body);
    const told = this.#responseEntry(entry, value, cacheType);
    if (told === null) return null;
    this.#serve(context, key, { entry, kind: "response", key });
    return told;
  }

  #serve(context: RequestContext, key: string, served: Served): void {
    context.serve(key, served, context.servedKey !== undefined && isShellOf(key, context.servedKey));
    this.#readings.remember(key, served);
  }

  /**
   * An on-demand regeneration (`res.revalidate`) is asked for outside of any lease: the page's own tags tell isolates with the
   * page in memory that it was replaced, once.
   */
  async #announce(context: RequestContext, key: string): Promise<void> {
    context.announces = false;
    const tags = pathTags(key);
    if (!(await this.#host.invalidate(context, { tags }))) this.#sayUnrecorded(tags);
    // The render reads what is true after the invalidation.
    context.position = undefined;
  }

  /** OpenNext takes no cached 404 of the Pages Router (its `adapters/cache.js`): what there is of it is kept for who does. */
  #notFound(context: RequestContext, key: string, entry: EntryRead): null {
    this.#serve(context, key, { miss: { reason: "tombstone", renewed: entry.stale, expire: entry.expire } });
    context.notFound = { key, entry };
    return null;
  }

  /** Lets a request that joined another's reading know what it was served; whether it did. */
  join(context: RequestContext, { headers }: ResponseHead): boolean {
    const own = context.served;
    context.served = this.#readings.servedTo(context, urlOf(context).pathname, headers.get("x-nextjs-cache"));
    return context.served !== own;
  }

  /** The entry as OpenNext takes it; null where the interceptor must leave it to the server. */
  #responseEntry(entry: EntryRead, value: OpenNextFile, cacheType: string | undefined): OpenNextRead | null {
    // It would leave out where a redirect of the Pages Router leads.
    if (cacheType === undefined && value.type === "redirect" && value.meta?.headers === undefined) return null;
    for (const identity of [value.meta?.headers, value.json, value.props]) {
      if (typeof identity === "object" && identity !== null) this.#handedOut.add(identity);
    }
    value.revalidate = entry.revalidate ?? false;
    if (entry.stale) return { value, lastModified: staleTime(entry), shouldBypassTagCache: true };
    // OpenNext's interceptor calls an entry stale in its last second; the verdict is ours.
    if (cacheType === undefined && value.revalidate !== false) value.revalidate = Math.max(value.revalidate, 2);
    return { value, lastModified: Date.now(), shouldBypassTagCache: true };
  }

  /** `incrementalCache.set`. */
  async set(key: string, value: OpenNextValue, cacheType = "cache"): Promise<void> {
    const context = contextOrNone();
    if (cacheType === "fetch") return this.#data.set(context, key, value);
    const lease = this.#takeLease(context, key);
    if (this.#isHandedOut(value)) {
      // A render failed, and Next.js stores again what it was given.
      if (lease) await this.#host.release(context, { entryKey: this.#entryKey(key), lease, reason: "failed" });
      return;
    }
    const stored = toStored(value, key);
    const expire = await this.#expire(context, stored.revalidate);
    await this.#host.store(context, { kind: "response", key, lease, startedAt: context.startedAt, value: { ...stored, expire } });
  }

  /**
   * `incrementalCache.delete`: Next.js found that there is no such page, for how long OpenNext does not tell. It takes over the
   * lifetime of an earlier such finding; else it is a tombstone, which no host serves.
   */
  async delete(key: string): Promise<void> {
    const context = contextOrNone();
    const lease = this.#takeLease(context, key);
    const earlier = context.notFound?.key === key ? context.notFound.entry : undefined;
    if (earlier && !earlier.stale) {
      if (lease) await this.#host.release(context, { entryKey: this.#entryKey(key), lease, reason: "unused" });
      return;
    }
    const { revalidate, expire } = earlier ?? {};
    const value = { shape: earlier ? NOT_FOUND : "tombstone", parts: [], tags: pathTags(key), revalidate, expire };
    await this.#host.store(context, { kind: "response", key, lease, startedAt: context.startedAt, value });
  }

  /** The lease under which this request renders `key`; from now on whoever took it answers for it. */
  #takeLease(context: RequestContext, key: string): Lease | undefined {
    const entryKey = this.#entryKey(key);
    const lease = context.leases.get(entryKey);
    context.leases.delete(entryKey);
    return lease;
  }

  #entryKey(key: string): string {
    return this.#host.engine.entryKey("response", key);
  }

  /** `tagCache.hasBeenRevalidated`, asked for data entries only. */
  hasBeenRevalidated(tags: string[], lastModified?: number): Promise<boolean> {
    return this.#data.hasBeenRevalidated(contextOrNone(), tags, lastModified);
  }

  /** `tagCache.isStale`, asked after that. */
  isStale(tags: string[], lastModified?: number): Promise<boolean> {
    return this.#data.isStale(contextOrNone(), tags, lastModified);
  }

  /** `tagCache.writeTags`. OpenNext swallows errors, so one that outlasts every attempt is logged as such. */
  async writeTags(tags: WrittenTag[]): Promise<void> {
    const context = contextOrNone();
    for (const [profile, group] of byProfile(tags)) {
      const recorded = await this.#host.invalidate(context, { tags: group, profile });
      if (!recorded) this.#sayUnrecorded(group);
    }
  }

  #sayUnrecorded(tags: string[]): void {
    console.error(`onegen: the invalidation of ${tags.join(", ")} could not be recorded: its pages stay as they are`);
  }

  /** `queue.send`: regenerate what this request was served stale. Returns at once. */
  revalidate({ MessageBody: { host, url } }: QueueMessage): void {
    const context = currentContext();
    if (context) this.refresh(context, host, url);
  }

  /** Starts the regeneration of what the request was served, unless it was fresh or is seen to already. */
  refresh(context: RequestContext, host: string, url: string): void {
    const { entry, kind, key } = context.served ?? {};
    if (!entry?.stale || kind === undefined || key === undefined || context.refreshed) return;
    context.refreshed = true;
    const regenerate = (token: string | undefined) => this.#regenerate(context, host, url, token);
    context.waitUntil(this.#host.refresh(context, { kind, key, entry, regenerate }));
  }

  /**
   * Has the app render a page: a HEAD to itself, in whatever isolate answers. A Worker's binding to itself leads to its deployed
   * version: where that is another build, with neither the page nor the lease, this isolate renders.
   */
  async #regenerate(context: RequestContext, host: string, url: string, token: string | undefined): Promise<number> {
    const headers = new Headers({ "x-prerender-revalidate": this.#previewId, "x-isr": "1", "x-onegen-build": this.#build });
    if (token) headers.set("x-onegen-lease", token);
    const { protocol } = urlOf(context);
    const head = () => new Request(`${protocol}//${host}${url}`, { method: "HEAD", headers });
    const { self, here } = context;
    if (self === undefined || here === undefined) throw new Error("onegen: only a request to the entry Worker has the app render");
    const elsewhere = await self(head());
    const isOfThisBuild = elsewhere.status !== 409 || !elsewhere.headers.has("x-onegen-build");
    const response = isOfThisBuild ? elsewhere : await here(head());
    await response.body?.cancel();
    return response.status;
  }

  #isHandedOut(value: OpenNextFile): boolean {
    return [value.meta?.headers, value.json, value.props].some((identity) => this.#handedOut.has(identity as object));
  }

  /**
   * A page's `expire` stands in the response's `Cache-Control` only: lifetime plus stale-while-revalidate (next 16.4,
   * `server/lib/cache-control.js`). Of a regeneration OpenNext hides it; then the replaced entry's is kept.
   */
  async #expire(context: RequestContext, revalidate: number | undefined): Promise<number | undefined> {
    const replaced = context.served?.miss?.expire;
    if (revalidate === undefined || context.carried || context.onDemand) return replaced;
    const response = await atMost(RESPONSE_LIMIT_MS, context.response);
    const [, fresh, stale] = /s-maxage=(\d+), stale-while-revalidate=(\d+)/.exec(response?.headers.get("cache-control") ?? "") ?? [];
    return Number(fresh) === revalidate ? Number(fresh) + Number(stale) : replaced;
  }
}

/** A time by which Next.js finds the entry stale, and not expired, whatever it believes the lifetime to be. */
function staleTime({ created_at, revalidate, reason }: EntryRead): number {
  return reason === "stale-tag" && revalidate !== undefined ? Math.min(created_at, Date.now() - revalidate * 1000 - 1) : created_at;
}

function urlOf({ request }: RequestContext): URL {
  return new URL(request?.url ?? "");
}

/** The context of the request in progress; outside of any, one that knows nothing and keeps nothing alive. */
function contextOrNone(): RequestContext {
  return currentContext() ?? new RequestContext(undefined, undefined, { waitUntil() {} });
}

/** OpenNext's writes grouped as they were asked for: without durations, or with this long until they expire. */
function byProfile(tags: WrittenTag[]): [Profile | undefined, string[]][] {
  const groups = new Map<string | undefined, [Profile | undefined, string[]]>();
  for (const written of tags) {
    const { tag, stale, expire }: Exclude<WrittenTag, string> = typeof written === "string" ? { tag: written } : written;
    const durations = stale === undefined ? undefined : { expire: expire === undefined ? undefined : (expire - stale) / 1000 };
    const profile = profileOf(durations);
    const id = JSON.stringify(profile) as string | undefined;
    const group: [Profile | undefined, string[]] = groups.get(id) ?? [profile, []];
    group[1].push(tag);
    groups.set(id, group);
  }
  return [...groups.values()];
}
