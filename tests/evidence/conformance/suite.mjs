/**
 * What Next.js's own suites assert about cache handlers, and what its code relies on, as checks of our own: through its real
 * `IncrementalCache` and `ResponseCache`, and for `use cache` as its wrapper calls the handler.
 *
 * A check gets two processes, the second of which has read nothing yet that the check is about, and throws where something is amiss.
 */

import assert from "node:assert/strict";
import { data, image, kinds } from "./kinds.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** An isolate's copy of the ledger may be so old. */
const WINDOW_MS = 1100;
const HOUR = { revalidate: 3600, expire: 86_400 };
const BRIEF = { revalidate: 1, expire: 3600 };
const tagged = (...tags) => ({ "x-next-cache-tags": tags.join() });
const fetched = (body) => ({ kind: "FETCH", data: { headers: {}, body, status: 200, url: "https://example.com" }, revalidate: 3600 });
const stream = (text, more = {}) => ({ value: Buffer.from(text), tags: [], stale: 30, timestamp: performance.timeOrigin + performance.now(), expire: 86_400, revalidate: 3600, ...more });

/** @type {Record<string, (processes: { a: object, b: object, key: string, version: string }) => Promise<void>>} */
export const checks = {
  // ---------------------------------------------------------------- responses

  async "what one process rendered is a hit in another, with what is left of its lifetime"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: HOUR });
    const { body, renders, isStale, cacheControl } = await b.ask("respond", { key, body: "two", cacheControl: HOUR });
    assert.deepEqual([body, renders, Boolean(isStale)], ["one", 0, false]);
    assert.ok(cacheControl.revalidate > 3500 && cacheControl.revalidate <= 3600, `revalidate ${cacheControl.revalidate}`);
    assert.ok(cacheControl.expire > 86_000 && cacheControl.expire <= 86_400, `expire ${cacheControl.expire}`);
  },

  async "what never goes stale is told so"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: { revalidate: false, expire: undefined } });
    const { renders, cacheControl } = await b.ask("respond", { key, body: "two", cacheControl: HOUR });
    assert.deepEqual([renders, cacheControl.revalidate], [0, false]);
  },

  async "a stale entry is served, regenerated once, and new for both"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: BRIEF });
    await sleep(1300);
    const [first, other] = await Promise.all([a, b].map((one) => one.ask("respond", { key, body: "two", cacheControl: HOUR, delayMs: 700 })));
    assert.deepEqual([first.body, other.body, first.renders + other.renders], ["one", "one", 1]);
    await sleep(WINDOW_MS);
    for (const one of [a, b]) assert.equal((await one.ask("respond", { key, body: "three", cacheControl: HOUR })).body, "two");
  },

  async "what is expired is not served"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: { revalidate: 1, expire: 2 } });
    await sleep(2500);
    const { body, renders } = await b.ask("respond", { key, body: "two", cacheControl: HOUR });
    assert.deepEqual([body, renders], ["two", 1]);
  },

  async "a missing page that two processes are asked for is rendered by one"({ a, b, key }) {
    const both = await Promise.all([a, b].map((one, n) => one.ask("respond", { key, body: `${n}`, cacheControl: HOUR, delayMs: 500 })));
    assert.equal(both[0].renders + both[1].renders, 1);
    assert.equal(both[0].body, both[1].body);
  },

  async "many requests in one process cost one render"({ a, key }) {
    const all = await Promise.all(Array.from({ length: 20 }, () => a.ask("respond", { key, body: "one", cacheControl: HOUR, delayMs: 200 })));
    assert.deepEqual([...new Set(all.map(({ body }) => body))], ["one"]);
    assert.equal((await a.ask("respond", { key, body: "two", cacheControl: HOUR })).renders, 0);
  },

  async "a failing regeneration leaves the entry as it is, and does not make it young"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: BRIEF });
    await sleep(1300);
    const failing = await a.ask("respond", { key, body: "", cacheControl: BRIEF, fail: true });
    assert.deepEqual([failing.body, failing.renders], ["one", 1]);
    const after = await b.ask("get", { key, kind: "APP_ROUTE" });
    assert.equal(after.value.body.toString(), "one");
    await sleep(1500);
    const later = await b.ask("respond", { key, body: "two", cacheControl: HOUR });
    assert.equal(later.body, "one");
    await sleep(WINDOW_MS);
    assert.equal((await a.ask("respond", { key, body: "three", cacheControl: HOUR })).body, "two", "it is tried again");
  },

  async "a regeneration on demand renders whatever there is, and others hear of it"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: HOUR });
    await b.ask("respond", { key, body: "two", cacheControl: HOUR });
    const { body, renders } = await a.ask("respond", { key, body: "three", cacheControl: HOUR, headers: tagged(`_N_T_${key}`), onDemand: true });
    assert.deepEqual([body, renders], ["three", 1]);
  },

  async "who only prefetches regenerates nothing"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: BRIEF });
    await sleep(1300);
    const { body, renders } = await b.ask("respond", { key, body: "two", cacheControl: HOUR, prefetch: true });
    assert.deepEqual([body, renders], ["one", 0]);
  },

  async "what may not be kept is not"({ a, b, key }) {
    await a.ask("set", { key, kind: "APP_ROUTE", value: { kind: "APP_ROUTE", body: Buffer.from("one"), status: 200, headers: {} }, cacheControl: { revalidate: 0, expire: undefined } });
    assert.equal(await b.ask("get", { key, kind: "APP_ROUTE" }), null);
  },

  async "what is stored is not written into, and what is handed out is a value of its own"({ a, key }) {
    const value = { kind: "APP_ROUTE", body: Buffer.from("one"), status: 200, headers: { ...tagged("x"), "set-cookie": ["a=1", "b=2"] } };
    const after = await a.ask("set", { key, kind: "APP_ROUTE", value, cacheControl: HOUR });
    assert.deepEqual(after, value);
    assert.deepEqual((await a.ask("getAndSpoil", { key, kind: "APP_ROUTE" })).value.headers, value.headers);
  },

  ...Object.fromEntries(
    Object.entries(kinds).map(([name, { kind, value }]) => [
      `${name} comes back as it was stored, in another process`,
      async ({ a, b, key }) => {
        await a.ask("set", { key, kind, value, cacheControl: HOUR });
        const got = await b.ask("get", { key, kind });
        assert.ok(got, "it is a hit");
        assert.deepStrictEqual(plain(got.value), plain(value));
      },
    ]),
  ),

  async "an image comes back as it was stored, in another process"({ a, b, key, version }) {
    if (version === "15.5") return;
    await a.ask("setImage", { key, value: image, cacheControl: { revalidate: 60, expire: undefined } });
    assert.deepStrictEqual(plain(await b.ask("getImage", { key })), plain(image));
  },

  // ---------------------------------------------------------------- tags of responses

  async "what a tag ended is rendered, and is not served by a process that learns of it"({ a, b, key }) {
    for (const one of [a, b]) await one.ask("respond", { key, body: "one", cacheControl: HOUR, headers: tagged(`hard${key}`) });
    await a.ask("revalidateTag", { tags: [`hard${key}`] });
    assert.equal((await a.ask("respond", { key, body: "two", cacheControl: HOUR, headers: tagged(`hard${key}`) })).body, "two");
    await sleep(WINDOW_MS);
    assert.equal((await b.ask("respond", { key, body: "three", cacheControl: HOUR })).body, "two");
  },

  async "durations make stale, however empty they are"({ a, b, key, version }) {
    if (version === "15.5") return;
    for (const [n, durations] of [{}, { expire: undefined }, { expire: 3600 }].entries()) {
      const own = `${key}/${n}`;
      await a.ask("respond", { key: own, body: "one", cacheControl: HOUR, headers: tagged(`soft${own}`) });
      await b.ask("revalidateTag", { tags: [`soft${own}`], durations, profiled: true });
      await sleep(WINDOW_MS);
      const { body, renders } = await a.ask("respond", { key: own, body: "two", cacheControl: HOUR, headers: tagged(`soft${own}`) });
      assert.deepEqual([body, renders], ["one", 1], JSON.stringify(durations));
    }
  },

  async "`{ expire: 0 }` ends at once, and a softer call later takes nothing back"({ a, b, key, version }) {
    if (version === "15.5") return;
    await a.ask("respond", { key, body: "one", cacheControl: HOUR, headers: tagged(`both${key}`) });
    await b.ask("revalidateTag", { tags: [`both${key}`], durations: { expire: 0 }, profiled: true });
    await b.ask("revalidateTag", { tags: [`both${key}`], durations: { expire: 3600 }, profiled: true });
    await sleep(WINDOW_MS);
    assert.equal((await a.ask("respond", { key, body: "two", cacheControl: HOUR, headers: tagged(`both${key}`) })).body, "two");
  },

  async "what a tag ended does not come back when its render fails"({ a, b, key }) {
    await a.ask("respond", { key, body: "one", cacheControl: HOUR, headers: tagged(`ended${key}`) });
    await a.ask("revalidateTag", { tags: `ended${key}` });
    await a.ask("respond", { key, body: "", cacheControl: HOUR, fail: true });
    await sleep(WINDOW_MS);
    assert.equal((await b.ask("get", { key, kind: "APP_ROUTE" })) ?? null, null);
  },

  // ---------------------------------------------------------------- fetched data

  ...Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      `${name} comes back as it was stored, in another process`,
      async ({ a, b, key }) => {
        await a.ask("set", { key: hex(key), kind: "FETCH", value, tags: ["t"], fetchUrl: "https://example.com", fetchIdx: 1 });
        const got = await b.ask("get", { key: hex(key), kind: "FETCH", tags: ["t"], softTags: [], fetchUrl: "https://example.com", fetchIdx: 1 });
        assert.deepStrictEqual([got.isStale, plain(got.value.data), got.value.revalidate], [false, plain(value.data), value.revalidate]);
      },
    ]),
  ),

  async "the reader's lifetime counts for data, not that of who stored it"({ a, b, key }) {
    await a.ask("set", { key: hex(key), kind: "FETCH", value: fetched("one"), tags: [] });
    await sleep(1300);
    assert.equal((await b.ask("get", { key: hex(key), kind: "FETCH", revalidate: 1, tags: [], softTags: [] }))?.isStale, true);
    assert.equal((await b.ask("get", { key: hex(key), kind: "FETCH", revalidate: 600, tags: [], softTags: [] }))?.isStale, false);
  },

  async "data ends by the tags that it was stored with, by the reader's, and by those of its page"({ a, b, key }) {
    for (const [n, how] of ["own", "tags", "softTags"].entries()) {
      const name = hex(`${key}${n}`);
      const asked = { key: name, kind: "FETCH", tags: how === "tags" ? [`d${name}`] : [], softTags: how === "softTags" ? [`d${name}`] : [] };
      await a.ask("set", { key: name, kind: "FETCH", value: fetched("one"), tags: how === "own" ? [`d${name}`] : [] });
      assert.ok(await b.ask("get", asked), `it is there: ${how}`);
      await a.ask("revalidateTag", { tags: [`d${name}`] });
      await sleep(WINDOW_MS);
      assert.equal(await b.ask("get", asked), null, how);
    }
  },

  // ---------------------------------------------------------------- use cache

  async "a `use cache` entry comes back byte for byte, with all that is told of it"({ a, b, key }) {
    const bytes = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256));
    const entry = stream("", { value: bytes, tags: [`u${key}`], expire: 4_294_967_294, timestamp: performance.timeOrigin + 0.25 + Math.floor(performance.now()) });
    await a.ask("useCacheSet", { key: `["build","${key}"]`, entry });
    assert.deepStrictEqual(plain(await b.ask("useCacheGet", { key: `["build","${key}"]` })), plain(entry));
  },

  async "whoever asks for an entry that is being made waits for it"({ a, key }) {
    const got = await a.ask("useCachePending", { key, entry: stream("pending"), ms: 400 });
    assert.equal(got?.value.toString(), "pending");
  },

  async "what breaks off, or is not made at all, is not kept, and nobody waits for it"({ a, b, key }) {
    await a.ask("useCacheSet", { key: `${key}1`, entry: stream("breaks off"), failsMidway: true });
    await a.ask("useCacheSet", { key: `${key}2`, rejects: true });
    for (const n of [1, 2]) for (const one of [a, b]) assert.equal(await one.ask("useCacheGet", { key: `${key}${n}` }), undefined);
  },

  async "the entry's own tags are looked at when it is got"({ a, b, key, version }) {
    await a.ask("useCacheSet", { key, entry: stream("one", { tags: [`own${key}`] }) });
    assert.ok(await b.ask("useCacheGet", { key }));
    await a.ask("useCacheTags", { tags: [`own${key}`], varargs: version === "15.5" });
    await sleep(WINDOW_MS);
    for (const one of [a, b]) assert.equal(await one.ask("useCacheGet", { key }), undefined);
  },

  async "a softer call makes an entry stale, which is told by its lifetime"({ a, b, key, version }) {
    if (version === "15.5") return;
    await a.ask("useCacheSet", { key, entry: stream("one", { tags: [`stale${key}`] }) });
    await b.ask("useCacheTags", { tags: [`stale${key}`], durations: { expire: undefined }, profiled: true });
    await sleep(WINDOW_MS);
    const entry = await b.ask("useCacheGet", { key });
    assert.equal(entry?.value.toString(), "one");
    assert.ok(entry.timestamp + entry.revalidate * 1000 < performance.timeOrigin + performance.now(), "it is to be made anew");
  },

  async "when tags were last invalidated is told to both contracts, and to processes that did not do it"({ a, b, key, version }) {
    const varargs = version === "15.5";
    const tags = [`when${key}`, `never${key}`];
    const before = performance.timeOrigin + performance.now();
    assert.ok((await b.ask("useCacheExpiration", { tags, varargs })) <= before);
    await a.ask("useCacheTags", { tags: [tags[0]], varargs });
    await sleep(WINDOW_MS);
    assert.ok((await b.ask("useCacheExpiration", { tags, varargs })) >= before - 1);
    assert.equal(await b.ask("useCacheExpiration", { tags: [tags[1]], varargs }), 0);
  },

  async "a redirect to root parameters keeps its tags word for word"({ a, b, key }) {
    const entry = stream("x", { tags: ["_N_RP_lang", `_N_RP_region`, "plain"] });
    await a.ask("useCacheSet", { key, entry });
    const got = await b.ask("useCacheGet", { key });
    assert.deepEqual([got?.tags, got?.value.byteLength], [entry.tags, 1]);
  },
};

/** What goes from process to process loses the prototypes of Buffers. */
function plain(value) {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Map) return new Map([...value].map(([name, one]) => [name, plain(one)]));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** Keys of fetched data are 64 hexadecimal digits. */
const hex = (key) => Buffer.from(key).toString("hex").padEnd(64, "0").slice(-64);

/** Plays every check on two processes. @returns {Promise<string[]>} those that failed, and why */
export async function failures({ a, b, version }) {
  const failed = await Promise.all(
    Object.entries(checks).map(async ([name, check], n) => {
      try {
        await check({ a, b, key: `/conformance/${version.replace(".", "-")}/${n}`, version });
        return [];
      } catch (error) {
        return [`${version}: ${name}: ${error.message.split("\n").slice(0, 12).join(" ")}`];
      }
    }),
  );
  const unhandled = (await Promise.all([a, b].map((one) => one.ask("unhandled").catch(({ message }) => [message])))).flat();
  return [...failed.flat(), ...unhandled.map((one) => `${version}: nobody handled ${one}`)];
}
