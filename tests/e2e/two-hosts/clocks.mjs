/** Clocks that are wrong, of processes and of isolates. */

import { replaced } from "../../evidence/switched-off.mjs";

const SKEWED = new URL("../fleet/skewed.mjs", import.meta.url).href;

/** Before everything else in an isolate: what its clock is off by comes with a request, and stays. */
const CLOCK = `
  let skewMs = 0;
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [RealDate.now() + skewMs] : given));
    }

    static now() {
      return RealDate.now() + skewMs;
    }
  };
  const elapsed = performance.now.bind(performance);
  performance.now = () => elapsed() + skewMs;
  export const skew = (ms) => (skewMs = ms);
`;

const HANDLER = `
  import { skew } from "./clock.js";

  function skewed(request, env, ctx) {
    const ms = request.headers.get("x-clock-skew");
    if (ms === null) return onegen.default.fetch(request, env, ctx);
    skew(Number(ms));
    return new Response();
  }
`;

/** What starts hosts with clocks that can be off; of the first two places, processes, they are so from the start. */
export function withClocks(skewsMs) {
  const changed = (bundle) => {
    const { modules, ...rest } = replaced(bundle, HANDLER, "{ ...onegen.default, fetch: skewed }");
    return { ...rest, modules: [...modules, { type: "ESModule", name: "clock.js", contents: CLOCK }] };
  };
  return { changed, fleet: { nodeArgs: ["--import", SKEWED], env: { CLOCK_SKEWS_MS: skewsMs.slice(0, 2).join() } } };
}

/** Has the clocks of the isolates be off, in the order of all places. */
export async function setClocks(hosts, skewsMs) {
  for (const [n, place] of hosts.places.entries()) {
    if (place.onWorkers) await place.visit("/", { headers: { "x-clock-skew": String(skewsMs[n]) } });
  }
}
