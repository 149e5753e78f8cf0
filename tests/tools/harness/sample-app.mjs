/** The bundle that the harness tests itself with: one handler, one Durable Object class, one KV namespace, and renders. */

import { inlineBundle } from "./bundle.mjs";

export const sampleApp = (options) =>
  inlineBundle(
    `
    import { DurableObject } from "cloudflare:workers";

    let isolate;

    export default {
      async fetch(request, env) {
        isolate ??= crypto.randomUUID();
        const url = new URL(request.url);
        const key = url.searchParams.get("key");
        const counter = env.COUNTERS.get(env.COUNTERS.idFromName(key ?? "only"));
        switch (url.pathname) {
          case "/isolate":
            return new Response(isolate);
          case "/host":
            return new Response(url.host);
          case "/self":
            return env.WORKER_SELF_REFERENCE.fetch("http://self/isolate");
          case "/put":
            await env.ONEGEN_KV.put(key, url.searchParams.get("value"), { metadata: { by: isolate } });
            return new Response("put");
          case "/get":
            return new Response((await env.ONEGEN_KV.get(key)) ?? "nothing");
          case "/echo-kv": {
            const stored = await env.ONEGEN_KV.getWithMetadata(key, { type: "arrayBuffer" });
            return new Response(stored.value, { headers: { metadata: JSON.stringify(stored.metadata) } });
          }
          case "/put-object":
            await env.BUCKET.put(key, url.searchParams.get("value"));
            return new Response("put");
          case "/get-object":
            return new Response((await (await env.BUCKET.get(key))?.text()) ?? "nothing");
          case "/insert":
            await env.DATABASE.batch([env.DATABASE.prepare("INSERT INTO names VALUES (?)").bind(key)]);
            return new Response("inserted");
          case "/names":
            return Response.json(await env.DATABASE.prepare("SELECT name FROM names").raw());
          case "/cached": {
            const cache = await caches.open("sample");
            const found = await cache.match("http://sample/" + key);
            if (found) return found;
            await cache.put("http://sample/" + key, new Response(isolate, { headers: { "cache-control": "max-age=60" } }));
            return new Response("not yet");
          }
          case "/count":
            return new Response(String(await counter.add(1)));
          case "/hold":
            return new Response(await counter.hold().catch((error) => error.message));
          case "/release":
            return new Response(await counter.release());
          case "/rejected":
            return new Response(await counter.add(1).then(() => "answered", (error) => error.message));
          default:
            return render(url.pathname, env);
        }
      },
    };

    async function render(path, env) {
      const id = crypto.randomUUID();
      const query = new URLSearchParams({ path, id });
      const { delayMs, fail } = await (await env.PROBE.fetch("http://probe/render?" + query, { method: "POST" })).json();
      if (delayMs) await scheduler.wait(delayMs);
      await env.PROBE.fetch("http://probe/rendered?" + query, { method: "POST" });
      return new Response(fail ? "failed" : id, { status: fail ? 500 : 200 });
    }

    export class Counter extends DurableObject {
      #waiting = [];

      async add(by) {
        const count = ((await this.ctx.storage.get("count")) ?? 0) + by;
        await this.ctx.storage.put("count", count);
        return count;
      }

      async hold() {
        const number = await new Promise((resolve) => this.#waiting.push(resolve));
        return "released with " + number;
      }

      async release() {
        const waiting = this.#waiting.splice(0);
        for (const resolve of waiting) resolve(waiting.length);
        return String(waiting.length);
      }
    }
    `,
    { kv: ["ONEGEN_KV"], durableObjects: { COUNTERS: "Counter" }, ...options },
  );
