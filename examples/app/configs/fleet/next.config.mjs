import { fileURLToPath } from "node:url";

export default {
  // Where the Onegen Worker is, and what opens it, come from ONEGEN_URL and ONEGEN_TOKEN when a process starts.
  cacheHandler: fileURLToPath(import.meta.resolve("onegen/next")),
  // Next.js's own memory beside it would know of no other process.
  cacheMaxMemorySize: 0,
  turbopack: { root: import.meta.dirname },
};
