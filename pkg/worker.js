// The Onegen Worker: hosts both Durable Object classes for apps that bind them through `script_name`.
export { RouteCoordinator, TagLedger } from "./objects.js";

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ status: "ok" });
    return Response.json(
      {
        type: "about:blank",
        title: "Not found",
        status: 404,
        detail: `There is nothing at ${pathname}: apps reach this Worker through Durable Object bindings with its script_name.`,
      },
      { status: 404, headers: { "content-type": "application/problem+json" } },
    );
  },
};
