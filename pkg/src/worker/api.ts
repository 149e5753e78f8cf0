// The HTTPS API (docs/api.md) is Rust. Here is what a panic of it must not take away: that every request is answered.
import module from "../../wasm/api/api_bg.wasm";
import { type Host, answer, give_up, heal, initSync, interrupted, outer_limit_ms } from "../../wasm/api/api.js";

initSync({ module });
/** What ends the wait of each request in flight, and until when it can be one: a panic settles none of its instance's promises. */
const inFlight = new Map<() => void, number>();
const endAll = (): void => inFlight.forEach((_, end) => end());

/** Answers a request; never throws. */
export async function answered(request: Request, host: Host): Promise<Response> {
  let [end, deadline]: [() => void, ReturnType<typeof setTimeout> | undefined] = [() => {}, undefined];
  try {
    // Without arguments: those of the first call after a panic would still go to the broken instance.
    heal();
    // Of a request whose client went away the runtime may end everything without a word, its timers too.
    for (const [one, until] of inFlight) if (until < Date.now()) inFlight.delete(one);
    const leftBehind = new Promise<undefined>((resolve) => (end = () => resolve(undefined)));
    inFlight.set(end, Date.now() + 2 * outer_limit_ms());
    // No request takes so long in an instance that works: one that broke without a word has left all of them behind.
    deadline = setTimeout(breakOff, outer_limit_ms(), "a request was left without an answer");
    return (await Promise.race([answer(request, host, endAll), leftBehind])) ?? (heal(), interrupted());
  } catch (error) {
    return instead(error);
  } finally {
    clearTimeout(deadline);
    inFlight.delete(end);
  }
}

function breakOff(why: unknown): void {
  console.error("onegen: the HTTPS API broke (requests in flight get 503, the next one a fresh instance; please report it):", why);
  endAll();
  give_up();
}

function instead(why: unknown): Response {
  try {
    return (breakOff(why), heal(), interrupted());
  } catch {
    return new Response(null, { status: 503, headers: { "retry-after": "1" } });
  }
}
