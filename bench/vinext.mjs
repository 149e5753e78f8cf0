/** vinext's KV cache beside Onegen: how long one `get` takes, and what visits have KV do. Its handler is driven, not a whole app. */

import { sleep } from "../tests/evidence/apps.mjs";
import { startWorld } from "../tests/tools/harness/world.mjs";
import { byTurns, startBench } from "./calls.mjs";
import { benchBundle } from "./stage.mjs";

const PAGE = { bytes: 20_000, tags: 7 };
/** Until a page that lives for a second is stale. */
const STALE_MS = 1500;

/** @returns {Promise<Record<"warm" | "vinext" | "cold" | "vinextCold", number[]>>} microseconds, turn by turn */
export async function getsBesideVinext(alternations) {
  await using bench = await startBench({ vinext: true });
  return await byTurns(bench, ["warm", "vinext", "cold", "vinextCold"], PAGE, alternations);
}

/** @returns {Promise<Record<"again" | "cold" | "stale" | "invalidation", import("./prices.mjs").Operations>>} as in `operations.mjs` */
export async function vinextOperations() {
  await using world = await startWorld({ bundle: await benchBundle({ vinext: true }), isolates: 2, kv: "bridge" });
  const ask = async (isolate, path, query) => {
    const response = await world.fetch(isolate, `${path}?${new URLSearchParams(query)}`, { headers: { "x-cache": "vinext {}" } });
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  };
  const during = async (work) => {
    await world.kv.resetCounts();
    await work();
    const { get = 0, put = 0 } = await world.kv.counts();
    return { kvReads: get, kvWrites: put };
  };
  const [lasting, brief] = ["/lasting", "/brief"];
  await ask(0, "/set", { key: lasting, ...PAGE });
  await ask(0, "/set", { key: brief, ...PAGE, revalidate: 1 });
  await ask(0, "/get", { key: lasting, n: 1 });
  const again = await during(() => ask(0, "/get", { key: lasting, n: 1 }));
  const cold = await during(() => ask(1, "/get", { key: lasting, n: 1 }));
  await sleep(STALE_MS);
  const stale = await during(async () => {
    await ask(0, "/get", { key: brief, n: 1, state: "stale" });
    await ask(0, "/set", { key: brief, ...PAGE });
  });
  const invalidation = await during(() => ask(0, "/invalidate", { tag: "tag-0" }));
  return { again, cold, stale, invalidation };
}
