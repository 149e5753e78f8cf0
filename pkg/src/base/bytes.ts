/** Runs of bytes as one; a single run is that run itself. */
export function joined(runs: readonly Uint8Array[]): Uint8Array {
  const [first] = runs;
  if (first !== undefined && runs.length === 1) return first;
  const whole = new Uint8Array(runs.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const run of runs) {
    whole.set(run, at);
    at += run.byteLength;
  }
  return whole;
}
