/** What operations cost: Cloudflare's list prices beyond what a plan includes, in US dollars for a million of each. */

export const PRICES = {
  /** developers.cloudflare.com/kv/platform/pricing */
  kvReads: 0.5,
  kvWrites: 5,
  /** developers.cloudflare.com/durable-objects/platform/pricing: every call of a stub's method is a request. */
  objectRequests: 0.15,
  /** Likewise: a GB-second is 8 seconds of an object, which counts as 128 MB while it is at work. */
  objectSeconds: 12.5 / 8,
  rowsRead: 0.001,
  /** An alarm that is set is a row written. */
  rowsWritten: 1,
  /** developers.cloudflare.com/r2/pricing: class B and class A. */
  r2Reads: 0.36,
  r2Writes: 4.5,
  /** developers.cloudflare.com/d1/platform/pricing counts rows as objects do. */
  d1RowsRead: 0.001,
  d1RowsWritten: 1,
};

/** When they were read. */
export const PRICES_AS_OF = "2026-11-28";

/** @typedef {Partial<Record<keyof typeof PRICES, number>>} Operations */

/** Dollars for a million times these operations. @param {Operations} operations */
export function priceOf(operations) {
  return Object.entries(operations).reduce((sum, [what, times]) => sum + PRICES[what] * times, 0);
}

/** Several operations, each so many times. @param {...[number, Operations]} terms @returns {Operations} */
export function sumOf(...terms) {
  const sum = {};
  for (const [times, operations] of terms) {
    for (const [what, each] of Object.entries(operations)) sum[what] = (sum[what] ?? 0) + times * each;
  }
  return sum;
}
