import { join } from "node:path";

export default {
  cacheHandler: join(import.meta.dirname, "redis-handler.mjs"),
  cacheMaxMemorySize: 0,
  turbopack: { root: import.meta.dirname },
};
