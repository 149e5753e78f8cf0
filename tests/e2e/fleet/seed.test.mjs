// `onegen seed` for `next start`: what the build rendered is in the Onegen Worker before anybody asks.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { Deployment, addressOf, prerenderedBy } from "./deployment.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";
import { otherVersions } from "./variants.mjs";

const LIMIT = { timeout: 120_000 };

async function deployed(t, variant) {
  const deployment = await Deployment.of(variant);
  t.after(() => deployment[Symbol.asyncDispose]());
  return deployment;
}

/** Processes, before whose first request of a test each has loaded its cache. */
async function startedFleet(t, options) {
  const fleet = await startFleet(options);
  t.after(() => fleet.stop());
  for (let index = 0; index < fleet.isolates; index += 1) await fleet.visit(index, "/no-such/page");
  return fleet;
}

test("every page of the build is uploaded once, and its first visit is a hit from KV", LIMIT, async (t) => {
  const [worker, deployment] = [await startOnegenWorker(), await deployed(t)];
  t.after(() => worker.stop());
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };

  const first = await deployment.seed(env);
  assert.equal(first.code, 0, first.stderr);
  const [, uploaded] = /(\d+) pre-rendered entries uploaded, 0 were there already/.exec(first.stdout) ?? assert.fail(first.stdout);
  const manifest = JSON.parse(await readFile(path.join(deployment.folder, ".next/prerender-manifest.json"), "utf8"));
  assert.equal(Number(uploaded), Object.keys(manifest.routes).length);
  const fleet = await startFleet({ variant: "onegen", processes: 1, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  await fleet.visit(0, "/about");
  const visit = await fleet.visit(0, "/foo");
  assert.match(visit.headers.get("cache-status"), /^Onegen; hit; .* kv"$/);
  assert.equal(fleet.probe.renders("/foo").length, 0);
});

test("seeding again never takes the place of something newer", LIMIT, async (t) => {
  const [worker, deployment] = [await startOnegenWorker(), await deployed(t)];
  t.after(() => worker.stop());
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };
  await deployment.seed(env);
  const fleet = await startFleet({ variant: "onegen", processes: 2, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  await fleet.visit(0, "/api/revalidate?path=/foo", { method: "POST" });
  const newer = await fleet.visit(0, "/foo");
  assert.equal(fleet.probe.renders("/foo").length, 1);

  const again = await deployment.seed(env);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, / 0 pre-rendered entries uploaded, \d+ were there already or had been replaced/);
  await fleet.restart(1);
  assert.equal((await fleet.visit(1, "/foo")).text, newer.text);
  assert.equal(fleet.probe.renders("/foo").length, 1);
});

test("what an interrupted run has uploaded is not uploaded again", LIMIT, async (t) => {
  const worker = await startOnegenWorker({ kv: "bridge", wrapObjects: { RouteCoordinator: ["publish"] } });
  t.after(() => worker.stop());
  const deployment = await deployed(t);
  const { folder } = deployment;
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };
  await worker.objects.behave("throw", { methods: ["publish"] });
  const broken = await deployment.seed(env);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /^onegen seed: after 0 of \d+ entries the Onegen Worker at http:\S+ answered 50\d .*: run it again, it goes on from there/);
  await worker.objects.heal();

  const record = path.join(folder, ".next/onegen-seeded.json");
  const buildId = (await readFile(path.join(folder, ".next/BUILD_ID"), "utf8")).trim();
  const { key } = JSON.parse(await readFile(path.join(folder, ".next/server/app/foo.meta"), "utf8")).routeCache;
  await writeFile(record, JSON.stringify({ target: `${worker.url} app ${buildId}`, keys: [key] }));
  await worker.objects.resetCounts();
  const resumed = await deployment.seed(env);
  assert.match(resumed.stdout, / 1 were there already/);
  const { "RouteCoordinator.publish": sent } = await worker.objects.counts();
  assert.match(resumed.stdout, new RegExp(`^onegen: ${sent} pre-rendered entries uploaded`));
  await assert.rejects(readFile(record), "a run that ended well leaves no record");
});

test("without an address, or with a token that opens nothing, one sentence says so", LIMIT, async (t) => {
  const [worker, deployment] = [await startOnegenWorker(), await deployed(t)];
  t.after(() => worker.stop());
  const nowhere = await deployment.seed({});
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^onegen seed: environment variable ONEGEN_URL is missing: expected .*; set it/);
  const refused = await deployment.seed({ ONEGEN_URL: worker.url, ONEGEN_TOKEN: "x".repeat(30) });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /answered 401 unknown-token/);
});

for (const version of otherVersions) {
  test(`what Next.js ${version} rendered ahead is found under the keys of that version`, LIMIT, async (t) => {
    const variant = `onegen-${version}`;
    const [worker, deployment] = [await startOnegenWorker(), await deployed(t, variant)];
    t.after(() => worker.stop());
    const { stdout, stderr } = await deployment.seed({ ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN });
    assert.match(stdout, /^onegen: [1-9]\d* pre-rendered entries uploaded, 0 were there already or had been replaced\n$/, stderr);
    const fleet = await startedFleet(t, { variant, processes: 1, url: worker.url, token: TOKEN });
    for (const { address, data, status } of await prerenderedBy(variant)) {
      for (const asked of [address, data].filter(Boolean)) {
        const visit = await fleet.visit(0, asked);
        assert.equal(visit.headers.get("x-nextjs-cache"), "HIT", asked);
        if (asked === address) assert.equal(visit.status, status, asked);
      }
    }
    assert.deepEqual(fleet.probe.renders(), []);
  });
}

test("a seed has the lifetime and the tags of its page", LIMIT, async (t) => {
  const variant = "onegen-prerendered";
  const [worker, deployment] = [await startOnegenWorker(), await deployed(t, variant)];
  t.after(() => worker.stop());
  await deployment.seed({ ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN });
  const fleet = await startedFleet(t, { variant, processes: 1, url: worker.url, token: TOKEN });
  const told = async (route) => {
    const { headers } = await fleet.visit(0, addressOf(route));
    return { left: Number(/ttl=(\d+)/.exec(headers.get("cache-status"))[1]), cacheControl: headers.get("cache-control") };
  };
  for (const route of ["/foo", "/feed", "/moved", "/gone", "/old/timed", "/old/gone"]) {
    const { left, cacheControl } = await told(route);
    assert.ok(left <= 3600, route);
    assert.match(cacheControl, /^s-maxage=\d{1,4}, stale-while-revalidate=\d+$/, route);
  }
  for (const route of ["/about", "/bytes", "/old/static"]) assert.ok((await told(route)).left > 3600, route);
  assert.equal((await told("/sitemap.xml")).cacheControl, "public, max-age=0, must-revalidate", "a route's own header stays");

  const pathOf = (route) => [route, `path=${route}`];
  for (const [route, query] of [["/nested/deep", "tag=product:deep"], pathOf("/old/gone"), pathOf("/old/items/žluť")]) {
    await fleet.visit(0, addressOf(route));
    await fleet.visit(0, `/api/revalidate?${query}`, { method: "POST" });
    await fleet.visit(0, addressOf(route));
    assert.equal(fleet.probe.renders(route).length, 1, route);
  }
});

test("without seeds, the shell of a page that is not there yet comes from the build too", LIMIT, async (t) => {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await startedFleet(t, { variant: "onegen-prerendered", url: worker.url, token: TOKEN });
  for (const [index, source] of ["seed", "kv"].entries()) {
    const { text, headers } = await fleet.visit(index, "/old/lazy/unseen");
    assert.match(text, /data-fallback/);
    assert.match(headers.get("cache-status"), new RegExp(`^Onegen; hit; .* ${source}"$`));
  }
});
