// The Onegen Worker: hosts both Durable Object classes, for apps that bind them through `script_name` and, by the HTTPS API,
// for processes outside of Workers.
import { type Env, answer, nothingAt } from "./api.js";

export { RouteCoordinator, TagLedger } from "./objects.js";
export type { LedgerOptions, RouteOptions } from "./objects.js";
export type { Env } from "./api.js";

const worker: { fetch(request: Request, env: Env): Promise<Response> } = {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ status: "ok" });
    return pathname.startsWith("/v1/") ? answer(request, env) : nothingAt(pathname);
  },
};

export default worker;
