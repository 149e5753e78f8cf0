// The Onegen Worker: hosts both Durable Object classes, for apps that bind them through `script_name` and, by the HTTPS API,
// for processes outside of Workers.
import { hostOf } from "./api-host.js";
import { answered } from "./api.js";
import type { Env } from "./env.js";

export { RouteCoordinator, TagLedger } from "./objects.js";
export type { LedgerOptions, RouteOptions } from "./objects.js";
export type { Env } from "./env.js";

/** What keeps a request at work. */
interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

const worker: { fetch(request: Request, env: Env, ctx?: Context): Promise<Response> } = {
  fetch(request, env, ctx) {
    const answer = answered(request, hostOf(env));
    // What a client that went away has begun ends by itself, instead of staying in wasm memory.
    ctx?.waitUntil(answer);
    return answer;
  },
};

export default worker;
