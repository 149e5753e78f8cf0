/** Medians, and ratios of what was measured by turns. */

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many times as much the one is as the other, turn by turn: the median, and from where to where. */
export function ratio(one, other) {
  const ratios = one.map((value, turn) => value / other[turn]);
  return { median: median(ratios), from: Math.min(...ratios), to: Math.max(...ratios) };
}

/** As a table shows it. */
export const told = ({ median: middle, from, to }) => `${middle.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)})`;
