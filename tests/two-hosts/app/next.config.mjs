import { fileURLToPath } from "node:url";

const onegen = {
  cacheHandler: fileURLToPath(import.meta.resolve("onegen/next")),
  cacheMaxMemorySize: 0,
};

export default {
  // What controls run is the same build with Next.js's own cache. OpenNext takes no notice of either.
  ...(process.env.OWN_CACHE ? {} : onegen),
  turbopack: { root: import.meta.dirname },
};
