/** Options of `onegen/next` and `onegen/use-cache`. Every one has a default. */
export interface OnegenOptions {
  /** The app's id, as in the token's entry of `ONEGEN_TOKENS`. Default "app". */
  app?: string;
  /** Most bytes that a process keeps in memory, 0 to 67108864. Default 16777216. */
  memoryBytes?: number;
  /** How old a process's copy of the tag ledger may be, in milliseconds; 0 asks on every read. Default 1000. */
  windowMs?: number;
  /** Longest that a request waits for another's render, in milliseconds, up to 25000. Default 20000. */
  waitMs?: number;
  /** Whether what `fetch` and `unstable_cache` keep is fetched by one process for all; false: by each that misses it. Default true. */
  collapseData?: boolean;
}
