/** Medians, and ratios of what was measured by turns. */

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What so many of a hundred values do not exceed. */
export function percentile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.ceil((share / 100) * values.length) - 1];
}

/** How many times as much the one is as the other, turn by turn: the median, and from where to where. */
export function ratio(one, other) {
  return spread(one.map((value, turn) => value / other[turn]));
}

/** How much more the one is than the other, turn by turn likewise. */
export function difference(one, other) {
  return spread(one.map((value, turn) => value - other[turn]));
}

/** Of several values: the median, and from where to where. */
export const spread = (values) => ({ median: median(values), from: Math.min(...values), to: Math.max(...values) });

/** As a table shows it. */
export const told = ({ median: middle, from, to }, digits = 2) => `${middle.toFixed(digits)} (${from.toFixed(digits)}–${to.toFixed(digits)})`;
