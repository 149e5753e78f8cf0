// A process with the real caches of some version of Next.js over a handler, which does what it is told over IPC. Its working folder is a
// built app. Bytes, Maps and `undefined` come and go as they are.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const next = (file) => require(`next/dist/server/${file}`);
const handlerOf = async (name) => (await import(pathToFileURL(name.startsWith("/") ? name : require.resolve(name)).href)).default;

const { CACHE_HANDLER, USE_CACHE_HANDLER } = process.env;
const serverDistDir = join(process.cwd(), ".next/server");
const manifest = JSON.parse(readFileSync(".next/prerender-manifest.json", "utf8"));
const { IncrementalCache } = next("lib/incremental-cache/index.js");
const { default: ResponseCache } = next("response-cache/index.js");
/** From 15.5.27, 16.3.8 and 16.4 on entries belong to routes. */
const isOwned = existsSync(require.resolve("next/package.json").replace("package.json", "dist/server/lib/route-cache-key.js"));
const Handler = await handlerOf(CACHE_HANDLER);
const useCache = USE_CACHE_HANDLER === "built-in" ? builtIn() : await handlerOf(USE_CACHE_HANDLER);

/** What Next.js keeps `use cache` in without a handler. */
function builtIn() {
  const folder = require.resolve("next/package.json").replace("package.json", "dist/server/lib/cache-handlers");
  const file = readdirSync(folder).sort().findLast((name) => /^default(\.external)?\.js$/.test(name));
  const { createDefaultCacheHandler, default: ready } = next(`lib/cache-handlers/${file}`);
  return createDefaultCacheHandler ? createDefaultCacheHandler(50_000_000) : ready;
}

const routeOf = (kind) => ({ kind, sourceRoute: `/conformance/${kind === "APP_PAGE" ? "page" : "route"}` });
const owned = (kind, more) => ({ ...more, ...(isOwned && { route: routeOf(kind) }) });

/** A cache as Next.js makes one for each request. */
function incrementalCache(requestHeaders = {}) {
  return new IncrementalCache({
    dev: false,
    minimalMode: false,
    flushToDisk: false,
    serverDistDir,
    requestHeaders,
    maxMemoryCacheSize: 0,
    fetchCacheKeyPrefix: "",
    CurCacheHandler: Handler,
    getPrerenderManifest: () => manifest,
    prerenderManifest: manifest,
    previewProps: manifest.preview,
  });
}

const imageHandler = () => new Handler({ dev: false, serverDistDir, revalidatedTags: [], _requestHeaders: {} });

/** One for each kind of route, as each route's module has. */
const responseCache = isOwned ? new ResponseCache({ minimalMode: false, route: routeOf("APP_ROUTE") }) : new ResponseCache(false);

/** Key → how often it was rendered. */
const renders = new Map();
const rendersOf = (key) => renders.get(key) ?? 0;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const answers = {
  /** A response through Next.js's own response cache; what it does afterwards has ended when this is answered, unless `early`. */
  async respond({ key, body, cacheControl, headers = {}, fail = false, delayMs = 0, onDemand = false, prefetch = false, early = false }) {
    const before = rendersOf(key);
    let background;
    const generate = async () => {
      renders.set(key, rendersOf(key) + 1);
      await sleep(delayMs);
      if (fail) throw new Error("the render fails");
      return { value: { kind: "APP_ROUTE", body: Buffer.from(body), status: 200, headers }, cacheControl };
    };
    const requestHeaders = onDemand ? { "x-prerender-revalidate": manifest.preview.previewModeId } : {};
    const entry = await responseCache
      .get(key, generate, {
        routeKind: "APP_ROUTE",
        incrementalCache: incrementalCache(requestHeaders),
        isOnDemandRevalidate: onDemand,
        isPrefetch: prefetch,
        waitUntil: (promise) => (background = promise.catch(() => {})),
      })
      .catch((error) => ({ error }));
    if (!early) await background;
    if (entry?.error) return { error: entry.error.message, renders: rendersOf(key) - before };
    const { value, isStale, cacheControl: told } = entry;
    return { body: value.body.toString("utf8"), isStale, cacheControl: told, renders: rendersOf(key) - before };
  },

  get: ({ key, kind, ...ctx }) => incrementalCache().get(key, kind === "FETCH" ? { kind, ...ctx } : owned(kind, { kind, isFallback: false, ...ctx })),

  async set({ key, kind, value, ...ctx }) {
    await incrementalCache().set(key, value, kind === "FETCH" ? { fetchCache: true, ...ctx } : owned(kind, ctx));
    // Whether it was written into.
    return value;
  },

  /** Next.js asks a handler about images without its `IncrementalCache`'s `get` (its `server/image-optimizer.js`). */
  setImage: ({ key, value, cacheControl }) => imageHandler().set(key, value, { kind: "IMAGE", cacheControl }),
  getImage: async ({ key }) => (await imageHandler().get(key, { kind: "IMAGE", isFallback: false }))?.value,

  /** The same twice, with something written into what was got first. */
  async getAndSpoil({ key, kind }) {
    const first = await answers.get({ key, kind });
    first.value.headers["x-spoiled"] = "yes";
    return answers.get({ key, kind });
  },

  /** `durations` that JSON would lose are meant. */
  revalidateTag: ({ tags, durations, profiled }) => (profiled ? incrementalCache().revalidateTag(tags, durations) : incrementalCache().revalidateTag(tags)),

  async useCacheGet({ key, softTags = [] }) {
    const entry = await useCache.get(key, softTags);
    return entry && { ...entry, value: Buffer.concat(await Array.fromAsync(entry.value)) };
  },

  async useCacheSet({ key, entry, failsMidway = false, rejects = false }) {
    if (rejects) return useCache.set(key, Promise.reject(new Error("it was not made"))).catch(() => {});
    return useCache.set(key, Promise.resolve({ ...entry, value: streamOf(entry.value, failsMidway) })).catch(() => {});
  },

  /** Asked for while it is being made: is it waited for? */
  async useCachePending({ key, entry, ms }) {
    const made = sleep(ms).then(() => ({ ...entry, value: streamOf(entry.value) }));
    const stored = useCache.set(key, made);
    const got = await answers.useCacheGet({ key });
    await stored;
    return got;
  },

  async useCacheTags({ tags, durations, profiled = false, varargs = false }) {
    if (varargs) return useCache.expireTags(...tags);
    return profiled ? useCache.updateTags(tags, durations) : useCache.updateTags(tags);
  },

  async useCacheExpiration({ tags, varargs = false }) {
    await useCache.refreshTags();
    return varargs ? useCache.getExpiration(...tags) : useCache.getExpiration(tags);
  },

  /** What nobody handled. */
  unhandled: () => unhandled,
};

function streamOf(bytes, failsMidway) {
  const halves = [bytes.subarray(0, bytes.byteLength >> 1), bytes.subarray(bytes.byteLength >> 1)];
  return new ReadableStream({
    pull(controller) {
      const half = halves.shift();
      if (half === undefined) controller.close();
      else if (failsMidway && halves.length === 0) controller.error(new Error("it breaks off"));
      else controller.enqueue(new Uint8Array(half));
    },
  });
}

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(String(reason?.stack ?? reason)));

process.on("message", async ({ id, question, given }) => {
  try {
    process.send({ id, answer: await answers[question](given) });
  } catch (error) {
    process.send({ id, error: error?.message ?? String(error) });
  }
});
process.send({ ready: true });
