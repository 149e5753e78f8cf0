// Fetched data in `next start`: one process fetches it for all, and no page is built on what was invalidated. In virtual time.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { runInContext } from "../../pkg/dist/host/context.js";
import { NextHost } from "../../pkg/dist/next/host.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { RecordingStores } from "../tools/harness/stores.mjs";

const KEY = "0".repeat(64);
const NOW = 1_800_000_000_000;
const ASKED = { kind: "FETCH", tags: ["t"], softTags: [] };

let stores;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: NOW });
  stores = new RecordingStores();
});

function newProcess(options = {}) {
  const { host } = isolateOver({ stores });
  return new NextHost({ host, shareLifetime() {}, ...options });
}

const seconds = (count) => mock.timers.tick(count * 1000);
const data = (body = "e30=") => ({ kind: "FETCH", data: { headers: {}, body, status: 200, url: "https://example.com" }, revalidate: 60 });
const store = (server, context, body) => runInContext(context, () => server.set(KEY, data(body), { fetchCache: true, tags: ["t"] }));
const read = (server, context = newRequest(), asked = ASKED) => runInContext(context, () => server.get(KEY, asked));

async function fetched(server) {
  const context = newRequest();
  assert.equal(await read(server, context), null);
  await store(server, context);
  stores.took();
}

test("what is missing is fetched by one, under a lease, and is there for another process", async () => {
  const server = newProcess();
  const context = newRequest();
  assert.equal(await read(server, context), null);
  await store(server, context);
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  const { value } = await read(newProcess());
  assert.deepEqual(value.data, data().data);
  assert.deepEqual(stores.took(), []);
});

test("a request that fetches it already does not wait for itself", async () => {
  const server = newProcess();
  const context = newRequest();
  await read(server, context);
  assert.equal(await read(server, context), null);
  assert.deepEqual(stores.took(), ["acquire fill"]);
});

test("what was not stored by the end of the request is given back, and nobody waits for it", async () => {
  const server = newProcess();
  const context = newRequest();
  await read(server, context);
  await server.giveBack(context, false);
  assert.deepEqual(stores.took(), ["acquire fill", "abandon not_stored"]);
});

test("of what is stale by age one is told so, and the others that it is fresh", async () => {
  await fetched(newProcess());
  seconds(61);
  assert.equal((await read(newProcess())).lastModified, 1);
  stores.grants = false;
  assert.equal((await read(newProcess())).lastModified, Date.now());
  assert.deepEqual(stores.took(), ["acquire refresh", "acquire refresh"]);
});

test("the caller's own lifetime counts, not the one that it was stored with", async () => {
  await fetched(newProcess());
  seconds(30);
  assert.equal((await read(newProcess(), newRequest(), { ...ASKED, revalidate: 10 })).lastModified, 1);
  seconds(60);
  assert.equal((await read(newProcess(), newRequest(), { ...ASKED, revalidate: 600 })).lastModified, Date.now());
});

test("without collapsing everybody is told that it is stale, and nobody is asked", async () => {
  await fetched(newProcess());
  seconds(61);
  for (let n = 0; n < 2; n += 1) assert.equal((await read(newProcess({ collapseData: false }))).lastModified, 1);
  assert.deepEqual(stores.took(), []);
});
