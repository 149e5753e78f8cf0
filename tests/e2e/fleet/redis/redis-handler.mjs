// As the handler's README sets it up. While the app is built there is no Redis: nobody keeps the pages of the build.
import { CacheHandler } from "@fortedigital/nextjs-cache-handler";
import createRedisHandler from "@fortedigital/nextjs-cache-handler/redis-strings";
import { createClient } from "@redis/client";
import { PHASE_PRODUCTION_BUILD } from "next/constants.js";

// Stale pages are kept for a year, as Next.js does: the handler's default would drop them after half a lifetime.
const ttl = { estimateExpireAge: () => 31_536_000 };

async function connected() {
  const client = createClient({ url: process.env.REDIS_URL });
  client.on("error", (error) => console.error("Redis:", error));
  await client.connect();
  return { handlers: [createRedisHandler({ client, keyPrefix: "fleet:" })], ttl };
}

// Next.js may load this file more than once; one connection per process is enough.
CacheHandler.onCreation(() => {
  if (process.env.NEXT_PHASE === PHASE_PRODUCTION_BUILD) return { handlers: [] };
  globalThis.redisHandlers ??= connected();
  return globalThis.redisHandlers;
});

export default CacheHandler;
