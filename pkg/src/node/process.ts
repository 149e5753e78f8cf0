// The one cache of a process of `next start`: whichever of `onegen/next` and `onegen/use-cache` is asked first starts it.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf } from "../base/errors.js";
import { checkedOptions, count, flag, text } from "../base/options.js";
import { Engine } from "../engine/node.js";
import type { RequestContext } from "../host/context.js";
import { Host } from "../host/host.js";
import type { CacheControl } from "../next-format/next-values.js";
import { pathOf } from "../next-format/paths.js";
import { LEDGER, NextHost, type RequestCache } from "../next/host.js";
import type { OnegenOptions } from "../next/options.js";
import { Https } from "../stores/https.js";
import { UseCache } from "../use-cache/cache.js";
import { accessFrom } from "./access.js";
import { Build, moduleOfNext } from "./build.js";
import { Requests } from "./requests.js";

/** Next.js makes three handlers per request, and may load these modules more than once: the process has one cache. */
const CACHE = Symbol.for("onegen.next");
const GIVEN = Symbol.for("onegen.next.options");

/** The cache of a process. */
export interface ProcessCache {
  /** @param headers of the request that a handler was made for */
  forRequest(headers?: Record<string, string>): RequestCache;
  readonly useCache: UseCache | undefined;
}

/** What Next.js makes its handlers with. */
interface HandlerContext {
  readonly serverDistDir?: string | undefined;
}

const shared = globalThis as { [CACHE]?: ProcessCache | null; [GIVEN]?: { options: unknown } };

const OPTIONS = {
  app: text('"app"'),
  memoryBytes: count("bytes", "16 MiB"),
  windowMs: count("milliseconds", "1000"),
  waitMs: count("milliseconds", "20000"),
  collapseData: flag("true"),
};

/** Options given by either; the other may be named without any. */
export function giveOptions(options: unknown): void {
  shared[GIVEN] ??= { options };
}

/**
 * Whether this is `next build` or `next dev`: neither a build that may never be deployed nor what is being edited belongs into the
 * shared cache. Processes that Next.js starts beside its own are told of it by their environment alone.
 */
export function isPrivate(): boolean {
  const { NEXT_PHASE, NODE_ENV, __NEXT_DEV_SERVER } = process.env;
  return NEXT_PHASE === "phase-production-build" || Boolean(__NEXT_DEV_SERVER ?? NODE_ENV === "development");
}

/**
 * The process's cache. A mistake in the configuration is told in one sentence, and the app serves uncached.
 *
 * @param serverDistDir `<dist>/server`, where Next.js has told it
 */
export function processCache(serverDistDir?: string): ProcessCache | null {
  if (shared[CACHE] === undefined) {
    try {
      shared[CACHE] = start(shared[GIVEN] ? shared[GIVEN].options : {}, serverDistDir);
    } catch (error) {
      console.error(`onegen: ${messageOf(error)} (until then nothing is cached)`);
      shared[CACHE] = null;
    }
  }
  return shared[CACHE];
}

/** Next.js's own cache. */
interface NextCache {
  get(key: string, ctx: unknown): Promise<unknown>;
  set(key: string, value: unknown, ctx: unknown): Promise<void>;
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;
}

interface FileSystemCacheModule {
  default?: new (context: HandlerContext) => NextCache;
}

/** What Next.js would have used without a handler: of fetched data, builds and `next dev` keep what they always keep. */
export function nextItself(context: HandlerContext): NextCache | null {
  const { default: FileSystemCache } = (moduleOfNext(context.serverDistDir, "file-system-cache.js") ?? {}) as FileSystemCacheModule;
  return FileSystemCache ? new FileSystemCache(context) : null;
}

function start(given: unknown, serverDistDir: string | undefined): ProcessCache {
  const { collapseData, ...options } = checkedOptions<OnegenOptions>(given, OPTIONS);
  const { url, token } = accessFrom(process.env, 'set it where "next start" runs');
  const build = new Build(serverDistDir ?? foundBuild());
  const engine = new Engine(options, build.id, build.previewId ?? crypto.randomUUID());
  const headerBytes = (stored: Uint8Array) => engine.headerBytes(stored);
  const stores = new Https({ url, token, headerBytes, readSeed: (key) => build.seed(key) });
  const host = new Host({ engine, stores });
  const { lifetimes, expireTime } = build;
  const shareLifetime = (key: string, lifetime: CacheControl) => {
    lifetimes?.set(key.startsWith("/route-cache/") ? key : pathOf(key), lifetime);
  };
  const wasNotFound = (key: string) => build.wasNotFound(key);
  const next = new NextHost({ host, shareLifetime, expireTime, wasNotFound, collapseData });
  const useCache = new UseCache({
    host,
    currentContext: () => requests.current(),
    isNested: build.nesting,
    sharesPromises: true,
    waitMs: options.waitMs,
    ledger: LEDGER,
  });
  const requests: Requests = new Requests({
    engine,
    previewId: build.previewId,
    servedTo: (context, response) => next.servedTo(context, response),
    sent: (context, failed) => {
      if (!failed) next.giveBackShell(context).catch(() => {});
    },
    ended: (context, failed) => {
      void giveBack(context, failed);
    },
  });
  const giveBack = async (context: RequestContext, failed: boolean) => {
    for (const one of [next, useCache]) await one.giveBack(context, failed).catch(() => {});
  };
  requests.watch();
  return { forRequest: (headers = {}) => next.within(requests.contextFor(headers)), useCache };
}

/** Handlers of `use cache` are not told where the build is. */
function foundBuild(): string {
  const { distDir: standalone } = JSON.parse(process.env.__NEXT_PRIVATE_STANDALONE_CONFIG ?? "{}") as { distDir?: string };
  const candidates = [standalone, ".next"].filter((dist) => dist !== undefined).map((dist) => resolve(dist));
  const found = candidates.find((dist) => existsSync(join(dist, "BUILD_ID")));
  if (found) return join(found, "server");
  throw new Error(
    `"onegen/use-cache" finds no build in ${candidates[0]}: expected what "next build" makes; name "onegen/next" as cacheHandler beside it, which is told where the build is, or start in the app's folder`,
  );
}
