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

interface FetchHandler {
  // The Worker's own types are the user's: Onegen passes all three arguments on.
  fetch(request: any, env: any, ctx: any): Response | Promise<Response>;
}

/** Wraps OpenNext's Worker, the default export of `.open-next/worker.js`, in the file that wrangler's `main` names. */
export function wrapWorker<Handler extends FetchHandler>(handler: Handler, options?: OnegenOptions): Handler;

/** Adds Onegen's incremental cache, tag cache and queue to what `defineCloudflareConfig()` returned. */
export function withOnegen<Config extends object>(config: Config): Config;

/** OpenNext's incremental cache, kept by Onegen. */
export const incrementalCache: {
  name: string;
  get(key: string, cacheType?: any): Promise<any>;
  set(key: string, value: any, cacheType?: any): Promise<void>;
  delete(key: string): Promise<void>;
};

/** OpenNext's tag cache, kept by Onegen's ledger. */
export const tagCache: {
  name: string;
  mode: "nextMode";
  getLastRevalidated(tags: string[]): Promise<number>;
  hasBeenRevalidated(tags: string[], lastModified?: number): Promise<boolean>;
  isStale(tags: string[], lastModified?: number): Promise<boolean>;
  writeTags(tags: any[]): Promise<void>;
};

/** OpenNext's revalidation queue: who regenerates is decided by the route's coordinator. */
export const queue: { name: string; send(message: any): Promise<void> };
