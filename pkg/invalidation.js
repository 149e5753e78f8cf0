// What Next.js says of an invalidation, as the ledger takes it.

/**
 * How entries may be served meanwhile; undefined where not at all. That durations are given says that they may, whatever they hold.
 *
 * @param {{ expire?: number } | undefined} durations seconds
 */
export function profileOf(durations) {
  if (durations === undefined || durations.expire === 0) return undefined;
  return { expire_ms: durations.expire === undefined ? undefined : durations.expire * 1000 };
}

/** What whoever invalidates is told when it could not be recorded. */
export class Unrecorded extends Error {
  /** @param {string[]} tags @param {string} silent who did not answer */
  constructor(tags, silent) {
    super(`onegen: the invalidation of ${tags.join(", ")} could not be recorded, because the ${silent} does not answer: try again`);
  }
}
