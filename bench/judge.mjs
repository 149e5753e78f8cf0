/** How long it takes to say of an entry in memory that it is fresh: with tags, against a copy of the ledger. */

import { performance } from "node:perf_hooks";
import { core } from "../pkg/dist/engine/node.js";
import { isolateOver } from "../tests/tools/harness/isolates.mjs";

const EPOCH = 1;
const ROWS_AT_ONCE = 1000;
const LOOKS = 20_000;
const KEY = "/judged";

/** Microseconds for each of several runs, after a first that counts for nothing. @param {{ tags: number, invalidated: number, runs: number }} size */
export function judging({ tags, invalidated, runs }) {
  const { engine } = isolateOver({ options: { app: "app", windowMs: 60_000 } });
  const now = Date.now();
  for (let number = 0; number < invalidated; number += ROWS_AT_ONCE) follow(engine, number, Math.min(invalidated, number + ROWS_AT_ONCE), now);
  remember(engine, tags, invalidated, now);
  const taken = [];
  for (let run = -1; run < runs; run += 1) {
    const begun = performance.now();
    for (let look = 0; look < LOOKS; look += 1) {
      if (engine.freshInMemory("response", KEY, now) < 0) throw new Error("the entry is not found to be fresh");
    }
    if (run >= 0) taken.push((1000 * (performance.now() - begun)) / LOOKS);
  }
  return taken;
}

/** Invalidations under the numbers after `from`, of tags that nobody else has. */
function follow(engine, from, to, now) {
  const rows = Array.from({ length: to - from }, (_, n) => ({ tag: `product-${from + n + 1}`, hard: from + n + 1, soft: 0 }));
  const { machine } = engine.begin({ observe: { at_least: { epoch: EPOCH, number: to } } }, now);
  engine.resume(machine, { loaded: { since: { from, head: { epoch: EPOCH, number: to }, floor: 0, rows, window_ms: 0 } } }, now);
}

/** An entry from before all of them, whose tags all have to be looked up. */
function remember(engine, tags, invalidated, now) {
  const names = Array.from({ length: tags }, (_, n) => `product-of-the-page-${n}`);
  const header = core.entry_header({ g: 1, p: { epoch: EPOCH, number: 0 }, c: now, t: names, s: "app", b: [] });
  const read = { kind: "response", key: KEY, caller: "renderer", nonce: "n" };
  const { machine } = engine.begin({ read }, now);
  const done = engine.resume(machine, { loaded: { kv: { found: { total: header.byteLength } } } }, now, header);
  if (done.reason !== "fresh") throw new Error(`the entry was not kept: ${done.reason} after ${invalidated} invalidations`);
}
