/** Sums up what the apps' counted R2 buckets and D1 databases tell, and is the test's way to the databases themselves. */

import { WorkerEntrypoint } from "cloudflare:workers";

/** @type {Record<string, number>} */
let counts = {};

export class Stores extends WorkerEntrypoint {
  add(operations) {
    for (const [what, times] of Object.entries(operations)) counts[what] = (counts[what] ?? 0) + times;
  }
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /counts":
        return Response.json(counts);
      case "DELETE /counts":
        counts = {};
        return new Response(null, { status: 204 });
      case "POST /sql":
        await env[searchParams.get("binding")].prepare(await request.text()).run();
        return new Response(null, { status: 204 });
      default:
        return new Response("unknown", { status: 404 });
    }
  },
};
