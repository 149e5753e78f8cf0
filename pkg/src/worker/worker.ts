// The Onegen Worker: hosts both Durable Object classes, for apps that bind them through `script_name` and, by the HTTPS API,
// for processes outside of Workers.
import { type Env, hostOf } from "./api-host.js";
import { answered } from "./api.js";

export { RouteCoordinator, TagLedger } from "./objects.js";
export type { LedgerOptions, RouteOptions } from "./objects.js";
export type { Env } from "./api-host.js";

const worker: { fetch(request: Request, env: Env): Promise<Response> } = {
  fetch: (request, env) => answered(request, hostOf(env)),
};

export default worker;
