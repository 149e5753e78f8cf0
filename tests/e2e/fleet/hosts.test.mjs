// The ways in which people build and start Next.js: each finds the handler, its wasm and the pages of the build.
import assert from "node:assert/strict";
import test from "node:test";
import { isHit, renderOf } from "../../evidence/apps.mjs";
import { toldBy, until } from "../../evidence/outage-tools.mjs";
import { nodeOf } from "../../tools/harness/nodes.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const LIMIT = { timeout: 180_000 };

const ways = {
  "an ES module configuration, Turbopack, Node 20": { variant: "onegen", node: "20" },
  "a CommonJS configuration, webpack, Node 22": { variant: "onegen-commonjs-webpack", node: "22" },
  "standalone output of Turbopack, Node 22": { variant: "onegen-standalone", node: "22" },
  "standalone output of webpack, Node 20": { variant: "onegen-standalone-webpack", node: "20" },
};

for (const [name, { variant, node }] of Object.entries(ways)) {
  test(`${name}: two processes share pages, those of the build too, and purges`, LIMIT, async (t) => {
    const worker = await startOnegenWorker();
    t.after(() => worker.stop());
    const fleet = await startFleet({ variant, url: worker.url, token: TOKEN, node: await nodeOf(node) });
    t.after(() => fleet.stop());

    const [first, second] = [await fleet.visit(0, "/tagged/page"), await fleet.visit(1, "/tagged/page")];
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.equal(renderOf(second), renderOf(first));
    assert.ok(isHit(await fleet.visit(1, "/tagged/page")));

    for (const index of [0, 1]) assert.equal((await fleet.visit(index, "/foo")).headers.get("x-nextjs-cache"), "HIT");
    assert.equal(fleet.probe.renders("/foo").length, 0, "it was built with the app");

    assert.equal((await fleet.visit(0, "/api/revalidate?tag=product:page", { method: "POST" })).status, 200);
    const after = await fleet.visit(0, "/tagged/page");
    assert.notEqual(renderOf(after), renderOf(first));
    await until("the other process hears of the purge", async () => renderOf(await fleet.visit(1, "/tagged/page")) === renderOf(after));
    assert.equal(fleet.probe.renders("/tagged/page").length, 2);

    assert.deepEqual(fleet.logged("onegen:"), []);
    assert.deepEqual(worker.logs, []);
  });
}

test("`next dev` renders every visit, keeps fetched data as it does without Onegen, and asks the Onegen Worker nothing", LIMIT, async (t) => {
  const worker = await startOnegenWorker({ kv: "bridge", wrapObjects: true });
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant: "onegen-dev", processes: 1, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());

  const visits = [await fleet.visit(0, "/tagged/page"), await fleet.visit(0, "/tagged/page")];
  assert.deepEqual(toldBy(visits, "status"), [200]);
  assert.equal(toldBy(visits, renderOf).length, 2);
  assert.equal(toldBy(visits, ({ text }) => /data-version="([^"]+)"/.exec(text)[1]).length, 1);
  assert.equal((await fleet.visit(0, "/api/revalidate?tag=product:page", { method: "POST" })).status, 200);
  assert.deepEqual(await worker.objects.counts(), {});
  assert.deepEqual(await worker.kv.keys(), []);
  assert.deepEqual(fleet.logged("onegen:"), []);
});
