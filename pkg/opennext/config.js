// What `open-next.config.ts` imports. OpenNext compiles this file into both of its bundles, where no wasm can be loaded:
// the work is done by the entry Worker (`wrapWorker`), found through a symbol.

const HOST = Symbol.for("onegen.opennext");
/** Both of OpenNext's bundles hold this file: what one has said the other need not. */
const WARNED = Symbol.for("onegen.opennext.warned");

/** The host in the entry Worker; null or undefined where there is none: then nothing is cached. */
function host() {
  const found = globalThis[HOST];
  if (found === undefined && !globalThis[WARNED]) {
    globalThis[WARNED] = true;
    console.warn(
      'onegen: nothing is cached, because the entry Worker is not wrapped: expected `export default wrapWorker(handler)` in the file that wrangler\'s `main` names; import wrapWorker from "onegen/opennext" there, and as the handler the default export of .open-next/worker.js',
    );
  }
  return found;
}

/** OpenNext's incremental cache, kept by Onegen. */
export const incrementalCache = {
  name: "onegen",
  async get(key, cacheType) {
    return (await host()?.get(key, cacheType)) ?? null;
  },
  async set(key, value, cacheType) {
    await host()?.set(key, value, cacheType);
  },
  async delete(key) {
    await host()?.delete(key);
  },
};

/** OpenNext's tag cache, kept by Onegen's ledger. */
export const tagCache = {
  name: "onegen",
  mode: "nextMode",
  /** Asked about what `use cache` keeps, which Onegen keeps without OpenNext: elsewhere nothing of it counts. */
  async getLastRevalidated() {
    return Date.now();
  },
  async hasBeenRevalidated(tags, lastModified) {
    return (await host()?.hasBeenRevalidated(tags, lastModified)) ?? true;
  },
  async isStale(tags, lastModified) {
    return (await host()?.isStale(tags, lastModified)) ?? false;
  },
  async writeTags(tags) {
    await host()?.writeTags(tags);
  },
};

/** OpenNext's revalidation queue: who regenerates is decided by the route's coordinator. */
export const queue = {
  name: "onegen",
  async send(message) {
    host()?.revalidate(message);
  },
};

/**
 * Adds Onegen to an OpenNext configuration.
 *
 * @param {object} config what `defineCloudflareConfig` returned
 * @returns {object} the configuration with Onegen's incremental cache, tag cache and queue
 */
export function withOnegen(config) {
  if (config?.default?.override === undefined || config.middleware?.override === undefined) {
    throw new Error(
      "withOnegen(config): expected what defineCloudflareConfig() of @opennextjs/cloudflare returns; pass it that",
    );
  }
  const overrides = { incrementalCache: () => incrementalCache, tagCache: () => tagCache, queue: () => queue };
  return {
    ...config,
    default: { ...config.default, override: { ...config.default.override, ...overrides } },
    middleware: { ...config.middleware, override: { ...config.middleware.override, ...overrides } },
  };
}

/** Only the entry Worker can wrap anything. */
export function wrapWorker() {
  throw new Error(
    'wrapWorker() of "onegen/opennext" runs in workerd: import it in the file that wrangler\'s `main` names, not in open-next.config.ts',
  );
}
