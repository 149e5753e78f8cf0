/** Runs of bytes as one; a single run is that run itself. @param {Uint8Array[]} runs @returns {Uint8Array} */
export function joined(runs) {
  if (runs.length === 1) return runs[0];
  const whole = new Uint8Array(runs.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const run of runs) {
    whole.set(run, at);
    at += run.byteLength;
  }
  return whole;
}
