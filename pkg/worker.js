// The Onegen Worker: hosts both Durable Object classes, for apps that bind them through `script_name` and, by the HTTPS API,
// for processes outside of Workers.
import { answer, nothingAt } from "./api.js";

export { RouteCoordinator, TagLedger } from "./objects.js";

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ status: "ok" });
    return pathname.startsWith("/v1/") ? answer(request, env) : nothingAt(pathname);
  },
};
