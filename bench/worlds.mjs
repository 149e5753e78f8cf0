/** Worlds of the built app, each isolate as in a region of its own, with databases as a deployment leaves them. */

import { builtApp } from "../tests/evidence/apps.mjs";
import { startWorld } from "../tests/tools/harness/world.mjs";

/** What OpenNext's deployment has D1 do (1.20.13, `populateCache`). */
const TAG_TABLE =
  "CREATE TABLE IF NOT EXISTS revalidations (tag TEXT NOT NULL, revalidatedAt INTEGER NOT NULL, stale INTEGER, expire INTEGER default NULL, UNIQUE(tag) ON CONFLICT REPLACE);";

/** @param {string} variant @param {Partial<import("../tests/tools/harness/shared-world.mjs").WorldOptions>} options */
export async function startBuilt(variant, options) {
  const bundle = await builtApp(variant);
  const world = await startWorld({ bundle, ownCaches: true, ...options });
  try {
    for (const database of bundle.d1) await world.stores.execute(database, TAG_TABLE);
  } catch (error) {
    await world.stop();
    throw error;
  }
  return world;
}
