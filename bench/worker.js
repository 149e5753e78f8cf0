// One Worker with both caches behind OpenNext's own adapter, as Next.js calls it. Which of them answers is an isolate's choice, made by its
// first request. It is bundled from among the modules of the example app.
import { AsyncLocalStorage } from "node:async_hooks";
import Adapter from "@opennextjs/aws/adapters/cache.js";
import kvCache from "@opennextjs/cloudflare/overrides/incremental-cache/kv-incremental-cache";
import shardedTags from "@opennextjs/cloudflare/overrides/tag-cache/do-sharded-tag-cache";
import { incrementalCache, tagCache, wrapWorker } from "onegen/opennext";

export { DOShardedTagCache } from "@opennextjs/cloudflare/durable-objects/sharded-tag-cache";
export { RouteCoordinator, TagLedger } from "onegen/objects";

const SHARDS = 12;
const requests = new AsyncLocalStorage();
const adapter = new Adapter();

process.env.OPEN_NEXT_BUILD_ID = "bench";
process.env.NEXT_PREVIEW_MODE_ID = "preview";
globalThis.__openNextAls = requests;
globalThis.nextVersion = "16.4.6";
globalThis.openNextConfig = { dangerous: {} };

const pageOf = (bytes, tags) => ({
  type: "app",
  html: "x".repeat(bytes),
  rsc: "0:{}",
  meta: { headers: { "content-type": "text/html; charset=utf-8", "x-next-cache-tags": Array.from({ length: tags }, (_, n) => `tag-${n}`).join() } },
  revalidate: 3600,
});

/** What is done `n` times. */
const doings = {
  nothing: async () => {},

  /** What Next.js asks for a page. */
  get: async (key) => {
    const found = await adapter.get(key, { kind: "APP_PAGE", isRoutePPREnabled: false });
    if (!found?.value) throw new Error(`${key} is not there`);
  },

  /** The binding calls of a cold `get`, by hand: KV, and what the ledger has had since. */
  byHand: async (key, env) => {
    const name = `onegen/1/app/bench/response/${key}`;
    const ledger = env.ONEGEN_TAGS.get(env.ONEGEN_TAGS.idFromName("onegen/1/app"));
    const [bytes] = await Promise.all([env.ONEGEN_KV.get(name, { type: "arrayBuffer" }), ledger.since("onegen/1/app", { position: { epoch: 0, number: 0 } })]);
    if (bytes === null) throw new Error(`${name} is not there`);
  },
};

const pages = {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const [key, n] = [searchParams.get("key"), Number(searchParams.get("n"))];
    if (pathname === "/set") {
      await globalThis.incrementalCache.set(key, pageOf(Number(searchParams.get("bytes")), Number(searchParams.get("tags"))), "cache");
      return new Response("set");
    }
    const doing = doings[pathname.slice(1)];
    for (let done = 0; done < n; done += 1) await doing(key, env);
    return new Response("done");
  },
};

const caches = {
  opennext: () => {
    globalThis.incrementalCache = kvCache;
    globalThis.tagCache = shardedTags({ baseShardSize: SHARDS });
    return {
      fetch(request, env, ctx) {
        globalThis[Symbol.for("__cloudflare-context__")] = { env, ctx, cf: {} };
        return requests.run({ requestId: "bench", writtenTags: new Set() }, () => pages.fetch(request, env, ctx));
      },
    };
  },
  onegen: (options) => {
    globalThis.incrementalCache = incrementalCache;
    globalThis.tagCache = tagCache;
    return wrapWorker({ fetch: (request, env, ctx) => requests.run({ requestId: "bench", writtenTags: new Set() }, () => pages.fetch(request, env, ctx)) }, options);
  },
};

let handler;

export default {
  fetch(request, env, ctx) {
    const [name, options] = (request.headers.get("x-cache") ?? "").split(" ");
    handler ??= caches[name](JSON.parse(options ?? "{}"));
    return handler.fetch(request, env, ctx);
  },
};
