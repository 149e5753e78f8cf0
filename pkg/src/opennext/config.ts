// What `open-next.config.ts` imports. OpenNext compiles this file into both of its bundles, where no wasm can be loaded:
// the work is done by the entry Worker (`wrapWorker`), found through a symbol.
import { SayOnce } from "../base/say-once.js";
import type { OpenNextData, OpenNextFile } from "../next-format/opennext-values.js";

/** Options of {@link wrapWorker}. Every one has a default. */
export interface OnegenOptions {
  /** The app's id: apps that share a KV namespace or an Onegen Worker each need their own. Default "app". */
  app?: string;
  /** Most bytes that an isolate keeps in memory, 0 to 67108864. Default 16777216. */
  memoryBytes?: number;
  /** How old an isolate's copy of the tag ledger may be, in milliseconds; 0 asks on every read. Default 1000. */
  windowMs?: number;
  /** Longest that a request waits for another's render, in milliseconds, up to 25000. Default 20000. */
  waitMs?: number;
  /** Whether `fetch` and `unstable_cache` data is fetched by one isolate for all, who wait for it. Default true. */
  collapseData?: boolean;
  /** Whether `onegen seed` put the build's pages among the Worker's assets. Default true. */
  seeds?: boolean;
}

/** A Worker, as OpenNext builds it. */
export interface FetchHandler {
  // The Worker's own types are the user's: Onegen passes all three arguments on.
  fetch(request: never, env: never, ctx: never): Response | Promise<Response>;
}

/** What OpenNext reads and stores: a page or a route, or data. */
export type OpenNextValue = OpenNextFile & OpenNextData;

/** What OpenNext's incremental cache answers. */
export interface OpenNextRead {
  value: unknown;
  lastModified: number;
  shouldBypassTagCache?: boolean;
}

/** A tag that OpenNext writes: invalidated at once, or with times until which it is served and expires. */
export type WrittenTag = string | { tag: string; stale?: number; expire?: number };

/** A message of OpenNext's queue. */
export interface QueueMessage {
  MessageBody: { host: string; url: string };
}

/** What the entry Worker does for these. */
export interface EntryHost {
  get(key: string, cacheType: string | undefined): Promise<OpenNextRead | null>;
  set(key: string, value: OpenNextValue, cacheType: string | undefined): Promise<void>;
  delete(key: string): Promise<void>;
  hasBeenRevalidated(tags: string[], lastModified: number | undefined): Promise<boolean>;
  isStale(tags: string[], lastModified: number | undefined): Promise<boolean>;
  writeTags(tags: WrittenTag[]): Promise<void>;
  revalidate(message: QueueMessage): void;
}

const HOST = Symbol.for("onegen.opennext");
/** Both of OpenNext's bundles hold this file: what one has said the other need not. */
const WARNED = Symbol.for("onegen.opennext.warned");

const shared = globalThis as { [HOST]?: EntryHost | null; [WARNED]?: Set<string> };

/** The host in the entry Worker; null or undefined where there is none: then nothing is cached. */
function host(): EntryHost | null | undefined {
  const found = shared[HOST];
  if (found === undefined) {
    new SayOnce({ said: (shared[WARNED] ??= new Set()) }).warn(
      "unwrapped",
      'nothing is cached, because the entry Worker is not wrapped: expected `export default wrapWorker(handler)` in the file that wrangler\'s `main` names; import wrapWorker from "onegen/opennext" there, and as the handler the default export of .open-next/worker.js',
    );
  }
  return found;
}

/** OpenNext's incremental cache, kept by Onegen. */
export const incrementalCache = {
  name: "onegen",
  // oxlint-disable-next-line typescript/no-explicit-any -- OpenNext's own type depends on `cacheType`, and is not needed to build this.
  async get(key: string, cacheType?: string): Promise<any> {
    return (await host()?.get(key, cacheType)) ?? null;
  },
  async set(key: string, value: unknown, cacheType?: string): Promise<void> {
    await host()?.set(key, value as OpenNextValue, cacheType);
  },
  async delete(key: string): Promise<void> {
    await host()?.delete(key);
  },
};

/** OpenNext's tag cache, kept by Onegen's ledger. */
export const tagCache = {
  name: "onegen",
  mode: "nextMode" as const,
  /** Asked about what `use cache` keeps, which Onegen keeps without OpenNext: elsewhere nothing of it counts. */
  async getLastRevalidated(_tags: string[]): Promise<number> {
    return Date.now();
  },
  async hasBeenRevalidated(tags: string[], lastModified?: number): Promise<boolean> {
    return (await host()?.hasBeenRevalidated(tags, lastModified)) ?? true;
  },
  async isStale(tags: string[], lastModified?: number): Promise<boolean> {
    return (await host()?.isStale(tags, lastModified)) ?? false;
  },
  async writeTags(tags: WrittenTag[]): Promise<void> {
    await host()?.writeTags(tags);
  },
};

/** OpenNext's revalidation queue: who regenerates is decided by the route's coordinator. */
export const queue = {
  name: "onegen",
  async send(message: QueueMessage): Promise<void> {
    host()?.revalidate(message);
  },
};

/** Adds Onegen's incremental cache, tag cache and queue to what `defineCloudflareConfig()` returned. */
export function withOnegen<Config extends object>(config: Config): Config {
  const { default: server, middleware } = (config ?? {}) as { default?: { override?: object }; middleware?: { override?: object } };
  if (server?.override === undefined || middleware?.override === undefined) {
    throw new Error("withOnegen(config): expected what defineCloudflareConfig() of @opennextjs/cloudflare returns; pass it that");
  }
  const overrides = { incrementalCache: () => incrementalCache, tagCache: () => tagCache, queue: () => queue };
  return {
    ...config,
    default: { ...server, override: { ...server.override, ...overrides } },
    middleware: { ...middleware, override: { ...middleware.override, ...overrides } },
  };
}

/** Wraps OpenNext's Worker, the default export of `.open-next/worker.js`, in the file that wrangler's `main` names. */
export function wrapWorker<Handler extends FetchHandler>(_handler: Handler, _options?: OnegenOptions): Handler {
  // Only the entry Worker can wrap anything.
  throw new Error(
    'wrapWorker() of "onegen/opennext" runs in workerd: import it in the file that wrangler\'s `main` names, not in open-next.config.ts',
  );
}
