// What a panic in the engine costs, behind the glue of the package: one miss, and everything that was remembered.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import * as core from "../../pkg/wasm/engine/engine.js";

// The same glue over the engine that has a panic on demand (`make .build/panicking/engine_bg.wasm`).
core.initSync({ module: readFileSync(new URL("../../.build/panicking/engine_bg.wasm", import.meta.url)) });
// Only now: the first wasm file that is loaded is the one of the process.
const { isolateOver, newRequest } = await import("../tools/harness/isolates.mjs");

/** Lets the `calls`-th call of the engine from now on panic; 0 takes that back. */
const panicAt = (calls) => core.initSync().inject_panic(calls);

const NOW = 1_800_000_000_000;
const someRead = (key) => ({ read: { kind: "response", key, caller: "renderer", nonce: "n", context: {} } });
const makeEngine = () => isolateOver().engine;

// A panic tells itself on the console, where these tests want silence.
console.error = () => {};
afterEach(() => panicAt(0));

test("before it is configured the engine refuses every call with a code", () => {
  for (const call of [() => core.begin(someRead("/a"), NOW), () => core.resume(0, "done", NOW), () => core.stats(), () => core.ledger_name()]) {
    assert.throws(call, { code: "not-configured" });
  }
});

test("a call that panics ends as a miss, and the next one works", () => {
  const engine = makeEngine();
  panicAt(1);
  const struck = engine.begin(someRead("/a"), NOW);
  assert.deepEqual([struck.step, struck.result, struck.reason], ["done", "miss", "panic"]);
  assert.equal(engine.panics, 1);
  assert.equal(engine.begin(someRead("/a"), NOW).step, "perform");
});

test("a reply that panics ends its read as a miss, and so do the reads that were under way beside it", () => {
  const engine = makeEngine();
  const [one, other] = [engine.begin(someRead("/one"), NOW), engine.begin(someRead("/other"), NOW)];
  panicAt(1);
  assert.equal(engine.resume(one.machine, "failed", NOW).reason, "panic");
  const stranded = engine.resume(other.machine, "failed", NOW);
  assert.deepEqual([stranded.result, stranded.reason], ["miss", "engine-restarted"]);
});

test("a reply to a call of the broken instance reaches no call of the fresh one", () => {
  const engine = makeEngine();
  const old = engine.begin(someRead("/old"), NOW);
  panicAt(1);
  engine.begin(someRead("/struck"), NOW);
  const fresh = engine.begin(someRead("/fresh"), NOW);
  assert.equal(engine.resume(old.machine, "failed", NOW).reason, "engine-restarted");
  assert.equal(engine.resume(fresh.machine, "failed", NOW).effect.object, core.entry_key("response", "/fresh"));
});

test("texts and objects cross unharmed after a panic", () => {
  const engine = makeEngine();
  const before = core.entry_key("response", "/žluťoučký kůň");
  panicAt(1);
  engine.begin(someRead("/a"), NOW);
  assert.equal(core.entry_key("response", "/žluťoučký kůň"), before);
  assert.equal(engine.begin(someRead("/žluťoučký kůň"), NOW).effect.key, before);
});

test("a free function that panics is asked again of the fresh instance", () => {
  const engine = makeEngine();
  const name = engine.call("entry_key", "response", "/a");
  panicAt(1);
  assert.equal(engine.call("entry_key", "response", "/a"), name);
  assert.equal(engine.panics, 1);
});

test("hundreds of panics leave no mark on wasm memory", () => {
  const engine = makeEngine();
  const before = engine.stats().wasmBytes;
  for (let count = 0; count < 300; count += 1) {
    panicAt(1);
    assert.equal(engine.begin(someRead("/a"), NOW).reason, "panic");
  }
  assert.equal(engine.stats().wasmBytes, before);
});

test("a malformed call is the caller's mistake and costs nobody the engine", () => {
  const engine = makeEngine();
  const { machine } = engine.begin(someRead("/a"), NOW);
  assert.throws(() => engine.begin({ fly: {} }, NOW), { code: "bad-call" });
  assert.equal(engine.panics, 0);
  assert.notEqual(engine.resume(machine, "failed", NOW).reason, "engine-restarted");
});

test("wherever a panic strikes a read or a publication, both settle, and the next read is served", async () => {
  let struck = 0;
  for (let calls = 1; calls <= 8; calls += 1) {
    const { host, engine } = isolateOver();
    const key = `/page-${calls}`;
    panicAt(calls);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const context = newRequest();
      const { entry, miss } = await host.read(context, { kind: "response", key, caller: "renderer" });
      assert.ok(entry || miss);
      if (entry) break;
      const parts = [{ name: "html", bytes: new Uint8Array(100) }];
      const value = { shape: "app", parts, tags: [], revalidate: 60, expire: undefined };
      await host.store(context, { kind: "response", key, lease: miss.lease, startedAt: Date.now(), value });
    }
    struck += engine.panics;
    panicAt(0);
    const { entry, body } = await host.read(newRequest(), { kind: "response", key, caller: "renderer" });
    assert.equal(body?.byteLength, 100, `a panic at call ${calls}: ${entry?.reason}`);
  }
  assert.ok(struck >= 5, `only ${struck} panics struck`);
});

test("what a call was told to keep just before another one panics is let go too", async () => {
  const { host } = isolateOver();
  const value = { shape: "app", parts: [{ name: "html", bytes: new Uint8Array(5000) }], tags: [], revalidate: 60, expire: undefined };
  // The engine keeps nothing before it has seen the ledger.
  await host.read(newRequest(), { kind: "response", key: "/any", caller: "bystander" });
  const store = (key) => host.store(newRequest(), { kind: "response", key, startedAt: Date.now(), value });
  panicAt(4);
  await Promise.all([store("/one"), store("/other")]);
  assert.equal(host.keptBytes, 0);
});

test("what was kept for the memory of the old instance is let go with it", async () => {
  const { host } = isolateOver();
  const context = newRequest();
  const { miss } = await host.read(context, { kind: "response", key: "/kept", caller: "renderer" });
  const value = { shape: "app", parts: [{ name: "html", bytes: new Uint8Array(5000) }], tags: [], revalidate: 60, expire: undefined };
  await host.store(context, { kind: "response", key: "/kept", lease: miss.lease, startedAt: Date.now(), value });
  assert.equal(host.keptBytes, 5000);
  panicAt(1);
  await host.read(newRequest(), { kind: "response", key: "/other", caller: "renderer" });
  assert.equal(host.keptBytes, 0);
});
