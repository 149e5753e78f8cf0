// Fetched data through OpenNext: one isolate fetches it for all, and no page is built on what was invalidated. OpenNext's own cache is
// driven as far as it asks for data (@opennextjs/aws 4.1, `adapters/cache.js`), in virtual time.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { runInContext } from "../../pkg/dist/host/context.js";
import { OpenNextHost } from "../../pkg/dist/opennext/host.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { RecordingStores } from "../tools/harness/stores.mjs";

const KEY = "0".repeat(64);
const PAGE = "/route-cache/APP_PAGE/77/$/shop/one";
const NOW = 1_800_000_000_000;
const HARD = { hard: 1, soft: 0 };
const SOFT = { hard: 0, soft: 1 };

let stores;

/** The latest invalidation of the tag `t`, as the ledger tells of it. */
class Stores extends RecordingStores {
  row;

  async since({ position }) {
    const rows = this.row === undefined ? [] : [{ tag: "t", ...this.row }];
    return { from: position.number, head: { epoch: 1, number: rows.length }, floor: 0, rows };
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: NOW });
  stores = new Stores();
});

function newIsolate(options = {}) {
  const { host } = isolateOver({ stores, options: { windowMs: 0 } });
  return new OpenNextHost({ host, seeded: false, previewId: "preview", ...options });
}

const newVisit = () => newRequest({ url: "https://app.example/shop/one" });
const seconds = (count) => mock.timers.tick(count * 1000);
const data = (body) => ({ kind: "FETCH", data: { headers: {}, body, status: 200, url: "https://example.com" }, revalidate: 60 });
const store = (isolate, context, body) => runInContext(context, () => isolate.set(KEY, data(body), "fetch"));

/** What OpenNext makes of an entry, for a caller with the tag `t`: null, or the value and whether Next.js finds it stale. */
const read = (isolate, context = newVisit()) =>
  runInContext(context, async () => {
    const entry = await isolate.get(KEY, "fetch");
    if (entry === null) return null;
    const { lastModified } = entry;
    if (await isolate.hasBeenRevalidated(["t"], lastModified)) return null;
    const stale = await isolate.isStale(["t"], lastModified);
    return { body: entry.value.data.body, isStale: stale || Date.now() - lastModified > entry.value.revalidate * 1000 };
  });

/** A request that renders a page: what it reads becomes part of that. */
async function newRender(isolate) {
  const context = newVisit();
  await runInContext(context, () => isolate.get(PAGE, "cache"));
  stores.took();
  return context;
}

async function fetched(body = "old") {
  const isolate = newIsolate();
  const context = newVisit();
  assert.equal(await read(isolate, context), null);
  await store(isolate, context, body);
  stores.took();
}

test("what is missing is fetched by one, under a lease, and is there for another isolate", async () => {
  const isolate = newIsolate();
  const context = newVisit();
  assert.equal(await read(isolate, context), null);
  assert.equal(await read(isolate, context), null, "it does not wait for itself");
  await store(isolate, context, "new");
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  assert.deepEqual(await read(newIsolate()), { body: "new", isStale: false });
  assert.deepEqual(stores.took(), []);
});

test("of what is stale by age one is told so, and the others that it is fresh", async () => {
  await fetched();
  seconds(61);
  assert.deepEqual(await read(newIsolate()), { body: "old", isStale: true });
  stores.grants = false;
  assert.deepEqual(await read(newIsolate()), { body: "old", isStale: false });
  assert.deepEqual(stores.took(), ["acquire refresh", "acquire refresh"]);
});

test("of what a soft invalidation made stale one is told so, and the others that it is fresh", async () => {
  await fetched();
  stores.row = SOFT;
  assert.deepEqual(await read(newIsolate()), { body: "old", isStale: true });
  stores.grants = false;
  assert.deepEqual(await read(newIsolate()), { body: "old", isStale: false });
  assert.deepEqual(stores.took(), ["acquire refresh", "acquire refresh"]);
});

test("what a hard invalidation ended is fetched by one, under a lease", async () => {
  await fetched();
  stores.row = HARD;
  const isolate = newIsolate();
  const context = newVisit();
  assert.equal(await read(isolate, context), null);
  await store(isolate, context, "new");
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  assert.deepEqual(await read(newIsolate()), { body: "new", isStale: false });
});

test("whoever finds it ended is given what another has fetched meanwhile, in the place of what OpenNext has read", async () => {
  await fetched();
  const isolate = newIsolate();
  const context = newVisit();
  const entry = await runInContext(context, () => isolate.get(KEY, "fetch"));
  stores.row = HARD;
  const other = newVisit();
  await read(isolate, other);
  await store(isolate, other, "new");
  stores.took();
  assert.equal(await runInContext(context, () => isolate.hasBeenRevalidated(["t"], entry.lastModified)), false);
  assert.equal(entry.value.data.body, "new");
  assert.deepEqual(stores.took(), []);
});

test("a page is not built on what a soft invalidation made stale: it is fetched for it, under a lease", async () => {
  await fetched();
  stores.row = SOFT;
  const isolate = newIsolate();
  const context = await newRender(isolate);
  assert.equal(await read(isolate, context), null);
  await store(isolate, context, "new");
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
});

test("two entries that were made in the same millisecond are told apart", async () => {
  await fetched();
  stores.row = HARD;
  const isolate = newIsolate();
  const context = newVisit();
  const [one, other] = await runInContext(context, async () => [await isolate.get(KEY, "fetch"), await isolate.get(KEY, "fetch")]);
  assert.notEqual(one.lastModified, other.lastModified);
  assert.ok(Math.abs(one.lastModified - other.lastModified) < 1);
});

test("without collapsing everybody is told that it is stale or ended, and nobody is asked", async () => {
  await fetched();
  seconds(61);
  for (let n = 0; n < 2; n += 1) assert.equal((await read(newIsolate({ collapseData: false }))).isStale, true);
  stores.row = HARD;
  assert.equal(await read(newIsolate({ collapseData: false })), null);
  assert.deepEqual(stores.took(), []);
});
