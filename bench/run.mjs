// `make bench`: each figure beside what it is compared with, in one run; tables here, everything that was measured in `tests/.build/bench.json`, and
// the figures of README in `docs/figures/`. `--only requests` runs one part alone, and leaves what others have measured.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { byTurns, startBench } from "./calls.mjs";
import { judging } from "./judge.mjs";
import { oldAnswers } from "./old-answers.mjs";
import { bars } from "./plot.mjs";
import { rendersOfProcesses } from "./processes.mjs";
import { redisIsInstalled } from "./redis.mjs";
import { ISOLATES, rendersPerEvent } from "./renders.mjs";
import { wholeRequests } from "./requests.mjs";
import { difference, median, ratio, spread, told } from "./statistics.mjs";
import { getsBesideVinext, vinextOperations } from "./vinext.mjs";
import { waiting } from "./waiting.mjs";
import { gzipBytesOf, instantiations } from "./wasm.mjs";

const { values } = parseArgs({ options: { alternations: { type: "string", default: "9" }, only: { type: "string" } } });
const alternations = Number(values.alternations);

const sizes = [1000, 20_000, 200_000, 2_000_000];
const tagCounts = [0, 7, 100];
const pages = [...sizes.map((bytes) => ({ bytes, tags: 7 })), ...tagCounts.filter((tags) => tags !== 7).map((tags) => ({ bytes: 20_000, tags }))];

/** Variants of the example app on `next start`, by what keeps its pages; without Redis where there is none. */
const onNode = (...variants) => [...variants, ...(redisIsInstalled() ? ["redis"] : [])];
const keepers = { next: "its own cache", onegen: "Onegen", redis: "a Redis handler", naive: "a handler with a Map" };

const micros = (taken) => median(taken).toFixed(0);
const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);
const head = (title, ...cells) => {
  console.log(`\n${title}\n`);
  row(...cells);
  row(...cells.map(() => "---"));
};
const draw = (name, chart) => {
  mkdirSync(new URL("../docs/figures", import.meta.url), { recursive: true });
  writeFileSync(new URL(`../docs/figures/${name}.svg`, import.meta.url), bars(chart));
};

/** Each prints its tables, and returns what it measured. */
const parts = {
  async calls() {
    const bench = await startBench();
    const gets = [];
    head("One `get` through OpenNext's adapter, in µs", "page", "tags", "warm", "OpenNext, KV and 12 shards", "times as long", "cold", "its binding calls by hand", "times as long");
    for (const page of pages) {
      const taken = await byTurns(bench, ["warm", "opennext", "cold", "byHand"], page, alternations);
      const [warm, cold] = [ratio(taken.opennext, taken.warm), ratio(taken.cold, taken.byHand)];
      gets.push({ page, taken, warm, cold });
      row(`${page.bytes / 1000} kB`, page.tags, micros(taken.warm), micros(taken.opennext), told(warm), micros(taken.cold), micros(taken.byHand), told(cold));
    }

    head("A lease that is granted and given back, in µs", "Onegen", "an object in JavaScript with the same SQL", "leases a second against it");
    const leases = await byTurns(bench, ["lease", "plainLease"], { bytes: 1000, tags: 0 }, alternations);
    row(micros(leases.lease), micros(leases.plainLease), told(ratio(leases.plainLease, leases.lease)));
    await bench.stop();

    draw("get", {
      title: "One get of a page with 7 tags, in µs",
      series: ["Onegen, page in memory", "OpenNext, KV and 12 shards"],
      groups: gets.slice(0, sizes.length).map(({ page, taken }) => ({ name: `${page.bytes / 1000} kB`, values: [median(taken.warm), median(taken.opennext)] })),
      told: (value) => value.toFixed(0),
      logarithmic: true,
    });
    return { gets, leases };
  },

  /** What comes on top of the two binding calls, one thing after the other. */
  async cold() {
    const steps = {
      byHand: "KV and the ledger, by hand",
      byHandWithin: "with a limit of time, and kept at work",
      byHandInTexts: "and decoded",
      override: "a cold `get` of Onegen's",
      cold: "through OpenNext's adapter",
    };
    const bench = await startBench();
    const taken = [];
    for (const bytes of [20_000, 2_000_000]) taken.push(await byTurns(bench, Object.keys(steps), { bytes, tags: 7 }, alternations));
    await bench.stop();
    head("What a cold `get` consists of, in µs", "", "20 kB", "against by hand", "2 MB", "against by hand");
    for (const [step, name] of Object.entries(steps)) row(name, ...taken.flatMap((times) => [micros(times[step]), told(ratio(times[step], times.byHand))]));
    return taken;
  },

  judging() {
    head("To find an entry fresh in memory, in µs", "its tags", "against 100,000 invalidations");
    const judged = tagCounts.map((tags) => ({ tags, taken: judging({ tags, invalidated: 100_000, runs: alternations }) }));
    for (const { tags, taken } of judged) row(tags, median(taken).toFixed(2));
    return judged;
  },

  async requests() {
    const taken = await wholeRequests(onNode("next", "naive", "onegen"), ["opennext", "onegen", "opennext-interception", "onegen-interception"], alternations);
    /** What each is compared with comes first. */
    const apps = {
      "`next start`": Object.fromEntries(Object.entries(keepers).map(([variant, keeper]) => [`next start, ${variant}`, keeper])),
      OpenNext: { opennext: "its own KV setup", onegen: "Onegen" },
      "OpenNext with its interceptor": { "opennext-interception": "its own KV setup", "onegen-interception": "Onegen" },
    };
    const measuredOf = (names) => Object.entries(names).filter(([name]) => name in taken);

    head("Hits per second of whole requests, eight at once", "", "pages kept by", "hits per second", "against its own");
    for (const [app, names] of Object.entries(apps)) {
      const [[own], ...others] = measuredOf(names);
      row(app, names[own], micros(taken[own].hits), "");
      for (const [name, keeper] of others) row(app, keeper, micros(taken[name].hits), told(ratio(taken[name].hits, taken[own].hits)));
    }

    head("Latency of a hit, one request at a time, in µs", "", "pages kept by", "median", "more than its own", "times as long", "p99", "times as long");
    for (const [app, names] of Object.entries(apps)) {
      const [[own], ...others] = measuredOf(names);
      row(app, names[own], micros(taken[own].median), "", "", micros(taken[own].p99), "");
      for (const [name, keeper] of others) {
        const [one, other] = [taken[name], taken[own]];
        row(app, keeper, micros(one.median), told(difference(one.median, other.median), 0), told(ratio(one.median, other.median)), micros(one.p99), told(ratio(one.p99, other.p99)));
      }
    }

    draw("latency", {
      title: "A hit, one whole request at a time: median in µs",
      series: ["its own cache", "Onegen"],
      groups: Object.entries(apps).map(([app, names]) => ({ name: app.replaceAll("`", ""), values: Object.keys(names).slice(0, 2).map((name) => median(taken[name].median)) })),
      told: (value) => value.toFixed(0),
    });
    return taken;
  },

  async renders() {
    head("Renders of a page for one event, five visitors on each isolate", "", ...ISOLATES.map((isolates) => `Onegen, ${isolates}`), ...ISOLATES.map((isolates) => `OpenNext, ${isolates}`));
    const renders = { onegen: await rendersPerEvent("onegen"), opennext: await rendersPerEvent("opennext") };
    for (const [event, counts] of Object.entries(renders.onegen)) row(event, ...counts, ...renders.opennext[event]);
    return renders;
  },

  async waiting() {
    head("How long visitors on four isolates wait, as a ratio to the render", "", "Onegen", "its last", "OpenNext's KV setup", "its last");
    const waits = { onegen: await waiting("onegen", alternations), opennext: await waiting("opennext", alternations) };
    for (const event of Object.keys(waits.onegen)) {
      row(event, ...[waits.onegen[event], waits.opennext[event]].flatMap(({ typical, longest }) => [told(spread(typical)), told(spread(longest))]));
    }
    return waits;
  },

  async oldAnswers() {
    head("From an invalidation to the last old answer, in windows of 1 s", "", "the isolate that was told", "others");
    const answers = {};
    for (const variant of ["onegen", "opennext", "opennext-large-lazily"]) {
      answers[variant] = await oldAnswers(variant, alternations);
      row(variant, ...Object.values(answers[variant]).map((taken) => told(spread(taken.map((ms) => ms / 1000)))));
    }
    return answers;
  },

  async vinext() {
    head("One get of 20 kB with 7 tags beside vinext's KV cache, in µs", "", "Onegen", "vinext", "times as long");
    const gets = await getsBesideVinext(alternations);
    for (const [name, one, other] of [["warm", "warm", "vinext"], ["cold", "cold", "vinextCold"]]) {
      row(name, micros(gets[one]), micros(gets[other]), told(ratio(gets[other], gets[one])));
    }
    head("What a visit has KV do with vinext", "", "reads", "writes");
    const operations = await vinextOperations();
    for (const [kind, { kvReads, kvWrites }] of Object.entries(operations)) row(kind, kvReads, kvWrites);
    return { gets, operations };
  },

  async processes() {
    const variants = onNode("next", "onegen");
    const counted = await rendersOfProcesses(variants, alternations);
    head("Renders of a page for one event, five visitors on each of two processes of `next start`", "", ...variants.map((variant) => keepers[variant]));
    for (const [event, byVariant] of Object.entries(counted)) row(event, ...variants.map((variant) => told(spread(byVariant[variant].renders), 0)));
    row("answers of ten that are older than the purge", ...variants.map((variant) => told(spread(counted.purged[variant].old), 0)));
    return counted;
  },

  async wasm() {
    head("wasm", "", "kB after gzip", "ms from module to engine");
    const measured = { engine: gzipBytesOf("engine"), objects: gzipBytesOf("objects"), instantiations: await instantiations(alternations) };
    row("engine", (measured.engine / 1000).toFixed(1), median(measured.instantiations).toFixed(2));
    row("objects", (measured.objects / 1000).toFixed(1), "");
    return measured;
  },
};

if (values.only !== undefined && !(values.only in parts)) throw new Error(`There is no part ${values.only}, only ${Object.keys(parts).join(", ")}`);
console.log(`Medians of ${alternations} turns; ratios turn by turn, with the least and the greatest.`);
const measured = { alternations };
for (const [name, measure] of Object.entries(parts)) {
  if (values.only === undefined || values.only === name) measured[name] = await measure();
}
const file = new URL("../tests/.build/bench.json", import.meta.url);
const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
writeFileSync(file, `${JSON.stringify({ ...before, ...measured }, null, 2)}\n`);
process.exit(0);
