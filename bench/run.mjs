// `make bench`: each figure beside what it is compared with, in one run; tables here, everything that was measured in `tests/.build/bench.json`, and
// the figures of README in `docs/figures/`.
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { byTurns, startBench } from "./calls.mjs";
import { judging } from "./judge.mjs";
import { bars } from "./plot.mjs";
import { ISOLATES, rendersPerEvent } from "./renders.mjs";
import { hitsPerSecond } from "./requests.mjs";
import { median, ratio, told } from "./statistics.mjs";
import { gzipBytesOf, instantiations } from "./wasm.mjs";

const { values } = parseArgs({ options: { alternations: { type: "string", default: "9" } } });
const alternations = Number(values.alternations);

const sizes = [1000, 20_000, 200_000, 2_000_000];
const tagCounts = [0, 7, 100];
const pages = [...sizes.map((bytes) => ({ bytes, tags: 7 })), ...tagCounts.filter((tags) => tags !== 7).map((tags) => ({ bytes: 20_000, tags }))];

const micros = (taken) => median(taken).toFixed(0);
const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);
const head = (title, ...cells) => {
  console.log(`\n${title}\n`);
  row(...cells);
  row(...cells.map(() => "---"));
};
const measured = { alternations, gets: [] };

console.log(`Medians of ${alternations} turns; ratios turn by turn, with the least and the greatest.`);
const bench = await startBench();
head("One `get` through OpenNext's adapter, in µs", "page", "tags", "warm", "OpenNext, KV and 12 shards", "times as long", "cold", "its binding calls by hand", "times as long");
for (const page of pages) {
  const taken = await byTurns(bench, ["warm", "opennext", "cold", "byHand"], page, alternations);
  const [warm, cold] = [ratio(taken.opennext, taken.warm), ratio(taken.cold, taken.byHand)];
  measured.gets.push({ page, taken, warm, cold });
  row(`${page.bytes / 1000} kB`, page.tags, micros(taken.warm), micros(taken.opennext), told(warm), micros(taken.cold), micros(taken.byHand), told(cold));
}

head("A lease that is granted and given back, in µs", "Onegen", "an object in JavaScript with the same SQL", "leases a second against it");
measured.leases = await byTurns(bench, ["lease", "plainLease"], { bytes: 1000, tags: 0 }, alternations);
row(micros(measured.leases.lease), micros(measured.leases.plainLease), told(ratio(measured.leases.plainLease, measured.leases.lease)));
await bench.stop();

head("To find an entry fresh in memory, in µs", "its tags", "against 100,000 invalidations");
measured.judging = tagCounts.map((tags) => ({ tags, taken: judging({ tags, invalidated: 100_000, runs: alternations }) }));
for (const { tags, taken } of measured.judging) row(tags, median(taken).toFixed(2));

head("Hits per second of whole requests, eight at once", "", "Onegen", "its own cache", "against it");
const hits = await hitsPerSecond(alternations);
measured.hits = hits;
const pairs = { "`next start`": ["next start, onegen", "next start, next"], OpenNext: ["onegen", "opennext"], "OpenNext with its interceptor": ["onegen-interception", "opennext-interception"] };
for (const [name, [one, other]] of Object.entries(pairs)) row(name, micros(hits[one]), micros(hits[other]), told(ratio(hits[one], hits[other])));

head("Renders of a page for one event, five visitors on each isolate", "", ...ISOLATES.map((isolates) => `Onegen, ${isolates}`), ...ISOLATES.map((isolates) => `OpenNext, ${isolates}`));
measured.renders = { onegen: await rendersPerEvent("onegen"), opennext: await rendersPerEvent("opennext") };
for (const [event, renders] of Object.entries(measured.renders.onegen)) row(event, ...renders, ...measured.renders.opennext[event]);

head("wasm", "", "kB after gzip", "ms from module to engine");
measured.wasm = { engine: gzipBytesOf("engine"), objects: gzipBytesOf("objects"), instantiations: await instantiations(alternations) };
row("engine", (measured.wasm.engine / 1000).toFixed(1), median(measured.wasm.instantiations).toFixed(2));
row("objects", (measured.wasm.objects / 1000).toFixed(1), "");

writeFileSync(new URL("../tests/.build/bench.json", import.meta.url), `${JSON.stringify(measured, null, 2)}\n`);
mkdirSync(new URL("../docs/figures", import.meta.url), { recursive: true });
writeFileSync(
  new URL("../docs/figures/get.svg", import.meta.url),
  bars({
    title: "One get of a page with 7 tags, in µs",
    series: ["Onegen, page in memory", "OpenNext, KV and 12 shards"],
    groups: measured.gets.slice(0, sizes.length).map(({ page, taken }) => ({ name: `${page.bytes / 1000} kB`, values: [median(taken.warm), median(taken.opennext)] })),
    told: (value) => value.toFixed(0),
    logarithmic: true,
  }),
);
process.exit(0);
