// `cacheHandler` in next.config: processes of `next start` share the cache of an Onegen Worker.
import { Engine } from "../engine/node.js";
import { Host } from "../host.js";
import { Https } from "../https.js";
import { checkedOptions, count, flag, text } from "../options.js";
import { pathOf } from "../paths.js";
import { Build, moduleOfNext } from "./build.js";
import { NextHost } from "./host.js";
import { Requests } from "./requests.js";

/** Next.js makes three handlers per request, and may load this module more than once: the process has one cache. */
const HOST = Symbol.for("onegen.next");

const OPTIONS = {
  app: text('"app"'),
  memoryBytes: count("bytes", "16 MiB"),
  windowMs: count("milliseconds", "1000"),
  waitMs: count("milliseconds", "20000"),
  collapseData: flag("true"),
};

/**
 * A class for `cacheHandler`.
 *
 * @param {object} [options] `app`, `memoryBytes`, `windowMs`, `waitMs`, `collapseData`: see the README
 */
export function cacheHandler(options = {}) {
  return class OnegenCacheHandler {
    #cache;

    constructor(context) {
      const isBuild = process.env.NEXT_PHASE === "phase-production-build";
      // The worker of `next dev` that looks for static paths says that it is none (next 16.4, `server/dev/static-paths-worker.js`).
      const isDev = context.dev || process.env.NODE_ENV === "development";
      // Neither what is being edited nor a build that may never be deployed belongs into the shared cache.
      this.#cache = isDev || isBuild ? nextItself(context) : started(options, context.serverDistDir)?.forRequest(context._requestHeaders);
    }

    async get(key, ctx) {
      return this.#cache ? this.#cache.get(key, ctx) : null;
    }

    async set(key, value, ctx) {
      await this.#cache?.set(key, value, ctx);
    }

    async revalidateTag(tags, durations) {
      await this.#cache?.revalidateTag(tags, durations);
    }

    resetRequestCache() {}
  };
}

export default cacheHandler();

/** What Next.js would have used without a handler: of fetched data, builds and `next dev` keep what they always keep. */
function nextItself(context) {
  const { default: FileSystemCache } = moduleOfNext(context.serverDistDir, "file-system-cache.js") ?? {};
  return FileSystemCache ? new FileSystemCache(context) : null;
}

/** The process's cache. A mistake in the configuration is told in one sentence, and the app serves uncached. */
function started(options, serverDistDir) {
  if (globalThis[HOST] === undefined) {
    try {
      globalThis[HOST] = start(options, serverDistDir);
    } catch (error) {
      console.error(`onegen: ${error.message} (until then nothing is cached)`);
      globalThis[HOST] = null;
    }
  }
  return globalThis[HOST];
}

function start(given, serverDistDir) {
  const { collapseData, ...options } = checkedOptions(given, OPTIONS);
  const url = environment("ONEGEN_URL", "the address of your Onegen Worker, such as https://onegen.example.workers.dev", isAddress);
  const token = environment("ONEGEN_TOKEN", "a read-write token of this app, one of those in the Worker's ONEGEN_TOKENS", (value) => /^[\x21-\x7e]+$/.test(value));
  const build = new Build(serverDistDir);
  const engine = new Engine(options, build.id, build.previewId ?? crypto.randomUUID());
  const headerBytes = (prefix) => engine.call("header_bytes", prefix);
  const stores = new Https({ url, token, headerBytes, readSeed: (key) => build.seed(key) });
  const host = new Host({ engine, stores });
  const { lifetimes, expireTime } = build;
  const shareLifetime = (key, lifetime) => lifetimes?.set(key.startsWith("/route-cache/") ? key : pathOf(key), lifetime);
  const wasNotFound = (key) => build.wasNotFound(key);
  const next = new NextHost({ host, shareLifetime, expireTime, wasNotFound, collapseData });
  const requests = new Requests({
    engine,
    previewId: build.previewId,
    servedTo: (context, response) => next.servedTo(context, response),
    sent: (context, failed) => {
      if (!failed) next.giveBackShell(context).catch(() => {});
    },
    ended: (context, failed) => next.giveBack(context, failed).catch(() => {}),
  });
  requests.watch();
  return { forRequest: (headers = {}) => next.within(requests.contextFor(headers)) };
}

function environment(name, expected, holds) {
  const value = process.env[name];
  if (value && holds(value)) return value;
  throw new Error(`environment variable ${name} is ${value ? "not usable" : "missing"}: expected ${expected}; set it where "next start" runs`);
}

function isAddress(value) {
  return /^https?:$/.test(URL.canParse(value) ? new URL(value).protocol : "");
}
