/** What fleets of `next start` keep their pages in: their own cache, a Map, the Onegen Worker, or a Redis. */

import { startFleet } from "../tests/e2e/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../tests/e2e/fleet/onegen-worker.mjs";
import { startRedis } from "./redis.mjs";

/** @typedef {"next" | "naive" | "onegen" | "redis"} Kept variants of the example app on `next start`; `naive` has a Map in each process */

/** Starts the stores of several variants. @param {Kept[]} variants */
export async function startStores(variants) {
  const redis = variants.includes("redis") ? await startRedis() : undefined;
  const worker = await startOnegenWorker();
  const fleets = [];
  const reaches = {
    onegen: { url: worker.url, token: TOKEN },
    redis: { env: { REDIS_URL: redis?.url } },
  };
  return {
    /** Each variant's fleet, by its name. */
    async startFleets(processes) {
      for (const variant of variants) fleets.push([variant, await startFleet({ variant, processes, ...reaches[variant] })]);
      return Object.fromEntries(fleets);
    },

    async stop() {
      for (const [, fleet] of fleets) await fleet.stop();
      redis?.stop();
      await worker.stop();
    },
  };
}
