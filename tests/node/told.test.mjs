// What a response says of the cache: which reading it was made of, and what its headers become.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Readings } from "../../pkg/dist/host/readings.js";
import { headersOf } from "../../pkg/dist/host/response-headers.js";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";

const { engine } = isolateOver();
const STATUS = /^Onegen; hit; ttl=4[89]; detail="generation=7 kv"$/;

/** An entry that is eleven seconds old and fresh for a minute. */
const entry = (more) => ({ entry: { revalidate: 60, expire: 600, created_at: Date.now() - 11_000, generation: 7, source: "kv", stale: false, ...more } });
const told = (given, served = entry()) => headersOf(engine, served, given)["cache-control"];

test("the lifetime that a host tells becomes what is left of it, of errors too", () => {
  assert.match(headersOf(engine, entry(), { status: 200, cacheControl: "s-maxage=60" })["cache-status"], STATUS);
  for (const status of [200, 307, 404, 410, 451]) {
    assert.match(told({ status, cacheControl: "s-maxage=60, stale-while-revalidate=540" }), /^s-maxage=4[89], stale-while-revalidate=540$/);
  }
  assert.match(told({ status: 410, cacheControl: "s-maxage=1" }, entry({ stale: true })), /^s-maxage=0, /);
});

test("a host that tells no lifetime, because it knows none, is told what is left", () => {
  assert.match(told({ status: 200, cacheControl: null }), /^s-maxage=4[89]/);
  assert.match(told({ status: 410, cacheControl: undefined }), /^s-maxage=4[89]/);
});

test("what no shared cache may keep, and the app's own word, stay as they are", () => {
  assert.equal(told({ status: 404, cacheControl: "private, no-cache, no-store, max-age=0, must-revalidate" }), undefined);
  assert.equal(told({ status: 200, cacheControl: "public, max-age=60" }), undefined);
  assert.equal(told({ status: 200, cacheControl: "no-cache" }), undefined);
  assert.equal(told({ status: 500, cacheControl: null }), undefined);
});

const KEY = "/route-cache/PAGES/77/$/shop/one";
const NOT_FOUND = "/route-cache/APP_PAGE/99/$/_not-found";

function asked(...readings) {
  const context = newRequest();
  for (const [key, served] of readings) context.serve(key, served);
  return context;
}

test("a 404's page, read afterwards, does not stand for what was asked for", () => {
  const own = { miss: { reason: "leader" } };
  const context = asked([KEY, own], [NOT_FOUND, entry()]);
  assert.equal(new Readings().servedTo(context, "/shop/one", "HIT"), own);
});

test("a request that joined a reading is told of it, whatever it read itself for the 404's page", () => {
  const readings = new Readings();
  const cached = entry();
  readings.remember(KEY, cached);
  assert.equal(readings.servedTo(asked(), "/shop/one", "HIT"), cached);
  assert.equal(readings.servedTo(asked([NOT_FOUND, entry()]), "/shop/one", "HIT"), cached);
});

test("a request whose interceptor passed its miss on is told what the server behind it joined", () => {
  const readings = new Readings();
  const passed = { miss: { reason: "pass" } };
  const context = asked([KEY, passed]);
  readings.remember(KEY, passed);
  assert.equal(readings.servedTo(context, "/shop/one", "MISS"), passed);
  const led = { miss: { reason: "leader", renewed: false } };
  readings.remember(KEY, led);
  assert.deepEqual(readings.servedTo(context, "/shop/one", "MISS"), { ...led, collapsed: true });
});

test("a page's data is told of as the page is", () => {
  const readings = new Readings();
  const cached = entry();
  readings.remember(KEY, cached);
  readings.remember("/route-cache/PAGES/11/$/index", entry());
  assert.equal(readings.servedTo(asked(), "/_next/data/build/shop/one.json", "HIT"), cached);
  assert.ok(readings.servedTo(asked(), "/_next/data/build/index.json", "HIT"));
});

test("what was read under another path than the one asked for stands for it, where nothing else does", () => {
  const rewritten = entry();
  assert.equal(new Readings().servedTo(asked([KEY, rewritten]), "/old-shop", "HIT"), rewritten);
});
