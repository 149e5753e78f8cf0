import type { OnegenOptions } from "../next/index.js";

interface CacheEntry {
  value: ReadableStream<Uint8Array>;
  tags: string[];
  stale: number;
  timestamp: number;
  expire: number;
  revalidate: number;
}

interface UseCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<CacheEntry | undefined>;
  set(cacheKey: string, pendingEntry: Promise<CacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(...tags: string[] | [string[]]): Promise<number>;
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>;
  expireTags(...tags: string[]): Promise<void>;
}

/**
 * On Node: the handler with options of its own, where `onegen/next` is not given any. Export it by default from a file, and name
 * that file in `cacheHandlers`.
 */
export function useCacheHandler(options: OnegenOptions): UseCacheHandler;

/** The handler for Next.js's `cacheHandlers`, kinds `default` and `remote`. */
declare const handler: UseCacheHandler;
export default handler;
