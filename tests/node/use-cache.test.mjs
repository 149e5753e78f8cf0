// `use cache`: what Next.js is told of entries, and what becomes of what it stores. Over stores in memory, in virtual time.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { currentContext, runInContext } from "../../pkg/dist/host/context.js";
import { NextHost } from "../../pkg/dist/next/host.js";
import { UseCache } from "../../pkg/dist/use-cache/cache.js";
import { handlerOver } from "../../pkg/dist/use-cache/handler.js";
import { LocalUseCache } from "../../pkg/dist/use-cache/local.js";
import { bytesOf, streamOf } from "../../pkg/dist/next-format/use-cache-values.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { RecordingStores } from "../tools/harness/stores.mjs";

const KEY = JSON.stringify(["build", "c0ffee", [{ id: 1 }]]);
const NOW = 1_800_000_000_000;
const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const FOR_EVER = 4294967294;

/** With a ledger, which can be silent. */
class LedgerStores extends RecordingStores {
  rows = new Map();
  head = 0;
  isSilent = false;
  failing = new Set();

  async since({ position }) {
    if (this.isSilent) throw new Error("down");
    return { from: position.number, head: { epoch: 1, number: this.head }, floor: 0, rows: [...this.rows.values()] };
  }

  async append(message) {
    await super.append(message);
    this.head += 1;
    for (const tag of message.tags) {
      const row = this.rows.get(tag) ?? { tag, hard: 0, soft: 0 };
      row[message.profile ? "soft" : "hard"] = this.head;
      this.rows.set(tag, row);
    }
    return this.since(message);
  }

  async acquire(object, message) {
    if (this.failing.has("acquire")) throw new Error("down");
    return super.acquire(object, message);
  }

  async publish(...message) {
    if (this.failing.has("publish")) throw new Error("down");
    return super.publish(...message);
  }
}

let stores;
let isNested;
/** By how much Next.js's clock is ahead. */
let drift;

beforeEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: NOW });
  mock.method(performance, "now", () => Date.now() + drift - performance.timeOrigin);
  drift = 0;
  isNested = false;
  stores = new LedgerStores();
});

function newProcess(options = {}) {
  const { host } = isolateOver({ stores });
  const useCache = new UseCache({ host, currentContext, isNested: () => isNested, sharesPromises: true, ledger: "Onegen Worker", ...options });
  return { host, useCache, ...handlerOver(() => useCache) };
}

const within = (context, work) => runInContext(context, work);
const seconds = (count) => mock.timers.tick(count * 1000);
const nextsNow = () => performance.timeOrigin + performance.now();

/** `Promise.withResolvers` is not there before Node 22. */
function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve) => (parts.resolve = resolve));
  return parts;
}

function entryOf({ value = streamOf(BYTES), ...given } = {}) {
  return { value, tags: ["posts"], stale: 30, timestamp: nextsNow(), expire: 86400, revalidate: 60, ...given };
}

/** One request that finds nothing and stores what it makes. */
async function made(process, entry = entryOf(), key = KEY) {
  await within(newRequest(), async () => {
    assert.equal(await process.get(key, []), undefined);
    await process.set(key, Promise.resolve(entry));
  });
}

const read = (process, softTags = [], key = KEY, context = newRequest()) => within(context, () => process.get(key, softTags));

/** Whether Next.js makes an entry anew: at once, behind the visitor's back, or not (next 16.4, `server/use-cache/use-cache-wrapper.js`). */
function regeneration({ timestamp, revalidate, expire }) {
  if (nextsNow() > timestamp + expire * 1000) return "at once";
  return nextsNow() > timestamp + revalidate * 1000 ? "behind" : "none";
}

test("an entry comes back byte for byte in another process, with everything that was said of it", async () => {
  const said = { tags: ["posts", "_N_RP_lang"], stale: 300, timestamp: NOW - 0.125, expire: FOR_EVER, revalidate: 900 };
  await made(newProcess(), entryOf(said));
  const { value, ...rest } = await read(newProcess());
  assert.deepEqual(rest, said);
  assert.deepEqual(await bytesOf(value), BYTES);
});

test("limits may be infinite, and a value may be empty", async () => {
  const said = { tags: [], stale: Infinity, timestamp: NOW, expire: Infinity, revalidate: Infinity };
  await made(newProcess(), entryOf({ ...said, value: streamOf(new Uint8Array()) }));
  seconds(1e6);
  const { value, ...rest } = await read(newProcess());
  assert.deepEqual(rest, said);
  assert.equal((await bytesOf(value)).byteLength, 0);
});

test("every reader has a stream and bytes of its own", async () => {
  const process = newProcess();
  await made(process);
  const [one, other] = [await read(process), await read(process)];
  (await bytesOf(one.value)).fill(0);
  const reader = other.value.getReader();
  (await reader.read()).value.fill(0);
  assert.deepEqual(await bytesOf((await read(process)).value), BYTES);
});

test("what is missing is made by one, under a lease", async () => {
  await made(newProcess());
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
  await read(newProcess());
  assert.deepEqual(stores.took(), []);
});

test("a reader waits for a value that is being stored", async () => {
  const process = newProcess();
  const pending = deferred();
  const writer = newRequest();
  await read(process, [], KEY, writer);
  const set = within(writer, () => process.set(KEY, pending.promise));
  const waiting = read(process);
  await turn();
  pending.resolve(entryOf());
  assert.deepEqual(await bytesOf((await waiting).value), BYTES);
  await set;
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
});

test("one whose entry or stream fails is a miss for whoever waits, and is given back", async () => {
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(BYTES);
    },
    pull(controller) {
      controller.error(new Error("the function threw"));
    },
  });
  for (const pending of [() => Promise.reject(new Error("the function threw")), async () => entryOf({ value: broken })]) {
    const process = newProcess();
    const writer = newRequest();
    await read(process, [], KEY, writer);
    const set = within(writer, () => process.set(KEY, pending()));
    const waiting = read(process);
    await set;
    assert.equal(await waiting, undefined);
    assert.deepEqual(stores.took(), ["acquire fill", "abandon failed", "acquire fill"]);
    assert.equal(stores.kv.size, 0);
  }
});

test("what ends at once is not stored, and nobody waits for it", async () => {
  for (const ends of [{ expire: 0 }, { revalidate: 0 }]) {
    let cancelled = 0;
    const value = new ReadableStream({ cancel: () => void (cancelled += 1) });
    await made(newProcess(), entryOf({ ...ends, value }));
    assert.deepEqual(stores.took(), ["acquire fill", "abandon not_stored"]);
    assert.equal(cancelled, 1);
  }
});

test("a request that makes a value already does not wait for itself", async () => {
  const process = newProcess();
  const context = newRequest();
  assert.equal(await read(process, [], KEY, context), undefined);
  assert.equal(await read(process, [], KEY, context), undefined);
  assert.deepEqual(stores.took(), ["acquire fill"]);
});

test("a request that stored nothing gives its lease back, and one that stored does not", async () => {
  const process = newProcess();
  const context = newRequest();
  await read(process, [], KEY, context);
  await process.useCache.giveBack(context, false);
  await process.useCache.giveBack(context, false);
  assert.deepEqual(stores.took(), ["acquire fill", "abandon not_stored"]);
  const other = newRequest();
  await read(process, [], "other", other);
  await within(other, () => process.set("other", Promise.resolve(entryOf())));
  await process.useCache.giveBack(other, false);
  assert.deepEqual(stores.took(), ["acquire fill", "publish under a lease"]);
});

test("of what is stale by age one makes it anew, and for the others it is fresh for a while", async () => {
  await made(newProcess());
  seconds(61);
  const leader = newProcess();
  const context = newRequest();
  const led = await read(leader, [], KEY, context);
  assert.equal(regeneration(led), "behind");
  assert.equal(led.expire, 86400);
  await within(context, () => leader.set(KEY, Promise.resolve(entryOf({ value: streamOf(Uint8Array.of(2)) }))));
  assert.deepEqual(await bytesOf((await read(newProcess())).value), Uint8Array.of(2));
  seconds(100);
  stores.grants = false;
  const followed = await read(newProcess());
  assert.equal(regeneration(followed), "none");
  assert.ok(followed.revalidate >= 100, "a page that is made of it lives for longer than a moment");
  assert.equal(followed.timestamp, NOW + 61_000, "it is as old as it is");
});

test("a value is as old as its making began", async () => {
  const process = newProcess();
  await within(newRequest(), async () => {
    await process.get(KEY, []);
    const entry = entryOf();
    seconds(40);
    await process.set(KEY, Promise.resolve(entry));
  });
  seconds(25);
  assert.equal(regeneration(await read(newProcess())), "behind");
});

test("what is past its expire is a miss", async () => {
  await made(newProcess(), entryOf({ expire: 100 }));
  seconds(101);
  assert.equal(await read(newProcess()), undefined);
});

test("Next.js does what was decided though its clock has drifted", async () => {
  await made(newProcess());
  drift = 30_000;
  seconds(50);
  assert.equal(regeneration(await read(newProcess())), "none", "fresh, whatever Next.js's clock says");
  drift = -30_000;
  seconds(20);
  assert.equal(regeneration(await read(newProcess())), "behind", "stale, whatever Next.js's clock says");
});

test("an expired tag, its own or its reader's, ends an entry", async () => {
  await made(newProcess());
  await newProcess().updateTags(["_N_T_/blog"]);
  assert.ok(await read(newProcess(), ["_N_T_/other"]));
  assert.equal(await read(newProcess(), ["_N_T_/blog"]), undefined);
  await newProcess().updateTags(["posts"]);
  assert.equal(await read(newProcess()), undefined);
});

test("what a tag has made stale is made anew by one, and served meanwhile", async () => {
  await made(newProcess());
  await newProcess().updateTags(["posts"], { expire: 3600 });
  const led = await read(newProcess());
  assert.deepEqual([led.revalidate, regeneration(led)], [-1, "behind"]);
  stores.grants = false;
  assert.equal(regeneration(await read(newProcess())), "none");
});

test("an invalidation in the middle of making a value counts against it", async () => {
  const process = newProcess();
  await within(newRequest(), async () => {
    await process.get(KEY, []);
    const entry = entryOf();
    await process.updateTags(["posts"]);
    seconds(1);
    await process.set(KEY, Promise.resolve(entry));
  });
  assert.equal(await read(process), undefined);
});

test("what a stored value is made of is waited for, and is never older than it seems", async () => {
  await made(newProcess());
  await newProcess().updateTags(["posts"], {});
  isNested = true;
  assert.equal(await read(newProcess()), undefined, "whoever may make the part anew does so first");
  assert.deepEqual(stores.took().slice(-1), ["acquire fill"]);
  // Nobody tells whether this one's part was made anew meanwhile.
  stores.failing.add("acquire");
  const process = newProcess();
  const context = newRequest();
  assert.equal(regeneration(await read(process, [], KEY, context)), "none", "it gets what there is");
  await within(context, () => process.set("outer", Promise.resolve(entryOf())));
  stores.failing.clear();
  isNested = false;
  assert.equal((await read(newProcess(), [], "outer")).revalidate, -1, "and what is made of it is as old as that");
});

test("where Next.js compares times, nothing contradicts the order of the ledger", async () => {
  const process = newProcess();
  const context = newRequest();
  await within(context, async () => {
    await process.refreshTags();
    await process.get(KEY, ["_N_T_/blog"]);
    assert.equal(await process.getExpiration(["_N_T_/blog"]), 0);
    assert.equal(await process.getExpiration("_N_T_/blog", "_N_T_/"), 0, "as 15.5 asks");
    await process.updateTags(["_N_T_/blog"]);
    assert.equal(await process.getExpiration(["_N_T_/blog"]), Infinity);
  });
});

test("without the ledger no entry is known to be valid, and nothing throws", async () => {
  stores.isSilent = true;
  mock.method(console, "warn", () => {});
  const process = newProcess();
  await within(newRequest(), async () => {
    await process.refreshTags();
    assert.equal(await process.getExpiration(["_N_T_/blog"]), Date.now());
    assert.equal(await process.getExpiration(["_N_T_/blog"]), Date.now());
    stores.isSilent = false;
    seconds(2);
    assert.equal(await process.getExpiration(["_N_T_/blog"]), 0);
  });
});

test("without the ledger what is there is not replaced by what every process makes for itself", async () => {
  mock.method(console, "warn", () => {});
  const process = newProcess();
  await made(process);
  stores.isSilent = true;
  seconds(2);
  await within(newRequest(), async () => {
    await process.refreshTags();
    assert.ok((await process.get(KEY, [])).timestamp <= (await process.getExpiration([])), "Next.js makes it anew");
    await process.set(KEY, Promise.resolve(entryOf({ value: streamOf(Uint8Array.of(1)) })));
  });
  stores.isSilent = false;
  seconds(2);
  assert.deepEqual(await bytesOf((await read(process)).value), BYTES);
});

test("that durations are given says that entries may be served meanwhile, and 15.5 gives none", async () => {
  const process = newProcess();
  await process.updateTags(["a"]);
  await process.updateTags(["a", "b"], { expire: 60 });
  await process.updateTags(["a"], { expire: undefined });
  await process.updateTags(["a"], { expire: 0 });
  await process.expireTags("a", "b");
  assert.deepEqual(stores.took(), ["append a", 'append a,b {"expire_ms":60000}', "append a {}", "append a", "append a,b"]);
});

test("what both handlers are told at once is recorded once, and what is told later is recorded again", async () => {
  const process = newProcess();
  const next = new NextHost({ host: process.host, shareLifetime() {} });
  const tell = () => Promise.all([process.updateTags(["a"]), next.revalidateTag(["a"]), process.updateTags(["a"], {})]);
  await tell();
  assert.deepEqual(stores.took(), ["append a", "append a {}"]);
  await turn();
  // OpenNext's adapter awaits a few things first.
  const later = async () => {
    for (let microtask = 0; microtask < 10; microtask += 1) await undefined;
    return next.revalidateTag(["a"]);
  };
  await Promise.all([process.updateTags(["a"]), later()]);
  assert.deepEqual(stores.took(), ["append a"]);
  await turn();
  const first = process.updateTags(["a"]);
  await turn();
  await Promise.all([first, process.updateTags(["a"])]);
  assert.deepEqual(stores.took(), ["append a", "append a"]);
});

test("an invalidation that could not be recorded is reported to whoever asked for it", async () => {
  stores.answers = false;
  await assert.rejects(newProcess().updateTags(["posts"]), /invalidation of posts could not be recorded/);
});

test("whatever fails is a miss with one warning", async () => {
  const warn = mock.method(console, "warn", () => {});
  for (const broken of ["acquire", "publish"]) stores.failing.add(broken);
  const process = newProcess();
  await made(process);
  assert.deepEqual(await bytesOf((await read(process)).value), BYTES, "kept in this process alone");
  assert.ok(warn.mock.callCount() <= 3, "each cause once");
  stores.failing.clear();
  await made(newProcess());
  const [bytes] = stores.kv.values();
  bytes[Buffer.from(bytes).indexOf('{"stale"')] = 0;
  warn.mock.resetCalls();
  const other = newProcess();
  assert.equal(await read(other), undefined);
  assert.equal(await read(other), undefined);
  assert.equal(warn.mock.callCount(), 1);
  assert.match(warn.mock.calls[0].arguments[0], /^onegen: reading a "use cache" value failed, so it is made anew: /);
});

test("keys are whatever Next.js makes of arguments", async () => {
  const keys = ["", "x".repeat(100_000), `${"x".repeat(100_000)}y`, "\ud800", "\ud801", "\0", "../../a?b#c", "é".repeat(400)];
  for (const [index, key] of keys.entries()) await made(newProcess(), entryOf({ value: streamOf(Uint8Array.of(index)) }), key);
  for (const [index, key] of keys.entries()) assert.deepEqual(await bytesOf((await read(newProcess(), [], key)).value), Uint8Array.of(index));
  assert.ok([...stores.kv.keys()].every((name) => Buffer.byteLength(name) <= 512));
});

for (const age of [0, 65]) test(`outside of any request values are made under a lease, too, and a beginning ${age} s older counts`, async () => {
  const process = newProcess();
  assert.equal(await process.get(KEY, []), undefined);
  await process.updateTags(["posts"]);
  seconds(age);
  assert.equal(await process.get(KEY, []), undefined, "another one's, who reads what is true by now");
  await process.set(KEY, Promise.resolve(entryOf()));
  assert.deepEqual(stores.took(), ["acquire fill", "append posts", "acquire fill", "publish under a lease"]);
  assert.equal(await read(newProcess()), undefined);
});

test("in a Worker no request waits for another's promise", async () => {
  const process = newProcess({ sharesPromises: false, waitMs: 50 });
  const writer = newRequest();
  await read(process, [], KEY, writer);
  void within(writer, () => process.set(KEY, new Promise(() => {})));
  seconds(60);
  assert.equal(await read(process), undefined);
  const again = within(writer, () => process.get(KEY, []));
  assert.equal(await Promise.race([again, turn("waits")]), "waits", "but for its own it does");
});

test("of a request that has ended nothing is kept", async () => {
  v8.setFlagsFromString("--expose_gc");
  const gc = vm.runInNewContext("gc");
  const process = newProcess();
  const refs = await (async () => {
    const context = newRequest();
    const entry = entryOf();
    const pending = Promise.resolve(entry);
    await read(process, [], KEY, context);
    await within(context, () => process.set(KEY, pending));
    const { value } = await read(process, [], KEY, context);
    return [context, entry, entry.value, pending, value].map((kept) => new WeakRef(kept));
  })();
  const held = () => refs.filter((ref) => ref.deref() !== undefined).length;
  for (let tries = 0; held() > 0 && tries < 50; tries += 1) {
    await turn();
    gc();
  }
  assert.equal(held(), 0);
});

test("without a cache nothing is kept, and no stream is left half read", async () => {
  const process = handlerOver(() => null);
  let cancelled = 0;
  await process.set(KEY, Promise.resolve(entryOf({ value: new ReadableStream({ cancel: () => void (cancelled += 1) }) })));
  await process.set(KEY, Promise.reject(new Error("the function threw")));
  assert.equal(cancelled, 1);
  assert.deepEqual([await process.get(KEY, []), await process.getExpiration(["a"])], [undefined, 0]);
  await process.updateTags(["a"]);
});

test("next dev and next build keep values in their process, with the same tags and the same waiting", async () => {
  const process = handlerOver(() => new LocalUseCache());
  const local = new LocalUseCache();
  const handler = handlerOver(() => local);
  assert.equal(await process.get(KEY, []), undefined);
  const pending = deferred();
  const set = handler.set(KEY, pending.promise);
  const waiting = handler.get(KEY, []);
  pending.resolve(entryOf());
  await set;
  assert.deepEqual(await bytesOf((await waiting).value), BYTES);
  await handler.updateTags(["posts"], { expire: 60 });
  assert.equal((await handler.get(KEY, [])).revalidate, -1);
  seconds(60);
  assert.equal(await handler.get(KEY, []), undefined);
  seconds(1);
  await handler.set(KEY, Promise.resolve(entryOf()));
  assert.ok(await handler.get(KEY, ["_N_T_/"]));
  seconds(1);
  await handler.updateTags(["_N_T_/"]);
  assert.equal(await handler.get(KEY, ["_N_T_/"]), undefined);
  for (const failing of [Promise.reject(new Error("the function threw")), Promise.resolve(entryOf({ expire: 0 }))]) {
    const failed = handler.set("other", failing);
    assert.equal(await handler.get("other", []), undefined);
    await failed;
  }
  assert.deepEqual(stores.took(), []);
});
