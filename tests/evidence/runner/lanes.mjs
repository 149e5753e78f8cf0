/**
 * How long scenes take together. Most of them wait, and play side by side in the wide lane; those that measure ratios, or load the
 * machine to its limit, play in the quiet lane, one after another.
 */

/** Side by side; four that mostly wait keep two cores half busy. */
export const WIDE = 4;

/** How long a run may take that CI waits for, in seconds. */
export const CI_LIMIT_SECONDS = 50 * 60;

/** @template {{ quiet?: boolean, sums?: string[] }} T @param {T[]} scenes in the order in which they are played */
export function lanesOf(scenes) {
  return {
    wide: scenes.filter(({ quiet, sums }) => !quiet && !sums),
    quiet: scenes.filter(({ quiet, sums }) => quiet && !sums),
    // They tell of the others, and come last.
    sums: scenes.filter(({ sums }) => sums),
  };
}

/** How long scenes take by the seconds that they declare. @param {import("./scenes.mjs").Scene[]} scenes */
export function plannedSeconds(scenes, wide = WIDE) {
  const lanes = lanesOf(scenes);
  const busyUntil = Array(wide).fill(0);
  for (const { seconds } of lanes.wide) busyUntil[busyUntil.indexOf(Math.min(...busyUntil))] += seconds;
  const oneByOne = [...lanes.quiet, ...lanes.sums].reduce((sum, { seconds }) => sum + seconds, 0);
  return Math.max(...busyUntil) + oneByOne;
}
