// `make bench`: each figure beside what it is compared with, in one run; a table here, and everything that was measured in `tests/.build/bench.json`.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { byTurns, median, ratio, startBench } from "./get.mjs";

const { values } = parseArgs({ options: { alternations: { type: "string", default: "9" } } });
const alternations = Number(values.alternations);

const sizes = [1000, 20_000, 200_000, 2_000_000];
const tagCounts = [0, 7, 100];
const pages = [...sizes.map((bytes) => ({ bytes, tags: 7 })), ...tagCounts.filter((tags) => tags !== 7).map((tags) => ({ bytes: 20_000, tags }))];

const told = ({ median: middle, from, to }) => `${middle.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)})`;
const micros = (taken) => median(taken).toFixed(0);
const measured = { alternations, gets: [], wasm: {} };

console.log(`one get through OpenNext's adapter: medians of ${alternations} turns, in µs; ratios turn by turn, with the least and the greatest\n`);
console.log("| page | tags | warm | OpenNext, KV and 12 shards | times longer | cold | its binding calls by hand | times longer |");
console.log("|---|---|---|---|---|---|---|---|");
const bench = await startBench();
for (const page of pages) {
  const taken = await byTurns(bench, ["warm", "opennext", "cold", "byHand"], page, alternations);
  const [warm, cold] = [ratio(taken.opennext, taken.warm), ratio(taken.cold, taken.byHand)];
  measured.gets.push({ page, taken, warm, cold });
  console.log(`| ${page.bytes / 1000} kB | ${page.tags} | ${micros(taken.warm)} | ${micros(taken.opennext)} | ${told(warm)} | ${micros(taken.cold)} | ${micros(taken.byHand)} | ${told(cold)} |`);
}
await bench.stop();

console.log("\n| wasm | kB after gzip |\n|---|---|");
for (const name of ["engine", "objects"]) {
  const bytes = gzipSync(readFileSync(new URL(`../pkg/wasm/${name}/${name}_bg.wasm`, import.meta.url)), { level: 9 }).byteLength;
  measured.wasm[name] = bytes;
  console.log(`| ${name} | ${(bytes / 1000).toFixed(1)} |`);
}
writeFileSync(new URL("../tests/.build/bench.json", import.meta.url), `${JSON.stringify(measured, null, 2)}\n`);
process.exit(0);
