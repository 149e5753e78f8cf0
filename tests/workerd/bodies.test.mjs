// In real workerd: bodies stay outside of wasm memory, in the app's isolates and in the one of the objects.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isHit, sleep } from "../evidence/apps.mjs";
import { startWorld, stopAllWorlds } from "../tools/harness/world.mjs";
import { plainApp } from "./plain/bundle.mjs";

const MiB = 1024 * 1024;
// Never seen before, so that it is nowhere by chance.
const mark = `mark-${crypto.randomUUID()}-`;
const path = `/marked?mark=${mark}&bytes=${MiB}`;

let world;

before(async () => {
  world = await startWorld({ bundle: await plainApp(), isolates: 3 });
});
after(stopAllWorlds);

/** What the wasm memories of an isolate hold, and where the text is found in them. */
async function engineOf(isolate, text) {
  return JSON.parse((await world.visit(isolate, `/engine?find=${encodeURIComponent(text)}`)).text);
}

const isMarked = ({ status, text }) => status === 200 && text.length > MiB * 0.99 && text.includes(mark.repeat(100));

test("a text that does enter wasm memory is found there", async () => {
  const name = crypto.randomUUID();
  // Often enough that what is freed, and partly used again, still holds it somewhere.
  await world.visit(0, `/${`${name}-`.repeat(20)}`);
  assert.deepEqual((await engineOf(0, name)).found, ["engine", "objects"]);
});

test("a body of 1 MiB is stored, handed over, read from KV and served from memory without a byte of it in wasm memory", async () => {
  // A small page first: what the engine needs at all, it has then.
  for (const isolate of [0, 1, 2]) await world.visit(isolate, "/small");
  const before = await Promise.all([0, 1, 2].map((isolate) => engineOf(isolate, mark)));

  world.probe.behave("/marked", { delayMs: 500 });
  const crowd = await world.crowd({ isolates: [0, 1], each: 5, path });
  assert.ok(crowd.every(isMarked), "the leader stores, the followers take it from the coordinator");
  assert.equal(world.probe.renders("/marked").length, 1);
  await sleep(1500);
  const cold = await world.visit(2, path);
  assert.ok(isMarked(cold) && /detail="[^"]*kv"/.test(cold.headers.get("cache-status")), "a cold isolate takes it from KV");
  for (let round = 0; round < 10; round += 1) {
    const hits = await world.crowd({ isolates: [0, 1, 2], each: 3, path });
    assert.ok(hits.every((hit) => isMarked(hit) && isHit(hit)));
  }

  const after = await Promise.all([0, 1, 2].map((isolate) => engineOf(isolate, mark)));
  for (const isolate of [0, 1, 2]) {
    assert.deepEqual(after[isolate].found, [], `isolate ${isolate}`);
    assert.deepEqual(after[isolate].wasmBytes, before[isolate].wasmBytes, `isolate ${isolate}`);
  }
});

test("fifty bodies of 1 MiB leave wasm memory as large as it was", async () => {
  const before = await engineOf(1, mark);
  for (let page = 0; page < 50; page += 1) {
    const { status } = await world.visit(1, `/many/${page}?mark=${mark}&bytes=${MiB}`);
    assert.equal(status, 200);
  }
  const after = await engineOf(1, mark);
  assert.deepEqual([after.found, after.wasmBytes], [[], before.wasmBytes]);
  assert.ok(after.stats.memoryBytes <= 16 * MiB);
});
