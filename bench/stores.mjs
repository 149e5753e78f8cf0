/** What fleets of `next start` keep their pages in: their own cache, the Onegen Worker, or a Redis. */

import { startFleet } from "../tests/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../tests/fleet/onegen-worker.mjs";
import { startRedis } from "./redis.mjs";

/** Starts the stores of several variants of the fleet app. @param {("next" | "onegen" | "redis")[]} variants */
export async function startStores(variants) {
  const worker = await startOnegenWorker();
  const redis = variants.includes("redis") ? await startRedis() : undefined;
  const fleets = [];
  return {
    /** Each variant's fleet, by its name. */
    async startFleets(processes) {
      for (const variant of variants) fleets.push([variant, await startFleet({ variant, processes, url: worker.url, token: TOKEN, env: { REDIS_URL: redis?.url } })]);
      return Object.fromEntries(fleets);
    },

    async stop() {
      for (const [, fleet] of fleets) await fleet.stop();
      redis?.stop();
      await worker.stop();
    },
  };
}
