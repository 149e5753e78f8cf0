// Values of Next.js survive storage byte for byte, and both hosts read what the other has stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromStored, toStored } from "../../pkg/dist/next-format/next-values.js";
import * as openNext from "../../pkg/dist/next-format/opennext-values.js";

const KEY = "/route-cache/APP_PAGE/0a91/$/blog/one";
const headers = { "x-next-cache-tags": "posts,_N_T_/blog/one", "set-cookie": ["a=1", "b=2"], "content-type": "text/html" };
const everyByte = Buffer.from(Uint8Array.from({ length: 512 }, (_, i) => i % 256));

const values = {
  "a page": { kind: "APP_PAGE", html: "<p>žluť 🐎</p>", rscData: Buffer.from("1:[]"), headers, postponed: undefined, status: 200, segmentData: new Map([["/_tree", Buffer.from("tree")], ["/blog/$d$slug/__PAGE__", everyByte]]) },
  "a page without RSC payload": { kind: "APP_PAGE", html: "", rscData: undefined, headers, postponed: "{}", status: undefined, segmentData: undefined },
  "a binary route": { kind: "APP_ROUTE", body: everyByte, status: 200, headers: { "content-type": "image/png" } },
  "a textual route": { kind: "APP_ROUTE", body: Buffer.from("žluť"), status: 404, headers: { "content-type": "text/plain" } },
  "an empty route": { kind: "APP_ROUTE", body: Buffer.alloc(0), status: 204, headers: {} },
  "a page of the Pages Router": { kind: "PAGES", html: "<p>", pageData: { pageProps: { n: 1 } }, headers: undefined, status: 200 },
  "a redirect": { kind: "REDIRECT", props: { pageProps: { __N_REDIRECT: "/other" } } },
  "a fetched response": { kind: "FETCH", data: { headers: { a: "b" }, body: "eyJhIjoxfQ==", status: 200, url: "https://example.com" }, revalidate: 31536000, tags: ["t"] },
  "an image": { kind: "IMAGE", etag: "e", upstreamEtag: "u", buffer: everyByte, extension: "webp" },
  "a page that is not there": null,
};

for (const [name, value] of Object.entries(values)) {
  test(`${name} reads back as it was stored`, () => {
    assert.deepEqual(readBack(value), value);
  });
}

test("what is read is a value of its own: writing into it changes nothing stored", () => {
  const stored = toStored(values["a page"], { key: KEY });
  const bytes = Buffer.concat(stored.parts.map(({ bytes }) => bytes));
  const entry = entryOf(stored);
  fromStored(entry, bytes).headers["x-next-cache-tags"] = "other";
  fromStored(entry, bytes).segmentData.get("/_tree").fill(0);
  assert.deepEqual(fromStored(entry, bytes), values["a page"]);
});

test("tags come from the header, and a page of the Pages Router carries the tag of its path", () => {
  assert.deepEqual(toStored(values["a page"], { key: KEY }).tags, ["posts", "_N_T_/blog/one"]);
  assert.deepEqual(toStored(values["a redirect"], { key: "/route-cache/PAGES/77/$/old" }).tags, ["_N_T_/old"]);
  assert.deepEqual(toStored(null, { key: "/index" }).tags, ["_N_T_/"]);
});

test("a page of the Pages Router carries the tag of its path from OpenNext's host too", () => {
  const tags = (value) => openNext.toStored(value, "/route-cache/PAGES/77/$/old").tags;
  assert.deepEqual(tags({ type: "page", html: "<p>", json: {} }), ["_N_T_/old"]);
  assert.deepEqual(tags({ type: "redirect", props: {} }), ["_N_T_/old"]);
  assert.deepEqual(tags({ type: "app", html: "<p>", rsc: "", meta: { headers: { "x-next-cache-tags": "posts" } } }), ["posts"]);
});

test("lifetimes are whole seconds; false, infinite and Next.js's own infinity are without limit", () => {
  const limits = (cacheControl) => {
    const { revalidate, expire } = toStored(values["a page"], { key: KEY, cacheControl });
    return [revalidate, expire];
  };
  assert.deepEqual(limits({ revalidate: 60, expire: 3600 }), [60, 3600]);
  assert.deepEqual(limits({ revalidate: false, expire: undefined }), [undefined, undefined]);
  assert.deepEqual(limits({ revalidate: 1, expire: 4294967294 }), [1, undefined]);
});

test("OpenNext's host reads what `next start` stored", () => {
  const read = (name) => throughStorage(toStored(values[name], { key: KEY }), openNext.fromStored);
  assert.deepEqual(pick(read("a page"), ["type", "html", "rsc"]), { type: "app", html: "<p>žluť 🐎</p>", rsc: "1:[]" });
  assert.equal(read("a page").segmentData["/_tree"], "tree");
  assert.deepEqual(read("a page").meta.headers, headers);
  assert.equal(read("a binary route").body, everyByte.toString("base64"));
  assert.equal(read("a textual route").body, "žluť");
  assert.deepEqual(pick(read("a page of the Pages Router"), ["type", "html", "json"]), { type: "page", html: "<p>", json: { pageProps: { n: 1 } } });
  assert.deepEqual(pick(read("a redirect"), ["type", "props"]), { type: "redirect", props: values["a redirect"].props });
});

test("`next start` reads what OpenNext's host stored", () => {
  const meta = { status: 200, headers: { "content-type": "image/png" } };
  const read = (value) => throughStorage(openNext.toStored(value, KEY), fromStored);
  const page = read({ type: "app", html: "<p>", rsc: "1:[]", meta: { status: 200, headers }, segmentData: { "/_tree": "tree" } });
  assert.deepEqual(page, { kind: "APP_PAGE", html: "<p>", rscData: Buffer.from("1:[]"), headers, postponed: undefined, status: 200, segmentData: new Map([["/_tree", Buffer.from("tree")]]) });
  assert.deepEqual(read({ type: "route", body: everyByte.toString("base64"), meta }).body, everyByte);
  assert.deepEqual(read({ type: "page", html: "<p>", json: { pageProps: {} } }), { kind: "PAGES", html: "<p>", pageData: { pageProps: {} }, headers: undefined, status: undefined });
  assert.deepEqual(read({ type: "redirect", props: { pageProps: {} } }), { kind: "REDIRECT", props: { pageProps: {} } });
  assert.deepEqual(read({ type: "route", body: "text", meta: { status: 200, headers: { "content-type": "text/plain" } } }).body, Buffer.from("text"));
});

function readBack(value) {
  return throughStorage(toStored(value, { key: KEY }), fromStored);
}

function throughStorage(stored, read) {
  return read(entryOf(stored), Buffer.concat(stored.parts.map(({ bytes }) => bytes)));
}

function entryOf({ shape, parts }) {
  return { shape, parts: parts.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength })) };
}

function pick(value, names) {
  return Object.fromEntries(names.map((name) => [name, value[name]]));
}
