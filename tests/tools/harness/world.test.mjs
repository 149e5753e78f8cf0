import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { sampleApp } from "./sample-app.mjs";
import { startWorld } from "./world.mjs";

const LIMIT = { timeout: 30_000 };

test("isolates are distinct, and share KV and Durable Objects", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp(), isolates: 4, selfReference: (from) => (from === "objects" ? 0 : (from + 1) % 4) });
  const ids = await Promise.all([0, 1, 2, 3].map((isolate) => text(world, isolate, "/isolate")));
  assert.equal(new Set(ids).size, 4);
  assert.equal(await text(world, 0, "/isolate"), ids[0], "an isolate is the same one at the next visit");
  assert.equal(await text(world, 3, "/self"), ids[0], "the self reference leads where it was told to");
  assert.equal(await text(world, 1, "/host"), "app.example");

  await text(world, 0, "/put?key=a&value=one");
  assert.equal(await text(world, 2, "/get?key=a"), "one");
  const stored = await world.kv.read("a");
  assert.equal(stored.value.toString(), "one");
  assert.deepEqual(stored.metadata, { by: ids[0] });

  const counts = await Promise.all([0, 1, 2, 3].map((isolate) => text(world, isolate, "/count")));
  assert.deepEqual(counts.map(Number).sort(), [1, 2, 3, 4]);
});

test("a restart keeps the storage and makes new isolates", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp(), isolates: 2, objects: sampleApp(), wrapObjects: true });
  const before = await text(world, 0, "/isolate");
  await text(world, 0, "/put?key=a&value=one");
  await text(world, 0, "/count");
  await world.objects.behave("throw", { message: "down" });
  await world.restart();
  assert.notEqual(await text(world, 0, "/isolate"), before);
  assert.equal(await text(world, 1, "/get?key=a"), "one");
  assert.equal(await text(world, 1, "/rejected"), "down", "what the test asked for outlives the restart");
  await world.objects.heal();
  assert.equal(await text(world, 1, "/count"), "2");
});

test("the probe counts renders and decides how they go", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp(), isolates: 2 });
  const { probe } = world;
  probe.behave("/slow", { hold: true });
  const visits = world.crowd({ isolates: [0, 1], each: 5, path: "/slow" });
  await probe.waitForRenders("/slow", 10);
  probe.release("/slow");
  assert.ok((await visits).every(({ status }) => status === 200));
  assert.equal(probe.maxConcurrency("/slow"), 10);
  assert.deepEqual([...new Set(probe.renders("/slow").map(({ isolate }) => isolate))].sort(), [0, 1]);

  probe.behave("/bad", { delayMs: 50, fail: true });
  const [bad] = await world.crowd({ isolates: [0], each: 1, path: "/bad" });
  assert.equal(bad.status, 500);
  assert.ok(bad.endedAt - bad.startedAt >= 50);
  const summary = await (await fetch(`http://${probe.address}/renders?path=/bad`)).json();
  assert.equal(summary.count, 1);
  await assert.rejects(probe.waitForRenders("/never", 1, 20), /Waited 20 ms/);
});

test("KV lags, fails and is counted on demand", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp(), isolates: 3, kv: "bridge" });
  await world.kv.lag(1_000);
  await text(world, 0, "/put?key=a&value=one");
  assert.equal(await text(world, 1, "/get?key=a"), "nothing", "others see it later");
  assert.equal(await text(world, 0, "/get?key=a"), "one", "the writer sees it at once");
  await until(async () => (await text(world, 1, "/get?key=a")) === "one", 3_000);

  await world.kv.lag(1_000, { model: "location" });
  assert.equal(await text(world, 1, "/get?key=b"), "nothing");
  await text(world, 0, "/put?key=b&value=two");
  assert.equal(await text(world, 1, "/get?key=b"), "nothing", "who has asked keeps the answer");
  assert.equal(await text(world, 2, "/get?key=b"), "two", "who has not, asks");
  await until(async () => (await text(world, 1, "/get?key=b")) === "two", 3_000);

  await world.kv.heal();
  await world.kv.resetCounts();
  await world.kv.fail({ get: { mode: "throw", times: 1 } });
  assert.equal((await world.visit(0, "/get?key=a")).status, 500);
  assert.equal((await world.visit(1, "/get?key=a")).status, 200);
  await world.kv.fail({ put: { mode: "throwAfter" } });
  assert.equal((await world.visit(0, "/put?key=c&value=three")).status, 500);
  assert.equal((await world.kv.read("c")).value.toString(), "three");
  assert.deepEqual(await world.kv.counts(), { get: 2, put: 1 });
  assert.deepEqual(await world.kv.counts(1), { get: 1, put: 0 });
  assert.deepEqual((await world.kv.keys()).map(({ name }) => name), ["a", "b", "c"]);
});

test("R2 and D1 are shared, and what they are billed for is counted", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp({ r2: ["BUCKET"], d1: ["DATABASE"] }), isolates: 2 });
  await world.stores.execute("DATABASE", "CREATE TABLE names (name TEXT)");
  await text(world, 0, "/put-object?key=a&value=one");
  assert.equal(await text(world, 1, "/get-object?key=a"), "one");
  assert.equal(await text(world, 1, "/get-object?key=b"), "nothing", "which costs as much");
  for (const name of ["a", "b"]) await text(world, 0, `/insert?key=${name}`);
  assert.equal(await text(world, 1, "/names"), '[["a"],["b"]]');
  assert.deepEqual(await world.stores.counts(), { r2ClassA: 1, r2ClassB: 2, d1RowsRead: 2, d1RowsWritten: 2 });
  await world.stores.resetCounts();
  assert.deepEqual(await world.stores.counts(), {});
});

test("isolates share the Cache API, unless each is to have its own", LIMIT, async (t) => {
  for (const [ownCaches, seenByOther] of [[false, "the first isolate"], [true, "not yet"]]) {
    const world = await started(t, { bundle: sampleApp(), isolates: 2, ownCaches });
    const first = await text(world, 0, "/isolate");
    assert.equal(await text(world, 0, "/cached?key=a"), "not yet");
    assert.equal(await text(world, 0, "/cached?key=a"), first);
    assert.equal((await text(world, 1, "/cached?key=a")).replace(first, "the first isolate"), seenByOther);
  }
});

test("Durable Objects throw, hang, lose answers, are reset, and are counted on demand", LIMIT, async (t) => {
  const world = await started(t, { bundle: sampleApp(), isolates: 2, objects: sampleApp(), wrapObjects: { Counter: ["add"] } });
  assert.equal(await text(world, 0, "/count"), "1");
  await world.objects.behave("throw", { message: "down" });
  assert.equal(await text(world, 0, "/rejected"), "down");
  await world.objects.behave("loseAnswer", { message: "lost", times: 1 });
  assert.equal(await text(world, 1, "/rejected"), "lost");
  assert.equal(await text(world, 1, "/count"), "3", "what was answered in vain was done");
  await world.objects.behave("abort", { message: "reset", times: 1 });
  assert.match(await text(world, 0, "/rejected"), /reset/);
  assert.equal(await text(world, 0, "/count"), "4", "a reset object keeps its storage");

  await world.objects.behave("hang");
  const hanging = text(world, 1, "/rejected");
  await until(async () => (await world.objects.inFlight()) === 1, 2_000);
  await world.objects.heal();
  assert.match(await hanging, /never answered/);
  assert.deepEqual(await world.objects.counts(), { "Counter.add": 7 });
});

test("assets are served in front of each isolate", LIMIT, async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "onegen-assets-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(path.join(directory, "logo.txt"), "a logo");
  const world = await started(t, { bundle: sampleApp({ assets: { directory } }), isolates: 2 });
  for (const isolate of [0, 1]) assert.equal(await text(world, isolate, "/logo.txt"), "a logo");
  assert.notEqual(await text(world, 0, "/isolate"), await text(world, 1, "/isolate"));
});

async function started(t, options) {
  const world = await startWorld(options);
  t.after(() => world.stop());
  return world;
}

async function text(world, isolate, url) {
  return (await world.visit(isolate, url)).text;
}

async function until(holds, limitMs) {
  for (const deadline = Date.now() + limitMs; !(await holds()); ) {
    assert.ok(Date.now() < deadline, `still not so after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
