// The example app on OpenNext, in real workerd: what visitors are told, and both places where the objects may live.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { builtApp, generationOf, isHit, isStale, renderOf, sleep } from "../../evidence/apps.mjs";
import { startWorld, wranglerBundle } from "../../tools/harness/world.mjs";

const WINDOW_MS = 1000;

/** `s-maxage` and `stale-while-revalidate` of a response. */
function lifetimes({ headers }) {
  const [, fresh, stale] = /^s-maxage=(\d+)(?:, stale-while-revalidate=(\d+))?$/.exec(headers.get("cache-control")) ?? [];
  return { fresh: Number(fresh), stale: Number(stale) };
}

async function withApp(variant, options, use) {
  const world = await startWorld({ bundle: await builtApp(variant), isolates: 3, kv: "bridge", ...options });
  try {
    await use(world);
  } finally {
    await world.stop();
  }
}

for (const variant of ["onegen", "onegen-interception"]) {
  test(`${variant}: a hit tells what is left of the page's lifetime, in an isolate that never rendered it`, () =>
    withApp(variant, {}, async (world) => {
      const first = await world.visit(0, "/isr/headers");
      assert.match(first.headers.get("cache-status"), /^Onegen; fwd=uri-miss; detail="leader"$/);
      await sleep(1500);
      const hit = await world.visit(1, "/isr/headers");
      assert.ok(isHit(hit), hit.headers.get("cache-status"));
      assert.equal(renderOf(hit), renderOf(first));
      const { fresh, stale } = lifetimes(hit);
      const age = (hit.answeredAt - first.startedAt) / 1000;
      assert.ok(fresh <= 3600 - 1 && fresh >= 3600 - age - 2, `s-maxage=${fresh} at an age of at most ${age} s`);
      assert.equal(stale, 31_536_000 - 3600, "from then on until the page's own expire");
      assert.match(hit.headers.get("cache-status"), /; ttl=\d+; detail="generation=\d+ (kv|coordinator)"$/);
    }));

  test(`${variant}: a stale page is told as stale, may not be kept, and is replaced by a higher generation`, () =>
    withApp(variant, {}, async (world) => {
      const first = await world.visit(0, "/quick/stale");
      await sleep(5200);
      const stale = await world.visit(1, "/quick/stale");
      assert.equal(stale.status, 200);
      assert.ok(isStale(stale), stale.headers.get("cache-status"));
      assert.equal(lifetimes(stale).fresh, 0);
      await world.probe.waitForEnd("/quick/stale", 2);
      await sleep(WINDOW_MS);
      const next = await world.visit(2, "/quick/stale");
      assert.ok(isHit(next) && !isStale(next), next.headers.get("cache-status"));
      assert.ok(generationOf(next) > generationOf(stale));
      assert.notEqual(renderOf(next), renderOf(first));
    }));

  test(`${variant}: a visitor who joins a prefetch's reading is told what was served, and regenerates it`, () =>
    withApp(variant, {}, async (world) => {
      await world.visit(0, "/quick/joined");
      await world.visit(1, "/about");
      await sleep(5200);
      // Next.js reads once for all who ask while the reading goes on.
      await world.kv.fail({ get: { delayMs: 1000 } });
      const prefetch = world.visit(1, "/quick/joined", { headers: { purpose: "prefetch" } });
      await sleep(300);
      const visitor = await world.visit(1, "/quick/joined");
      for (const visit of [await prefetch, visitor]) assert.ok(isStale(visit), visit.headers.get("cache-status"));
      assert.equal(lifetimes(visitor).fresh, 0);
      await world.probe.waitForEnd("/quick/joined", 2);
    }));

  test(`${variant}: an expired tag ends a page at once where it was expired, elsewhere within one window`, () =>
    withApp(variant, {}, async (world) => {
      await world.visit(0, "/tagged/shoes");
      const before = await world.visit(1, "/tagged/shoes");
      assert.ok(isHit(before));
      const answer = await world.visit(0, "/api/revalidate?tag=product:shoes", { method: "POST" });
      assert.equal(answer.status, 200);
      const here = await world.visit(0, "/tagged/shoes");
      assert.notEqual(renderOf(here), renderOf(before));
      await sleep(WINDOW_MS);
      const there = await world.visit(1, "/tagged/shoes");
      assert.equal(renderOf(there), renderOf(here));
      const version = ({ text }) => /data-version="([^"]+)"/.exec(text)?.[1];
      assert.notEqual(version(here), version(before), "the data behind the page was read again");
    }));

  test(`${variant}: a lease that nobody signed is ignored`, () =>
    withApp(variant, {}, async (world) => {
      const first = await world.visit(0, "/isr/forged");
      const forged = await world.visit(1, "/isr/forged", { headers: { "x-onegen-lease": "1.9.h.0.0.-.78.00" } });
      assert.ok(isHit(forged));
      assert.equal(renderOf(forged), renderOf(first));
    }));

  test(`${variant}: a page that does not exist is cached as such, and no shared cache may keep it`, () =>
    withApp(variant, {}, async (world) => {
      assert.equal((await world.visit(0, "/missing/one")).status, 404);
      const again = await world.visit(1, "/missing/one");
      assert.equal(again.status, 404);
      assert.ok(isHit(again));
      assert.match(again.headers.get("cache-control"), /no-store/);
      assert.equal(world.probe.renders("/missing/one").length, 1);
    }));
}

test("with the objects in the Onegen Worker the app is the same", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "onegen-worker-"));
  try {
    const config = fileURLToPath(new URL("../../../wrangler.toml", import.meta.url));
    const objects = await wranglerBundle({ config, outdir });
    await withApp("onegen-split", { objects }, async (world) => {
      const visits = await world.crowd({ isolates: [0, 1, 2], each: 10, path: "/isr/split" });
      assert.deepEqual(new Set(visits.map(({ status }) => status)), new Set([200]));
      assert.equal(new Set(visits.map(renderOf)).size, 1);
      assert.equal(world.probe.renders("/isr/split").length, 1);
      await sleep(WINDOW_MS);
      assert.ok(isHit(await world.visit(2, "/isr/split")));
      assert.deepEqual(world.logged("see different KV namespaces"), []);
    });
  } finally {
    await rm(outdir, { recursive: true });
  }
});

test("an app and an Onegen Worker with different namespaces are told once", () =>
  withApp("onegen", {}, async (world) => {
    // The ledger left its namespace's id in KV; another id there is what an app with another namespace would find.
    await world.visit(0, "/isr/namespace-a");
    const [key] = (await world.kv.keys()).map(({ name }) => name).filter((name) => name.endsWith("~namespace-id"));
    await world.kv.write(key, "the id of another namespace");
    await world.visit(1, "/isr/namespace-b");
    await world.visit(1, "/isr/namespace-c");
    await sleep(WINDOW_MS);
    assert.equal(world.logged("see different KV namespaces").length, 1);
  }));
