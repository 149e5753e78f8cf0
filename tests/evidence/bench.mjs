// Scenes about speed and cost: ratios within one run, because no machine is as fast as another. `make bench` has the whole tables.
import { byTurns, startBench } from "../../bench/calls.mjs";
import { crossings } from "../../bench/crossing.mjs";
import { countOperations } from "../../bench/operations.mjs";
import { ratio } from "../../bench/statistics.mjs";
import { billRatio } from "../../bench/traffic.mjs";
import { gzipBytes, gzipBytesOf } from "../../bench/wasm.mjs";
import { scene } from "./runner/scenes.mjs";
import { worstOf } from "./apps.mjs";

const TURNS = 5;
const PAGE = { bytes: 20_000, tags: 7 };
const LARGE_PAGE = { bytes: 2_000_000, tags: 7 };

/** The median of how many times as long the one takes as the other, of calls in one runtime by turns. */
async function callRatio({ use }, longer, shorter, page = PAGE) {
  const bench = await use(startBench());
  const taken = await byTurns(bench, [longer, shorter], page, TURNS);
  await bench.stop();
  return ratio(taken[longer], taken[shorter]).median;
}

const warmGet = scene("bench_warm_get_ratio", {
  required: "one get of a 20 kB page with 7 tags through OpenNext's adapter at least 70 times as fast as with KV and 12 tag shards",
  seconds: 15,
  holds: (worst) => worst >= 70,
  run: (context) => callRatio(context, "opennext", "warm"),
  control: (context) => callRatio(context, "opennext", "cold"),
  controlName: "an isolate that keeps nothing",
  limitMs: 120_000,
  quiet: true,
});

const coldGet = scene("bench_cold_get_ratio", {
  required: "a get in an isolate that has nothing at most 2.5 times as long as the same calls of bindings issued by hand, at 20 kB and at 2 MB, which OpenNext takes as texts",
  seconds: 50,
  holds: (worst) => worst <= 2.5,
  run: (context) => worstOf([PAGE, LARGE_PAGE], (page) => callRatio(context, "cold", "byHand", page)),
  control: (context) => worstOf([PAGE, LARGE_PAGE], (page) => callRatio(context, "handedOver", "byHand", page)),
  controlName: "with every page handed over by its coordinator, because KV does not have it",
  limitMs: 240_000,
  quiet: true,
});

const acquire = scene("bench_acquire_ratio", {
  required: "leases granted and given back per second at least 0.6 of those of an object in JavaScript with the same SQL",
  seconds: 15,
  holds: (worst) => worst >= 0.6,
  run: (context) => callRatio(context, "plainLease", "lease"),
  control: (context) => callRatio(context, "plainLease", "restartedLease"),
  controlName: "objects that are begun for each",
  limitMs: 120_000,
  quiet: true,
});

/** They are the same for the run and its control. */
const operationsOfOpenNext = ({ share }) => share("operations of opennext", () => countOperations("opennext"));

const bill = scene("bench_bill_ratio", {
  required: "operations times list prices at most 0.33 of OpenNext's KV setup's, without its interceptor: 200,000 views a day, 90 % warm, 5 % stale",
  seconds: 130,
  holds: (worst) => worst > 0 && worst <= 0.33,
  run: async (context) => billRatio(await countOperations("onegen", context), await operationsOfOpenNext(context)),
  control: async (context) => {
    const counted = await operationsOfOpenNext(context);
    // Of the same visits, every one as in an isolate that has nothing.
    return billRatio({ ...counted, hit: counted.cold, again: counted.cold }, counted);
  },
  controlName: "OpenNext's own operations, every isolate cold",
  limitMs: 240_000,
});

/** How large a wasm file is after gzip, in KiB. */
const sizeOf = (name, limit) =>
  scene(`${name}_wasm_gzip_kib`, {
    required: `at most ${limit} KiB of the wasm file ${name} after gzip`,
    seconds: 5,
    holds: (worst) => worst > 0 && worst <= limit,
    run: async () => gzipBytesOf(name) / 1024,
    control: async () => gzipBytes(new URL(`../../.build/compiled/${name}.wasm`, import.meta.url)) / 1024,
    controlName: "as the compiler leaves it",
  });

const crossing = scene("crossing_ratio", {
  required: "a cold read in the engine, begin and resume, at most as long as in version 1's engine: median of nine",
  seconds: 30,
  holds: (worst) => worst <= 1,
  run: async () => {
    const { today, version1 } = crossings(9);
    return ratio(today, version1).median;
  },
  control: async () => {
    const { today, version1 } = crossings(9, { times: 2 });
    return ratio(today, version1).median;
  },
  controlName: "with every read done twice",
  limitMs: 120_000,
  quiet: true,
});

export const scenes = [warmGet, coldGet, acquire, bill, crossing, sizeOf("engine", 115), sizeOf("objects", 140), sizeOf("api", 200)];
