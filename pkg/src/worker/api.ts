// The HTTPS API (docs/api.md) is Rust. Here is what a panic of it must not take away: that every request is answered.
import module from "../../wasm/api/api_bg.wasm";
import { type Host, answer, give_up, heal, initSync, interrupted, outer_limit_ms } from "../../wasm/api/api.js";

initSync({ module });

/** What ends the wait of each request in flight: a panic settles none of its instance's promises. */
const inFlight = new Set<() => void>();
const endAll = (): void => inFlight.forEach((end) => end());

/** Answers a request; never throws. */
export async function answered(request: Request, host: Host): Promise<Response> {
  // Without arguments: those of the first call after a panic would still go to the broken instance.
  heal();
  let end = (): void => {};
  const leftBehind = new Promise<undefined>((resolve) => (end = () => resolve(undefined)));
  // A timer of the request's own, for instances that break without a word.
  const deadline = setTimeout(() => (give_up(), end()), outer_limit_ms());
  inFlight.add(end);
  try {
    return (await Promise.race([answer(request, host, endAll), leftBehind])) ?? instead();
  } catch (error) {
    console.error("onegen: the HTTPS API broke, and begins anew:", error);
    give_up();
    return instead();
  } finally {
    clearTimeout(deadline);
    inFlight.delete(end);
  }
}

function instead(): Response {
  heal();
  return interrupted();
}
