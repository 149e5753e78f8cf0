// What Next.js says of an invalidation, as the ledger takes it.
import type { Profile } from "../engine/protocol.js";

/** Next.js's durations of an invalidation, in seconds. */
export interface Durations {
  expire?: number | undefined;
}

/** The API takes no larger number: see the crate's `api` module. */
const FOREVER_MS = 2 ** 52;

/**
 * How entries may be served meanwhile, and for how many whole milliseconds if not for ever; undefined where not at all: without durations,
 * and where they end entries at once, or after what is no length of time.
 */
export function profileOf(durations: Durations | undefined): Profile | undefined {
  if (durations === undefined) return undefined;
  const ms = durations.expire === undefined ? Infinity : Math.floor(durations.expire * 1000);
  if (ms >= FOREVER_MS) return { expire_ms: undefined };
  return ms > 0 ? { expire_ms: ms } : undefined;
}

/** What whoever invalidates is told when it could not be recorded. */
export class Unrecorded extends Error {
  /** @param silent who did not answer */
  constructor(tags: readonly string[], silent: string) {
    super(`onegen: the invalidation of ${tags.join(", ")} could not be recorded, because the ${silent} does not answer: try again`);
  }
}
