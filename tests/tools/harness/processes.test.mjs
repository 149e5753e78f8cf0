import assert from "node:assert/strict";
import test from "node:test";
import { startProcesses } from "./processes.mjs";
import { sampleApp } from "./sample-app.mjs";

const LIMIT = { timeout: 60_000 };

test("processes share KV and Durable Objects, and can be killed and replaced", LIMIT, async (t) => {
  const world = await startProcesses({ bundle: sampleApp(), isolates: 3, wrapObjects: true });
  t.after(() => world.stop());
  const text = async (isolate, path) => (await world.visit(isolate, path)).text;

  const ids = await Promise.all([0, 1, 2].map((isolate) => text(isolate, "/isolate")));
  assert.equal(new Set(ids).size, 3);
  await text(0, "/put?key=a&value=one");
  assert.equal(await text(2, "/get?key=a"), "one");
  assert.deepEqual(JSON.parse((await world.visit(1, "/echo-kv?key=a")).headers.get("metadata")), { by: ids[0] });
  assert.equal(await text(1, "/count"), "1");
  assert.equal(await text(2, "/count"), "2");

  // A kill in the middle of a render.
  world.probe.behave("/page", { hold: true });
  const victim = world.visit(1, "/page");
  await world.probe.waitForRenders("/page", 1);
  await world.kill(1);
  assert.equal((await victim).status, 0);
  assert.ok(world.probe.renders("/page")[0].diedAt);
  assert.equal(await text(2, "/count"), "3", "the others go on");
  assert.equal((await world.visit(1, "/isolate")).status, 0);
  await world.replace(1);
  assert.notEqual(await text(1, "/isolate"), ids[1]);
  assert.equal(await text(1, "/count"), "4");

  // Held requests across processes, and the end of the objects under them.
  const held = world.visit(0, "/hold");
  assert.equal(await released(), "released with 1", "a held request is answered by another process's");
  assert.equal((await held).status, 200);
  const lost = world.visit(0, "/hold");
  await world.killObjects();
  assert.equal((await lost).text, "Network connection lost.");
  assert.equal(await text(2, "/rejected"), "Network connection lost.");
  assert.equal(await text(2, "/get?key=a"), "one", "KV is a process of its own");
  await world.objects.counts().then(assert.fail, (error) => assert.match(error.message, /No process of objects/));
  await world.startObjects();
  assert.equal(await text(2, "/count"), "5", "the storage is the same");
  assert.equal((await world.objects.counts())["Counter.add"], 1);

  // KV faults reach all processes.
  await world.kv.lag(60_000);
  await text(0, "/put?key=a&value=two");
  assert.equal(await text(2, "/get?key=a"), "one");
  assert.equal(await text(0, "/get?key=a"), "two");

  await world.restart();
  assert.equal(await text(0, "/get?key=a"), "two");
  assert.equal(await text(0, "/count"), "6");

  async function released() {
    for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
      if ((await text(2, "/release")) === "1") return (await held).text;
    }
    return "nothing was held";
  }
});
