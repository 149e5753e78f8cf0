// What takes the place of the process's cache in a bundle for the edge runtime, where nothing hands it over.
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { isPrivate, nextItself, processCache } from "../../pkg/dist/next/edge.js";

const cache = processCache().forRequest();

afterEach(() => mock.restoreAll());

test("it keeps nothing, and says so once", async () => {
  const warn = mock.method(console, "warn", () => {});
  for (let n = 0; n < 2; n += 1) assert.equal(await cache.get("key", { kind: "FETCH" }), null);
  await cache.set("key", null, {});
  assert.equal(warn.mock.callCount(), 1);
  assert.match(warn.mock.calls[0].arguments[0], /runtime = "edge"/);
  assert.deepEqual([isPrivate(), nextItself()], [false, null]);
});

test("what it invalidates is recorded, after another attempt if need be", async () => {
  process.env.ONEGEN_URL = "https://onegen.example";
  process.env.ONEGEN_TOKEN = "token";
  const answers = [new Response("", { status: 503 }), new Response("{}")];
  const sent = mock.method(globalThis, "fetch", async () => answers.shift());
  await cache.revalidateTag("posts", { expire: undefined });
  assert.equal(sent.mock.callCount(), 2);
  const [url, { headers, body }] = sent.mock.calls[1].arguments;
  assert.deepEqual([url.href, headers.authorization], ["https://onegen.example/v1/append", "Bearer token"]);
  assert.deepEqual(JSON.parse(body), { position: { epoch: 0, number: 0 }, tags: ["posts"], profile: {} });
});

test("a time that the API would not take as it is becomes one that it takes", async () => {
  const sent = mock.method(globalThis, "fetch", async () => new Response("{}"));
  const recorded = async (expire) => {
    await cache.revalidateTag("posts", { expire });
    return JSON.parse(sent.mock.calls.at(-1).arguments[1].body).profile;
  };
  assert.deepEqual(await recorded(2.01), { expire_ms: 2009 });
  for (const forever of [Number.MAX_SAFE_INTEGER, Infinity]) assert.deepEqual(await recorded(forever), {});
  for (const none of [0, 0.0001, -5, NaN]) assert.equal(await recorded(none), undefined, `${none} s end entries at once`);
});

test("what could not be recorded is told to whoever invalidates", async () => {
  mock.method(globalThis, "fetch", async () => {
    throw new Error("down");
  });
  await assert.rejects(cache.revalidateTag(["posts"]), /the invalidation of posts could not be recorded/);
});
