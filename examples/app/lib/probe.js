import { reachProbe } from "./reach-probe.js";

// The probe is an observer that the demo and the tests start: it counts renders, and can slow one down or make it fail. The app
// works without it. How it is reached is a matter of the configuration.

/** The probe's answer, or null where there is none. */
export function askProbe(path, query, method = "GET") {
  return reachProbe(`${path}?${new URLSearchParams(query)}`, method);
}
