// What the entry Worker imports: the wrapper around OpenNext's handler. Here the engine is loaded.
import { Bindings } from "../bindings.js";
import { RequestContext, currentContext, runInContext } from "../context.js";
import { Engine } from "../engine/workerd.js";
import { Host } from "../host.js";
import { checkedOptions, count, flag, text } from "../options.js";
import { headersOf } from "../response-headers.js";
import { UseCache } from "../use-cache/cache.js";
import { takePlace } from "../use-cache/worker.js";
import { OpenNextHost } from "./host.js";

export { incrementalCache, queue, tagCache, withOnegen } from "./config.js";

const HOST = Symbol.for("onegen.opennext");
const LEASE_HEADER = "x-onegen-lease";
const BUILD_HEADER = "x-onegen-build";
/** Stands in what OpenNext, and this, have the app regenerate by themselves. */
const ISR_HEADER = "x-isr";
const SEEDS = "cdn-cgi/_onegen";
/** A store begins with the response; what the app does in the background for longer is not waited for. */
const IDLE_LIMIT_MS = 5000;

const BINDINGS = {
  ONEGEN_KV: ["getWithMetadata", 'a KV namespace: add { "binding": "ONEGEN_KV" } to kv_namespaces'],
  ONEGEN_ROUTES: [
    "idFromName",
    'a Durable Object namespace: add { "name": "ONEGEN_ROUTES", "class_name": "RouteCoordinator" } to durable_objects.bindings',
  ],
  ONEGEN_TAGS: [
    "idFromName",
    'a Durable Object namespace: add { "name": "ONEGEN_TAGS", "class_name": "TagLedger" } to durable_objects.bindings',
  ],
};

const OPTIONS = {
  app: text('"app"'),
  memoryBytes: count("bytes", "16 MiB"),
  windowMs: count("milliseconds", "1000"),
  waitMs: count("milliseconds", "20000"),
  collapseData: flag("true"),
  seeds: flag("true"),
};

/**
 * Wraps OpenNext's Worker: gives every request its context, and its response the right headers.
 *
 * @param {{ fetch: Function }} handler the default export of `.open-next/worker.js`
 * @param {object} [options] `app`, `memoryBytes`, `windowMs`, `waitMs`, `collapseData`, `seeds`: see docs/options.md
 */
export function wrapWorker(handler, options = {}) {
  let cache;
  takePlace();
  const wrapped = {
    ...handler,
    async fetch(request, env, ctx) {
      cache ??= start(env, options);
      if (cache.broken) return handler.fetch(request, env, ctx);
      return serve(cache, handler, wrapped, request, env, ctx);
    },
  };
  return wrapped;
}

/** Makes the isolate's cache. A mistake in the configuration is told in one sentence, and the app serves uncached. */
function start(env, given) {
  try {
    const { seeds = true, collapseData, ...options } = checkedOptions(given, OPTIONS);
    for (const [name, [method, advice]] of Object.entries(BINDINGS)) {
      // A service's stub claims to have every method, and `fetch`, which an object namespace has not.
      const isService = method === "idFromName" && typeof env[name]?.fetch === "function";
      if (typeof env[name]?.[method] !== "function" || isService) {
        throw new Error(`binding ${name} is ${env[name] === undefined ? "missing" : "of another kind"}: expected ${advice}`);
      }
    }
    // OpenNext's middleware bundle sets both as it is loaded, before any request.
    const { OPEN_NEXT_BUILD_ID: build, NEXT_PREVIEW_MODE_ID: previewId } = process.env;
    if (!build || !previewId) {
      throw new Error(
        "OpenNext did not tell its build id: expected the default export of .open-next/worker.js in wrapWorker(handler); import that file",
      );
    }
    const engine = new Engine(options, build, previewId);
    const stores = new Bindings({
      kv: env.ONEGEN_KV,
      routes: env.ONEGEN_ROUTES,
      tags: env.ONEGEN_TAGS,
      assets: seeds ? env.ASSETS : undefined,
      seeds: `${SEEDS}/${encodeURIComponent(build)}`,
      ledgerName: engine.call("ledger_name"),
      namespaceKey: engine.call("namespace_id_key"),
    });
    const host = new Host({ engine, stores });
    const openNext = new OpenNextHost({ host, seeded: seeds && env.ASSETS !== undefined, build, previewId, collapseData });
    // A request that waits for another's promise hangs when that one ends.
    openNext.useCache = new UseCache({ host, currentContext, sharesPromises: false, waitMs: options.waitMs, ledger: "tag ledger" });
    globalThis[HOST] = openNext;
    return { host, openNext, build, previewId };
  } catch (error) {
    console.error(`onegen: ${error.message} (until then nothing is cached)`);
    // There is an entry Worker, and what is amiss with it has been said.
    globalThis[HOST] = null;
    return { broken: true };
  }
}

async function serve(cache, handler, wrapped, request, env, ctx) {
  const asked = request.headers.get(BUILD_HEADER);
  if (asked !== null && asked !== cache.build) return new Response(null, { status: 409, headers: { [BUILD_HEADER]: cache.build } });
  const context = openContext(cache, wrapped, request, env, ctx);
  try {
    const response = await runInContext(context, () => handler.fetch(context.request, env, context.tracked));
    context.responded(response);
    return finish(cache, context, response);
  } catch (error) {
    context.waitUntilEnd(giveBack(cache, context, true));
    throw error;
  }
}

function openContext({ host, previewId }, wrapped, request, env, ctx) {
  const token = request.headers.get(LEASE_HEADER);
  let plain = request;
  if (token !== null || request.headers.has(BUILD_HEADER)) {
    // The app must not see them: a page that reads its headers would depend on them.
    const headers = new Headers(request.headers);
    headers.delete(LEASE_HEADER);
    headers.delete(BUILD_HEADER);
    plain = new Request(request, { headers });
  }
  const context = new RequestContext(plain, env, ctx);
  context.carried = token === null ? undefined : host.engine.call("verify_lease", token, previewId);
  if (context.carried) context.leases.set(context.carried.entry_key, context.carried.lease);
  context.prefetch =
    request.headers.get("purpose") === "prefetch" ||
    request.headers.has("next-router-prefetch") ||
    request.headers.has("next-router-segment-prefetch");
  context.onDemand = !context.carried && request.headers.get("x-prerender-revalidate") === previewId;
  context.announces = context.onDemand && request.headers.get(ISR_HEADER) !== "1";
  context.here = (head) => wrapped.fetch(head, env, ctx);
  context.self = (head) => (env.WORKER_SELF_REFERENCE ? env.WORKER_SELF_REFERENCE.fetch(head) : context.here(head));
  return context;
}

/** Sets the headers, and sees to what is left to do once the response has ended. */
function finish(cache, context, response) {
  const joined = cache.openNext.join(context, response);
  const { served } = context;
  if (served?.entry?.stale && (joined || !isSeenTo(response))) {
    const { host, pathname } = new URL(context.request.url);
    cache.openNext.refresh(context, host, pathname);
  }
  const told = withHeaders(cache.host.engine, context, response);
  // What a response streams may be made after its head.
  if (context.leases.size === 0 && !cache.openNext.useCache.isUsed) return told;
  const failed = response.status >= 500;
  if (told.body === null) {
    context.waitUntilEnd(giveBack(cache, context, failed));
    return told;
  }
  const { readable, writable } = new TransformStream();
  const sent = told.body.pipeTo(writable).catch(() => {});
  context.waitUntilEnd(sent.then(() => giveBack(cache, context, failed)));
  return new Response(readable, told);
}

/** OpenNext sends a message of its own for what it calls stale itself. */
function isSeenTo({ headers }) {
  return headers.get("x-nextjs-cache") === "STALE" || headers.get("x-opennext-cache") === "STALE";
}

/** Whoever holds a lease and has stored nothing by the end of its request gives it back. */
async function giveBack({ host }, context, failed) {
  await context.idle(IDLE_LIMIT_MS);
  for (const [entryKey, lease] of context.leases) {
    context.generations.delete(entryKey);
    await host.release(context, { entryKey, lease, reason: context.reasonOf(lease, failed) });
  }
  context.leases.clear();
}

function withHeaders(engine, context, response) {
  if (!context.served) return response;
  const told = new Response(response.body, response);
  const given = { status: told.status, cacheControl: told.headers.get("cache-control") };
  for (const [name, value] of Object.entries(headersOf(engine, context.served, given))) told.headers.set(name, value);
  return told;
}
