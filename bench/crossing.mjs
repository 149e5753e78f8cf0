/** How long a cold read takes in the engine alone, beside version 1's engine: begin, what crosses, resume; without any effect performed. */

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import * as today from "../pkg/wasm/engine/engine.js";
import * as version1 from "./fixtures/engine-v1/engine.js";

const NOW = 1_800_000_000_000;
/** Each measurement is made of short runs, one engine after the other: what else the machine does meets both. */
const RUNS = 40;
const READS = 100;
/** A page of 20 kB with 7 tags, as in the other benches. */
const PAGE = {
  g: 7,
  p: { epoch: 1, number: 0 },
  c: NOW - 1000,
  r: 60,
  e: 3600,
  t: ["_N_T_/layout", "_N_T_/blog/layout", "_N_T_/blog/[slug]/layout", "_N_T_/blog/[slug]/page", "_N_T_/blog/hello", "posts", "post-17"],
  s: "app",
  b: [
    { name: "html", bytes: 12_000 },
    { name: "rsc", bytes: 8000 },
  ],
};
const BODY_BYTES = 20_000;
/** That KV has a value, as `resume_loaded` is told it. */
const FOUND = 2;
/** No window: each read asks the ledger. Memory for a few pages only, so that entries are evicted as in a busy isolate. */
const MEMORY_BYTES = 1024 * 1024;

const wasmOf = (path) => readFileSync(new URL(path, import.meta.url));

/** The engines that are compared, each begun. */
function engines() {
  version1.initSync({ module: wasmOf("./fixtures/engine-v1/engine_bg.wasm") });
  version1.configure({ memoryBytes: MEMORY_BYTES, windowMs: 0 }, "build", "secret");
  today.initSync({ module: wasmOf("../pkg/wasm/engine/engine_bg.wasm") });
  today.configure(undefined, MEMORY_BYTES, 0, undefined, "build", "secret");
  return { version1, today };
}

let unique = 0;

/** Milliseconds of some cold reads: KV has the page, the ledger has nothing new. */
function readsOf(core, header) {
  const found = { total: header.byteLength + BODY_BYTES };
  const begun = performance.now();
  for (let n = 0; n < READS; n += 1) {
    // A page that this isolate has not seen.
    unique += 1;
    const call = { read: { kind: "response", key: `/blog/${unique}`, caller: "renderer", nonce: "00000000-0000-4000-8000-000000000000", context: {}, seeded: true, tags: [] } };
    const step = core.begin(call, NOW);
    const since = { from: 0, head: { epoch: 1, number: 0 }, floor: 0, rows: [], window_ms: 0 };
    // As each version's host says what was loaded.
    const done = core.resume_loaded
      ? core.resume_loaded(step.machine, NOW, FOUND, found.total, header, since)
      : core.resume(step.machine, { loaded: { kv: { found }, since } }, NOW, header);
    if (done.result !== "entry") throw new Error(`a page that KV has was not found: ${JSON.stringify(done)}`);
  }
  return performance.now() - begun;
}

/**
 * Microseconds of a cold read by turns, after a first turn that counts for nothing.
 *
 * @param {number} turns
 * @param {{ times?: number }} [options] `times` is how often today's engine does each read: a control.
 * @returns {{ version1: number[], today: number[] }}
 */
export function crossings(turns, { times = 1 } = {}) {
  const taken = { version1: [], today: [] };
  const compared = Object.entries(engines()).map(([name, core]) => [name, core, core.entry_header(PAGE)]);
  for (let turn = -1; turn < turns; turn += 1) {
    const spent = { version1: 0, today: 0 };
    for (let run = 0; run < RUNS; run += 1) {
      for (const [name, core, header] of compared) {
        for (let time = 0; time < (name === "today" ? times : 1); time += 1) spent[name] += readsOf(core, header);
      }
    }
    if (turn < 0) continue;
    for (const name of Object.keys(taken)) taken[name].push((1000 * spent[name]) / (RUNS * READS));
  }
  return taken;
}
