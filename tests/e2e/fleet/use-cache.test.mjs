// `use cache` in processes of `next start`: one makes a value for all, and an invalidation ends it everywhere.
import assert from "node:assert/strict";
import test from "node:test";
import { renderOf } from "../../evidence/apps.mjs";
import { until } from "../../evidence/outage-tools.mjs";
import { nodeOf } from "../../tools/harness/nodes.mjs";
import * as checks from "../use-cache/checks.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const LIMIT = { timeout: 180_000 };

for (const variant of ["onegen-use-cache", "onegen-cache-components", "onegen-use-cache-16.2", "onegen-use-cache-15.5"]) {
  test(`${variant}: a value is made by one process for all`, LIMIT, async (t) => {
    const worker = await startOnegenWorker();
    t.after(() => worker.stop());
    const fleet = await startFleet({ variant, url: worker.url, token: TOKEN });
    t.after(() => fleet.stop());
    const ends = (name, invalidated, options) => () => checks.invalidationsEndIt(fleet, name, invalidated, options);

    await t.test("byte for byte", () => checks.oneMakesItForAll(fleet));
    await t.test("whoever asks at once", () => checks.crowdsCostOne(fleet));
    await t.test("until its tag is invalidated", ends("tagged", (_path, tag) => checks.invalidate(fleet, 0, `tag=${tag}`)));
    await t.test("until its path is invalidated", ends("path", (path) => checks.invalidate(fleet, 0, `path=${path}`)));
    // Next.js tells of it twice: before it renders the page, and while that streams (next, `server/app-render/app-render.js`).
    await t.test("until an action updates its tag", ends("acted", (path) => checks.pressReplace(fleet, 0, path), { toldTwice: true }));
    if (variant !== "onegen-cache-components") {
      await t.test("inside of others", () => checks.valuesInsideOthers(fleet));
      await t.test("unless it fails", () => checks.failuresAreNotKept(fleet));
    }
    // Before 16.3 whoever makes it anew waits for that itself.
    if (!/-1[56]\.\d$/.test(variant)) {
      await t.test("stale by age", () => checks.staleByAge(fleet));
      await t.test("stale by a tag", () => checks.staleByTag(fleet));
    }
    assert.deepEqual(fleet.logged("onegen:").map(({ text }) => text), []);
  });
}

test("alone in a standalone server on Node 20, without onegen/next", LIMIT, async (t) => {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant: "onegen-use-cache-standalone", url: worker.url, token: TOKEN, node: await nodeOf("20") });
  t.after(() => fleet.stop());

  await checks.oneMakesItForAll(fleet);
  await checks.invalidationsEndIt(fleet, "tagged", (_path, tag) => checks.invalidate(fleet, 0, `tag=${tag}`));
  await checks.staleByAge(fleet);
  assert.deepEqual(fleet.logged("onegen:").map(({ text }) => text), []);
});

test("without the Onegen Worker every visitor has a value, whoever invalidates is told, and afterwards values are shared again", LIMIT, async (t) => {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant: "onegen-use-cache", url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  const path = "/parcels/alone";
  checks.mustBeWhole(await checks.bothOf(fleet, path));
  await worker.kill();

  const [kept, unknown] = [await checks.bothOf(fleet, path), await checks.bothOf(fleet, "/parcels/unknown")];
  checks.mustBeWhole([...kept, ...unknown]);
  assert.equal((await checks.pressReplace(fleet, 0, path)).status, 500);
  await worker.start();
  await until("both have one value again", async () => {
    const [one, other] = await checks.bothOf(fleet, path);
    return renderOf(one) === renderOf(other);
  });
  const complaints = fleet.logged("onegen: the Onegen Worker").map(({ source, text }) => `${source} ${text}`);
  assert.equal(new Set(complaints).size, complaints.length, "each cause once");
});
