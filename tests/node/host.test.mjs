// What `next start` is told of entries, and what becomes of what it stores: over stores in memory, in virtual time.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { runInContext } from "../../pkg/dist/host/context.js";
import { NextHost } from "../../pkg/dist/next/host.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { RecordingStores } from "../tools/harness/stores.mjs";

const KEY = "/route-cache/APP_PAGE/0a91/$/blog/one";
const PAGE = { kind: "APP_PAGE" };
const NOW = 1_800_000_000_000;

let stores;
let lifetimes;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: NOW });
  stores = new RecordingStores();
  lifetimes = new Map();
});

function newProcess() {
  const { host } = isolateOver({ stores });
  return new NextHost({ host, shareLifetime: (key, lifetime) => lifetimes.set(key, lifetime) });
}

const page = (html = "<p>") => ({ kind: "APP_PAGE", html, rscData: Buffer.from("1:[]"), headers: { "x-next-cache-tags": "posts" }, postponed: undefined, status: 200, segmentData: undefined });
const minutes = (count) => mock.timers.tick(count * 60_000);
const inRequest = (work, context = newRequest()) => runInContext(context, work);

async function rendered(server, value = page(), cacheControl = { revalidate: 3600, expire: 86400 }) {
  assert.equal(await inRequest(() => server.get(KEY, PAGE)), null);
  await server.set(KEY, value, { cacheControl });
}

test("a miss leads, its render is published under the lease, and another process has a hit", async () => {
  await rendered(newProcess());
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  const { value } = await newProcess().get(KEY, PAGE);
  assert.deepEqual(value, page());
  assert.deepEqual(stores.took(), []);
});

test("of a fresh entry Next.js hears what is left of its lifetime, in every version", async () => {
  await rendered(newProcess());
  minutes(20);
  const { lastModified, cacheControl } = await newProcess().get(KEY, PAGE);
  assert.equal(lastModified, NOW + 20 * 60_000);
  assert.deepEqual(cacheControl, { revalidate: 2400, expire: 85200 });
  assert.deepEqual(lifetimes.get(KEY), cacheControl);
});

test("a page without limits stays so", async () => {
  await rendered(newProcess(), page(), { revalidate: false, expire: undefined });
  minutes(1000);
  assert.deepEqual((await newProcess().get(KEY, PAGE)).cacheControl, { revalidate: false, expire: undefined });
});

test("who leads is told that the page is stale, and who follows that it is fresh for a second", async () => {
  await rendered(newProcess());
  minutes(61);
  const leader = newProcess();
  const led = await leader.get(KEY, PAGE);
  assert.ok(led.lastModified + 1000 * led.cacheControl.revalidate < Date.now(), "stale");
  assert.ok(led.lastModified + 1000 * led.cacheControl.expire > Date.now(), "and not expired");
  stores.grants = false;
  const followed = await newProcess().get(KEY, PAGE);
  assert.equal(followed.lastModified, Date.now());
  assert.equal(followed.cacheControl.revalidate, 1);
  await leader.set(KEY, page("<p>new"), { cacheControl: { revalidate: 3600, expire: 86400 } });
  assert.equal((await newProcess().get(KEY, PAGE)).value.html, "<p>new");
});

test("what is past its expire is a miss", async () => {
  await rendered(newProcess());
  minutes(24 * 60 + 1);
  assert.equal(await newProcess().get(KEY, PAGE), null);
});

test("of a page that the build did not find a miss is told as expired: Next.js would believe the build for ever", async () => {
  const { host } = isolateOver({ stores });
  const server = new NextHost({ host, shareLifetime() {}, wasNotFound: async (key) => key === KEY });
  assert.deepEqual(await server.get(KEY, { kind: "PAGES" }), { lastModified: -1, value: null });
  await server.set(KEY, null, { cacheControl: { revalidate: 60, expire: 600 } });
  assert.equal((await server.get(KEY, { kind: "PAGES" })).lastModified, NOW);
  assert.equal(await server.get("/another", { kind: "PAGES" }), null);
});

test("a render that failed is given back, and the entry stays as old as it is", async () => {
  const server = newProcess();
  await rendered(server);
  minutes(61);
  const { value } = await server.get(KEY, PAGE);
  stores.took();
  await server.set(KEY, value, { cacheControl: { revalidate: 3, expire: 6 } });
  assert.deepEqual(stores.took(), ["abandon failed"]);
  stores.grants = false;
  const { cacheControl } = await newProcess().get(KEY, PAGE);
  assert.equal(cacheControl.expire, 86400 - 61 * 60);
});

test("a 404 whose render failed is given back too, and one that was found again is not", async () => {
  const PAGES = { kind: "PAGES" };
  const key = "/route-cache/PAGES/77/$/shop/one";
  const found = { revalidate: 3, expire: 86400 };
  await newProcess().get(key, PAGES);
  await newProcess().set(key, null, { cacheControl: found });
  minutes(1);
  const server = newProcess();
  const { value, cacheControl } = await server.get(key, PAGES);
  assert.equal(value, null);
  stores.took();
  await server.set(key, null, { cacheControl: { revalidate: 3, expire: cacheControl.expire } });
  assert.deepEqual(stores.took(), ["abandon failed"]);
  await server.get(key, PAGES);
  stores.took();
  await server.set(key, null, { cacheControl: found });
  assert.deepEqual(stores.took(), ["publish under a lease"]);
});

test("a stored value that is damaged inside is a miss with one warning, and is overwritten", async () => {
  const warn = mock.method(console, "warn", () => {});
  await rendered(newProcess());
  const [bytes] = stores.kv.values();
  // The engine checks its own header when a frame is read: this damages what lies behind it.
  bytes[Buffer.from(bytes).indexOf('{"type"')] = 0;
  const server = newProcess();
  assert.equal(await server.get(KEY, PAGE), null);
  assert.equal(await server.get(KEY, PAGE), null);
  assert.equal(warn.mock.callCount(), 1);
  assert.match(warn.mock.calls[0].arguments[0], /^onegen: reading .* failed, so it is rendered: /);
  await server.set(KEY, page("<p>again"), { cacheControl: { revalidate: 60, expire: 600 } });
  assert.equal((await newProcess().get(KEY, PAGE)).value.html, "<p>again");
});

test("a prefetch leaves a stale page to a visitor", async () => {
  await rendered(newProcess());
  minutes(61);
  stores.took();
  const context = newRequest();
  context.prefetch = true;
  const { lastModified } = await inRequest(() => newProcess().get(KEY, PAGE), context);
  assert.equal(lastModified, Date.now());
  assert.deepEqual(stores.took(), []);
});

test("a request that was to render and stored nothing gives its lease back, and one that stored does not", async () => {
  const server = newProcess();
  const context = newRequest();
  await inRequest(() => server.get(KEY, PAGE), context);
  await server.giveBack(context, false);
  await server.giveBack(context, false);
  assert.deepEqual(stores.took(), ["acquire fill", "abandon not_stored"]);
  const other = newRequest();
  await inRequest(() => server.get("/other", PAGE), other);
  await server.set("/other", page(), { cacheControl: { revalidate: 60, expire: 600 } });
  await server.giveBack(other, false);
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
});

test("a shell gives back at once, and as unused, what its page would have been rendered with", async () => {
  const server = newProcess();
  const inPages = (key, isFallback) => server.get(`/route-cache/PAGES/77/$${key}`, { kind: "PAGES", isFallback });
  const context = newRequest();
  await inRequest(() => inPages("/shop/one"), context);
  await inRequest(() => inPages("/shop/[slug]", true), context);
  assert.equal(context.served.miss.reason, "pass", "of the shell");
  await server.giveBackShell(context);
  assert.deepEqual(stores.took(), ["acquire fill", "abandon unused"]);
});

test("a page of the Pages Router that was stored, or of the App Router, is not given back as a shell", async () => {
  const server = newProcess();
  const stored = newRequest();
  const key = "/route-cache/PAGES/77/$/shop/one";
  await inRequest(() => server.get(key, { kind: "PAGES" }), stored);
  await inRequest(() => server.set(key, { kind: "PAGES", html: "<p>", pageData: {} }, { cacheControl: { revalidate: 60, expire: 600 } }), stored);
  await server.giveBackShell(stored);
  const streamed = newRequest();
  await inRequest(() => server.get(KEY, PAGE), streamed);
  await server.giveBackShell(streamed);
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease", "acquire fill"]);
});

test("an on-demand regeneration announces itself by the page's tag, and renders outside of any lease", async () => {
  const server = newProcess();
  await rendered(server);
  stores.took();
  const context = newRequest();
  context.onDemand = true;
  assert.equal(await inRequest(() => server.get(KEY, PAGE), context), null);
  await inRequest(() => server.set(KEY, page("<p>new"), { cacheControl: { revalidate: 60, expire: 600 } }), context);
  assert.deepEqual(stores.took(), ["append _N_T_/blog/one", "publish"]);
});

test("of an on-demand regeneration that others could not be told of, whoever asked for it hears", async () => {
  stores.answers = false;
  const context = newRequest();
  context.onDemand = true;
  await assert.rejects(inRequest(() => newProcess().get(KEY, PAGE), context), /invalidation of _N_T_\/blog\/one could not be recorded/);
});

test("a publication that hangs does not keep back the page that was rendered", async () => {
  const server = newProcess();
  assert.equal(await server.get(KEY, PAGE), null);
  let published;
  stores.publish = () => new Promise((resolve) => (published = resolve));
  await server.set(KEY, page(), { cacheControl: { revalidate: 3600, expire: 86400 } });
  published({ accepted: { generation: 1 } });
});

test("a tag ends entries at once; with durations it lets them be served for as long as these say", async () => {
  const server = newProcess();
  await server.revalidateTag("a");
  await server.revalidateTag(["a", "b"], { expire: 60 });
  await server.revalidateTag(["a"], {});
  await server.revalidateTag(["a"], { expire: 0 });
  assert.deepEqual(stores.took(), ["append a", 'append a,b {"expire_ms":60000}', "append a {}", "append a"]);
});

test("an invalidation that could not be recorded is reported to whoever asked for it", async () => {
  stores.answers = false;
  await assert.rejects(newProcess().revalidateTag(["posts"]), /invalidation of posts could not be recorded/);
});

test("who reads while an invalidation of the entry's tags is under way waits for it, and nobody else does", async () => {
  const server = newProcess();
  await rendered(server);
  let record;
  stores.append = () => new Promise((resolve) => (record = (rows) => resolve({ from: 0, head: { epoch: 1, number: rows.length }, floor: 0, rows })));
  const other = server.revalidateTag(["other"]);
  assert.deepEqual((await server.get(KEY, PAGE)).value, page());
  record([]);
  await other;

  const posts = server.revalidateTag(["posts"]);
  const read = server.get(KEY, PAGE);
  await Promise.race([read.then(() => assert.fail("it was answered")), new Promise(setImmediate)]);
  record([{ tag: "posts", hard: 1, soft: 0 }]);
  assert.equal(await read, null);
  await posts;
});

test("what a request renders under a lease that another was granted is as old as its own beginning", async () => {
  const server = newProcess();
  const [first, second] = [newRequest(), newRequest()];
  first.position = { epoch: 1, number: 3 };
  second.position = { epoch: 1, number: 9 };
  await inRequest(() => server.get(KEY, PAGE), second);
  stores.took();
  // The second has joined the first's render, as Next.js has it.
  await inRequest(() => server.set(KEY, page(), { cacheControl: { revalidate: 3600, expire: 86400 } }), first);
  assert.deepEqual(stores.took(), ["publish under a lease"]);
  assert.deepEqual(first.lowered, { epoch: 1, number: 3 });
});
