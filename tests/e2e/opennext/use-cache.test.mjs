// `use cache` on OpenNext, in real workerd: one isolate makes a value for all, and an invalidation ends it everywhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtApp } from "../../evidence/apps.mjs";
import { startWorld } from "../../tools/harness/world.mjs";
import * as checks from "../use-cache/checks.mjs";

test("a value is made by one isolate for all", { timeout: 180_000 }, async (t) => {
  const world = await startWorld({ bundle: await builtApp("onegen-use-cache"), isolates: 2 });
  t.after(() => world.stop());
  const ends = (name, invalidated, options) => () => checks.invalidationsEndIt(world, name, invalidated, options);

  await t.test("byte for byte", () => checks.oneMakesItForAll(world));
  await t.test("whoever asks at once", () => checks.crowdsCostOne(world));
  await t.test("until its tag is invalidated", ends("tagged", (_path, tag) => checks.invalidate(world, 0, `tag=${tag}`)));
  await t.test("until its path is invalidated", ends("path", (path) => checks.invalidate(world, 0, `path=${path}`)));
  // Next.js tells of it twice: before it renders the page, and while that streams (next, `server/app-render/app-render.js`).
  await t.test("until an action updates its tag", ends("acted", (path) => checks.pressReplace(world, 0, path), { toldTwice: true }));
  await t.test("inside of others", () => checks.valuesInsideOthers(world));
  await t.test("unless it fails", () => checks.failuresAreNotKept(world));
  await t.test("stale by age", () => checks.staleByAge(world));
  await t.test("stale by a tag", () => checks.staleByTag(world));
  assert.deepEqual(world.logged("onegen:").map(({ text }) => text), []);
});
