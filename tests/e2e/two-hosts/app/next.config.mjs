import { fileURLToPath } from "node:url";
import { PHASE_PRODUCTION_SERVER } from "next/constants.js";

const useCache = fileURLToPath(import.meta.resolve("onegen/use-cache"));

/** For `next start`. What controls run is the same build with Next.js's own cache. */
const onegen = {
  cacheHandler: fileURLToPath(new URL("onegen.mjs", import.meta.url)),
  cacheMaxMemorySize: 0,
  cacheHandlers: { default: useCache, remote: useCache },
};

export default (phase) => ({
  ...(phase === PHASE_PRODUCTION_SERVER && !process.env.OWN_CACHE ? onegen : {}),
  experimental: { useCache: true },
  turbopack: { root: import.meta.dirname },
});
