// OpenNext's calls about pages of the Pages Router, which it tells caches less of than of the App Router's: over stores in memory.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { runInContext } from "../../pkg/dist/host/context.js";
import { NextHost } from "../../pkg/dist/next/host.js";
import { OpenNextHost } from "../../pkg/dist/opennext/host.js";
import { UseCache } from "../../pkg/dist/use-cache/cache.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { RecordingStores } from "../tools/harness/stores.mjs";

const KEY = "/route-cache/PAGES/77/$/shop/one";
const SHELL = "/route-cache/PAGES/77/$/shop/[slug]";
const LIFETIME = { revalidate: 60, expire: 600 };
const NOW = 1_800_000_000_000;

let stores;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: NOW });
  stores = new RecordingStores();
});

const newHost = () => isolateOver({ stores }).host;
const newIsolate = () => new OpenNextHost({ host: newHost(), seeded: false, previewId: "preview" });
const newProcess = () => new NextHost({ host: newHost(), shareLifetime() {} });

function newVisit() {
  const context = newRequest({ url: "https://app.example/shop/one" });
  context.responded(new Response());
  return context;
}

const seconds = (count) => mock.timers.tick(count * 1000);

/** `next start` finds something for the page. */
async function foundByProcess(value) {
  const server = newProcess();
  await server.get(KEY, { kind: "PAGES" });
  await server.set(KEY, value, { cacheControl: LIFETIME });
  stores.took();
}

test("OpenNext takes no cached 404: it finds out again, and what was found before stays as it is", async () => {
  await foundByProcess(null);
  seconds(30);
  const isolate = newIsolate();
  const context = newVisit();
  assert.equal(await runInContext(context, () => isolate.get(KEY, "cache")), null);
  assert.equal(context.served.miss.reason, "tombstone");
  await runInContext(context, () => isolate.delete(KEY));
  assert.deepEqual(stores.took(), []);
  const { value, cacheControl } = await newProcess().get(KEY, { kind: "PAGES" });
  assert.deepEqual([value, cacheControl.revalidate], [null, 30]);
});

test("a 404 that is found again after its lifetime lives as long once more", async () => {
  await foundByProcess(null);
  seconds(61);
  const isolate = newIsolate();
  const context = newVisit();
  await runInContext(context, () => isolate.get(KEY, "cache"));
  await runInContext(context, () => isolate.delete(KEY));
  assert.deepEqual(stores.took(), ["publish"]);
  const { value, cacheControl } = await newProcess().get(KEY, { kind: "PAGES" });
  assert.deepEqual([value, cacheControl], [null, LIFETIME]);
});

test("of a 404 that OpenNext finds first nobody knows the lifetime: one process renders it", async () => {
  const isolate = newIsolate();
  const context = newVisit();
  await runInContext(context, () => isolate.get(KEY, "cache"));
  await runInContext(context, () => isolate.delete(KEY));
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  assert.equal(await newProcess().get(KEY, { kind: "PAGES" }), null);
  assert.deepEqual(stores.took(), ["acquire fill"]);
});

test("the interceptor leaves a redirect to the server, which knows where it leads", async () => {
  const props = { pageProps: { __N_REDIRECT: "/other", __N_REDIRECT_STATUS: 307 } };
  await foundByProcess({ kind: "REDIRECT", props });
  const isolate = newIsolate();
  assert.equal(await runInContext(newVisit(), () => isolate.get(KEY)), null);
  const { value } = await runInContext(newVisit(), () => isolate.get(KEY, "cache"));
  assert.deepEqual(value.props, props);
});

test("an on-demand regeneration is announced by the page's tag, once, and only where the app asked for it", async () => {
  const isolate = newIsolate();
  const byApp = newVisit();
  byApp.onDemand = byApp.announces = true;
  await runInContext(byApp, () => isolate.get(KEY));
  await runInContext(byApp, () => isolate.get(KEY, "cache"));
  await runInContext(byApp, () => isolate.get(SHELL, "cache"));
  assert.deepEqual(stores.took(), ["append _N_T_/shop/one"]);
  const byItself = newVisit();
  byItself.onDemand = true;
  await runInContext(byItself, () => isolate.get(KEY, "cache"));
  assert.deepEqual(stores.took(), []);
});

test("what was to render a page and showed its shell is given back as unused", async () => {
  const isolate = newIsolate();
  const context = newVisit();
  await runInContext(context, () => isolate.get(KEY, "cache"));
  await runInContext(context, () => isolate.get(SHELL, "cache"));
  const leases = [...context.leases.values()];
  assert.deepEqual(leases.map((lease) => context.reasonOf(lease, false)), ["unused", "unused"]);
  assert.deepEqual(leases.map((lease) => context.reasonOf(lease, true)), ["failed", "failed"]);
});

test("an invalidation that both of its handlers are told of is recorded once, with durations and without", async () => {
  const host = newHost();
  const isolate = new OpenNextHost({ host, seeded: false, previewId: "preview" });
  const useCache = new UseCache({ host, currentContext: newVisit, sharesPromises: false, ledger: "tag ledger" });
  for (const [expire, recorded] of [[0, "append a"], [60, 'append a {"expire_ms":60000}'], [undefined, "append a {}"]]) {
    const told = { tag: "a", stale: NOW, expire: expire === undefined ? undefined : NOW + expire * 1000 };
    await Promise.all([useCache.updateTags(["a"], { expire }), isolate.writeTags([told])]);
    assert.deepEqual(stores.took(), [recorded]);
    await new Promise(setImmediate);
  }
});
