// What the entry Worker imports: the wrapper around OpenNext's handler. Here the engine is loaded.
import { messageOf } from "../base/errors.js";
import { checkedOptions, count, flag, text } from "../base/options.js";
import { Engine } from "../engine/workerd.js";
import { type ExecutionContext, RequestContext, currentContext, runInContext } from "../host/context.js";
import { Host } from "../host/host.js";
import { headersOf } from "../host/response-headers.js";
import { Bindings } from "../stores/bindings.js";
import type { Fetcher, KvNamespace, LedgerMethods, ObjectNamespace, RouteMethods } from "../stores/cloudflare.js";
import { UseCache } from "../use-cache/cache.js";
import { installHandler } from "../use-cache/worker.js";
import type { EntryHost, FetchHandler, OnegenOptions } from "./config.js";
import { OpenNextHost } from "./host.js";

export { incrementalCache, queue, tagCache, withOnegen } from "./config.js";
export type { FetchHandler, OnegenOptions } from "./config.js";

const HOST = Symbol.for("onegen.opennext");
const shared = globalThis as { [HOST]?: EntryHost | null };
const LEASE_HEADER = "x-onegen-lease";
const BUILD_HEADER = "x-onegen-build";
/** Stands in what OpenNext, and this, have the app regenerate by themselves. */
const ISR_HEADER = "x-isr";
const SEEDS = "cdn-cgi/_onegen";
/** A store begins with the response; what the app does in the background for longer is not waited for. */
const IDLE_LIMIT_MS = 5000;

/** What the entry Worker is bound to. */
interface Env {
  readonly ONEGEN_KV: KvNamespace;
  readonly ONEGEN_ROUTES: ObjectNamespace<RouteMethods>;
  readonly ONEGEN_TAGS: ObjectNamespace<LedgerMethods>;
  readonly ASSETS?: Fetcher;
  readonly WORKER_SELF_REFERENCE?: Fetcher;
}

/** A Worker of any app's. */
interface Handler {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response>;
}

/** The cache of an isolate. */
interface Cache {
  readonly host: Host;
  readonly openNext: OpenNextHost;
  readonly build: string;
  readonly previewId: string;
}

const BINDINGS: Record<string, [method: string, advice: string]> = {
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
 * @param handler the default export of `.open-next/worker.js`
 * @param options see docs/options.md
 */
export function wrapWorker<App extends FetchHandler>(handler: App, options: OnegenOptions = {}): App {
  let cache: Cache | "broken" | undefined;
  installHandler();
  const app = handler as unknown as Handler;
  const wrapped = {
    ...handler,
    async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
      cache ??= start(env, options);
      if (cache === "broken") return app.fetch(request, env, ctx);
      return serve(cache, app, wrapped, request, env, ctx);
    },
  };
  return wrapped;
}

/** Makes the isolate's cache. A mistake in the configuration is told in one sentence, and the app serves uncached. */
function start(env: Env, given: unknown): Cache | "broken" {
  try {
    const { seeds = true, collapseData, ...options } = checkedOptions<OnegenOptions>(given, OPTIONS);
    const bound = env as unknown as Record<string, Record<string, unknown> | undefined>;
    for (const [name, [method, advice]] of Object.entries(BINDINGS)) {
      // A service's stub claims to have every method, and `fetch`, which an object namespace has not.
      const isService = method === "idFromName" && typeof bound[name]?.fetch === "function";
      if (typeof bound[name]?.[method] !== "function" || isService) {
        throw new Error(`binding ${name} is ${bound[name] === undefined ? "missing" : "of another kind"}: expected ${advice}`);
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
    const [ledgerName, namespaceKey] = [engine.call("ledger_name"), engine.call("namespace_id_key")];
    if (ledgerName === undefined || namespaceKey === undefined) throw new Error("the engine panics whatever it is asked");
    const stores = new Bindings({
      kv: env.ONEGEN_KV,
      routes: env.ONEGEN_ROUTES,
      tags: env.ONEGEN_TAGS,
      assets: seeds ? env.ASSETS : undefined,
      seeds: `${SEEDS}/${encodeURIComponent(build)}`,
      ledgerName,
      namespaceKey,
    });
    const host = new Host({ engine, stores });
    const openNext = new OpenNextHost({ host, seeded: seeds && env.ASSETS !== undefined, build, previewId, collapseData });
    // A request that waits for another's promise hangs when that one ends.
    openNext.useCache = new UseCache({ host, currentContext, sharesPromises: false, waitMs: options.waitMs, ledger: "tag ledger" });
    shared[HOST] = openNext;
    return { host, openNext, build, previewId };
  } catch (error) {
    console.error(`onegen: ${messageOf(error)} (until then nothing is cached)`);
    // There is an entry Worker, and what is amiss with it has been said.
    shared[HOST] = null;
    return "broken";
  }
}

async function serve(
  cache: Cache,
  handler: Handler,
  wrapped: Handler,
  request: Request,
  env: Env,
  ctx: ExecutionContext,
): Promise<Response> {
  const asked = request.headers.get(BUILD_HEADER);
  if (asked !== null && asked !== cache.build) return new Response(null, { status: 409, headers: { [BUILD_HEADER]: cache.build } });
  const { context, plain } = openContext(cache, wrapped, request, env, ctx);
  try {
    const response = await runInContext(context, () => handler.fetch(plain, env, context.tracked));
    context.responded(response);
    return finish(cache, context, response);
  } catch (error) {
    context.waitUntilEnd(giveBack(cache, context, true));
    throw error;
  }
}

/** The request's context, and the request as the app sees it. */
function openContext(
  { host, previewId }: Cache,
  wrapped: Handler,
  request: Request,
  env: Env,
  ctx: ExecutionContext,
): { context: RequestContext; plain: Request } {
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
  const here = async (head: Request) => wrapped.fetch(head, env, ctx);
  context.here = here;
  context.self = (head) => (env.WORKER_SELF_REFERENCE ? env.WORKER_SELF_REFERENCE.fetch(head) : here(head));
  return { context, plain };
}

/** Sets the headers, and sees to what is left to do once the response has ended. */
function finish(cache: Cache, context: RequestContext, response: Response): Response {
  const joined = cache.openNext.join(context, response);
  const { served } = context;
  if (served?.entry?.stale && (joined || !isSeenTo(response))) {
    const { host, pathname } = new URL(context.request?.url ?? "");
    cache.openNext.refresh(context, host, pathname);
  }
  const told = withHeaders(cache.host.engine, context, response);
  // What a response streams may be made after its head.
  if (context.leases.size === 0 && !cache.openNext.useCache?.isUsed) return told;
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
function isSeenTo({ headers }: Response): boolean {
  return headers.get("x-nextjs-cache") === "STALE" || headers.get("x-opennext-cache") === "STALE";
}

/** Whoever holds a lease and has stored nothing by the end of its request gives it back. */
async function giveBack({ host }: Cache, context: RequestContext, failed: boolean): Promise<void> {
  await context.idle(IDLE_LIMIT_MS);
  for (const [entryKey, lease] of context.leases) {
    context.generations.delete(entryKey);
    await host.release(context, { entryKey, lease, reason: context.reasonOf(lease, failed) });
  }
  context.leases.clear();
}

function withHeaders(engine: Engine, context: RequestContext, response: Response): Response {
  if (!context.served) return response;
  const told = new Response(response.body, response);
  const given = { status: told.status, cacheControl: told.headers.get("cache-control") };
  for (const [name, value] of Object.entries(headersOf(engine, context.served, given))) told.headers.set(name, value);
  return told;
}
