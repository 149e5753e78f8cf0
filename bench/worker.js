// One Worker with both caches behind OpenNext's own adapter, as Next.js calls it. Which of them answers is an isolate's choice, made by its
// first request. It is bundled from among the modules of the example app.
import { DurableObject } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";
import Adapter from "@opennextjs/aws/adapters/cache.js";
import kvCache from "@opennextjs/cloudflare/overrides/incremental-cache/kv-incremental-cache";
import shardedTags from "@opennextjs/cloudflare/overrides/tag-cache/do-sharded-tag-cache";
import { incrementalCache, tagCache, wrapWorker } from "onegen/opennext";

export { DOShardedTagCache } from "@opennextjs/cloudflare/durable-objects/sharded-tag-cache";
export { RouteCoordinator, TagLedger } from "onegen/objects";

const SHARDS = 12;
const LIMIT_MS = 2500;
const decoder = new TextDecoder();
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

/** The binding calls of a cold `get`, by hand: KV, and what the ledger has had since. */
async function byHand(key, env) {
  const name = `onegen/1/app/bench/response/${key}`;
  const ledger = env.ONEGEN_TAGS.get(env.ONEGEN_TAGS.idFromName("onegen/1/app"));
  const [bytes] = await Promise.all([env.ONEGEN_KV.get(name, { type: "arrayBuffer" }), ledger.since("onegen/1/app", { position: { epoch: 0, number: 0 } })]);
  if (bytes === null) throw new Error(`${name} is not there`);
  return bytes;
}

async function within(key, env, ctx) {
  const work = byHand(key, env);
  ctx.waitUntil(work);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${key}: no answer`)), LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is done `n` times. */
const doings = {
  nothing: async () => {},

  /** What Next.js asks for a page. */
  get: async (key) => {
    const found = await adapter.get(key, { kind: "APP_PAGE", isRoutePPREnabled: false });
    if (!found?.value) throw new Error(`${key} is not there`);
  },

  byHand,
  /** That, as nobody may leave it: a store that stays silent fails, and a visitor who leaves ends nothing. */
  byHandWithin: within,
  /** That, as OpenNext takes a page: texts. */
  byHandInTexts: async (key, env, ctx) => {
    if (decoder.decode(await within(key, env, ctx)).length === 0) throw new Error(`${key} is empty`);
  },
  /** A cold `get` without OpenNext's adapter. */
  override: async (key) => {
    if (!(await globalThis.incrementalCache.get(key, "cache"))?.value) throw new Error(`${key} is not there`);
  },

  lease: (key, env) => lease(env.ONEGEN_ROUTES, key),
  plainLease: (key, env) => lease(env.PLAIN_ROUTES, key),

  /** A lease through an object that begins anew each time, as it does after it was evicted. */
  restartedLease: async (key, env) => {
    await lease(env.ONEGEN_ROUTES, `${key}/${crypto.randomUUID()}`);
  },
};

/** A coordinator in JavaScript with the same SQL: it grants a lease to whoever asks while nobody has it, and takes it back. */
export class PlainCoordinator extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS route (id INTEGER PRIMARY KEY, row TEXT NOT NULL)");
  }

  async acquire(_name, { have, holder, position }) {
    const route = this.#load();
    const now = Date.now();
    if (route.grant && now < route.grant.deadline) return { answer: { hold: { ms: route.grant.deadline - now, reason: "rendering" } } };
    const generation = Math.max(route.generation, have ?? 0, route.createdAt) + 1;
    const lease = { generation, holder, position };
    this.#store({ ...route, generation, touchedAt: now, grant: { lease, grantedAt: now, deadline: now + 10_000 } });
    return { answer: { granted: { lease, remaining_ms: 10_000 } } };
  }

  async abandon(_name, { lease }) {
    const route = this.#load();
    if (route.grant?.lease.generation === lease.generation && route.grant.lease.holder === lease.holder) this.#store({ ...route, grant: undefined });
  }

  #load() {
    const [found] = this.ctx.storage.sql.exec("SELECT row FROM route WHERE id = 1").toArray();
    return found ? JSON.parse(found.row) : { createdAt: Date.now(), generation: 0 };
  }

  #store(route) {
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO route (id, row) VALUES (1, ?)", JSON.stringify(route));
  }
}

/** A lease is asked for, granted, and given back. */
async function lease(namespace, key) {
  const stub = namespace.get(namespace.idFromName(key));
  const holder = crypto.randomUUID();
  const { answer } = await stub.acquire(key, { holder, position: { epoch: 0, number: 0 }, need: "fill", wait_ms: 0 });
  if (!answer.granted) throw new Error(`no lease for ${key}: ${JSON.stringify(answer)}`);
  await stub.abandon(key, { lease: { generation: answer.granted.lease.generation, holder }, reason: "unused" });
}

const pages = {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const [key, n] = [searchParams.get("key"), Number(searchParams.get("n"))];
    if (pathname === "/set") {
      // Of which KV has something else than an entry: its coordinator hands it over.
      if (searchParams.has("spoilt")) {
        await env.ONEGEN_KV.put(`onegen/1/app/bench/response/${key}`, "no entry");
        return new Response("spoilt");
      }
      await globalThis.incrementalCache.set(key, pageOf(Number(searchParams.get("bytes")), Number(searchParams.get("tags"))), "cache");
      return new Response("set");
    }
    const doing = doings[pathname.slice(1)];
    for (let done = 0; done < n; done += 1) await doing(key, env, ctx);
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
