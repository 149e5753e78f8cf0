// The HTTPS API without Workers: the same wasm in Node, over stores that are handed in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as api from "../../.build/panicking-api/api.js";
import { frame, keyOf, readFrame, tokenList, tokens } from "../workerd/api-client.mjs";

api.initSync({ module: readFileSync(new URL("../../.build/panicking-api/api_bg.wasm", import.meta.url)) });

/** Streams that break off where their pieces do not add up. */
function joined(bytes, pieces, source) {
  return ReadableStream.from(
    (async function* () {
      let left = bytes;
      for (const piece of [...pieces, ...(source ? await Array.fromAsync(source) : [])]) {
        left -= piece.byteLength;
        yield piece;
      }
      if (left !== 0) throw new Error(`${left} bytes are missing`);
    })(),
  );
}

const streamOf = (...chunks) => ReadableStream.from(chunks);

/** Asks the API over these stores, as the writer of an app. */
function ask(host, method, path, { key, body, headers = {}, token = tokens.writer } = {}) {
  const query = key === undefined ? "" : `?${new URLSearchParams({ key })}`;
  const authorization = token && { authorization: `Bearer ${token}` };
  const request = new Request(`http://onegen.example${path}${query}`, { method, body, duplex: "half", headers: { ...authorization, ...headers } });
  return api.answer(request, { tokens: tokenList, joined, ...host }, () => {});
}

/** Timers that ring when they are told that time has passed. Their ids are numbers, as Workers' are. */
class Timers {
  #own = { setTimeout, clearTimeout };
  #set = new Map();
  #now = 0;
  #last = 0;

  constructor() {
    globalThis.setTimeout = (ring, ms) => (this.#set.set(++this.#last, { ring, at: this.#now + ms }), this.#last);
    globalThis.clearTimeout = (id) => this.#set.delete(id);
  }

  /** How many are set. */
  get size() {
    return this.#set.size;
  }

  pass(ms) {
    this.#now += ms;
    for (const [id, { ring, at }] of this.#set) if (at <= this.#now && this.#set.delete(id)) ring();
  }

  [Symbol.dispose]() {
    Object.assign(globalThis, this.#own);
  }
}

async function isRefused(response, status, code) {
  const problem = await response.json();
  assert.deepEqual([response.status, problem.status, problem.code], [status, status, code], problem.detail);
}

test("nothing that only Workers have is imported", () => {
  for (const file of ["../../pkg/wasm/api/api.js", "../../.build/panicking-api/api.js"]) {
    const glue = readFileSync(new URL(file, import.meta.url), "utf8");
    assert.doesNotMatch(glue, /["'](cloudflare|workerd|node):/);
    const imported = [...glue.matchAll(/^import .* from ['"](.*)['"]/gm)].map(([, name]) => name);
    assert.ok(imported.every((name) => name.startsWith("./snippets/")), imported.join());
  }
  const module = new WebAssembly.Module(readFileSync(new URL("../../pkg/wasm/api/api_bg.wasm", import.meta.url)));
  assert.deepEqual([...new Set(WebAssembly.Module.imports(module).map((one) => one.module))], ["./api_bg.js"]);
});

test("a stored entry is passed on as it is stored, whatever runs its stream has", async () => {
  const whole = frame("<p>once</p>", { generation: 7 });
  const large = frame(Buffer.alloc(3 << 20, "onegen"), { generation: 8 });
  for (const [bytes, runs] of [[whole, [5, 12, 30]], [whole, [whole.length]], [large, [1, 70_000, 2_000_000]]]) {
    const chunks = [0, ...runs].map((from, index, all) => new Uint8Array(bytes.subarray(from, all[index + 1] ?? bytes.length)));
    const response = await ask({ readEntry: async () => streamOf(...chunks) }, "GET", "/v1/entry", { key: keyOf("/x") });
    assert.equal(response.status, 200);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
  }
});

test("chunks of a body stay those of JavaScript", async () => {
  const { memory } = api.initSync();
  const mark = "a mark that is found wherever it lies";
  const whole = frame(mark.repeat(30_000), { generation: 9 });
  const published = [];
  const route = () => ({ publish: async (...args) => (published.push(args), { accepted: { generation: 9 } }) });
  const response = await ask({ route }, "POST", "/v1/publish", { key: keyOf("/x"), body: streamOf(whole.subarray(0, 40), whole.subarray(40)), headers: { "onegen-message": "{}" } });
  assert.deepEqual(await response.json(), { accepted: { generation: 9 } });
  const [[name, message, header, body]] = published;
  assert.equal(name, keyOf("/x"));
  assert.equal(message.seed, false);
  assert.equal(readFrame(Buffer.concat([header, body])).body, mark.repeat(30_000));
  assert.ok(!Buffer.from(memory.buffer).includes(mark));
});

test("what an object answers with is passed on, and what it throws is told", async () => {
  const since = { from: 0, head: { epoch: 1, number: 0 }, floor: 0, rows: [], window_ms: 0, added_later: true };
  const body = JSON.stringify({ position: { epoch: 0, number: 0 } });
  const answering = { ledger: (name) => ({ since: async (...args) => (assert.deepEqual([name, args[0]], ["onegen/1/shop", "onegen/1/shop"]), since) }) };
  assert.deepEqual(await (await ask(answering, "POST", "/v1/since", { body })).json(), since);
  const throwing = (properties) => ({ ledger: () => ({ since: async () => Promise.reject(Object.assign(new Error("gone"), properties)) }) });
  await isRefused(await ask(throwing({}), "POST", "/v1/since", { body }), 502, "object-failed");
  await isRefused(await ask(throwing({ retryable: true }), "POST", "/v1/since", { body }), 503, "object-failed");
  await isRefused(await ask(throwing({ retryable: true, overloaded: true }), "POST", "/v1/since", { body }), 502, "object-failed");
  const missing = { ledger: () => { throw new Error("there is none"); } };
  await isRefused(await ask(missing, "POST", "/v1/since", { body }), 502, "object-failed");
});

test("nothing is waited for without end", async () => {
  const never = () => new Promise(() => {});
  const key = keyOf("/x");
  const frozen = { readEntry: never, route: () => ({ acquire: never }), ledger: () => ({ since: never }) };
  const acquire = JSON.stringify({ holder: "h", need: "fill", wait_ms: 20_000 });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  using timers = new Timers();
  const asked = {
    read: ask(frozen, "GET", "/v1/entry", { key }),
    stalled: ask({ readEntry: async () => new ReadableStream({}) }, "GET", "/v1/entry", { key }),
    since: ask(frozen, "POST", "/v1/since", { body: JSON.stringify({ position: { epoch: 0, number: 0 } }) }),
    acquire: ask(frozen, "POST", "/v1/acquire", { key, body: acquire }),
    slow: ask(frozen, "POST", "/v1/acquire", { key, body: new ReadableStream({}) }),
  };
  const ended = {};
  for (const [name, answer] of Object.entries(asked)) void answer.then((response) => (ended[name] = response));
  const at = {};
  for (let second = 1; second <= 120; second += 1) {
    for (let turn = 0; turn < 20; turn += 1) await settle();
    timers.pass(1000);
    for (let turn = 0; turn < 20; turn += 1) await settle();
    for (const name of Object.keys(ended)) at[name] ??= second;
  }
  assert.deepEqual(at, { read: 30, stalled: 30, since: 30, acquire: 50, slow: 90 });
  assert.equal(timers.size, 0);
  await isRefused(ended.read, 502, "object-failed");
  await isRefused(ended.stalled, 502, "object-failed");
  await isRefused(ended.acquire, 502, "object-failed");
  await isRefused(ended.slow, 408, "slow-body");
  assert.ok(api.outer_limit_ms() > 120_000);
});

test("what has been waited for leaves no timer behind", async () => {
  using timers = new Timers();
  const key = keyOf("/x");
  assert.equal((await ask({ route: () => ({ touch: async () => {} }) }, "POST", "/v1/touch", { key })).status, 204);
  await isRefused(await ask({}, "POST", "/v1/acquire", { key, body: "{" }), 400, "bad-message");
  assert.equal(timers.size, 0);
});

test("a request that was left behind is told to come back", async () => {
  const response = api.interrupted();
  assert.equal(response.headers.get("retry-after"), "1");
  await isRefused(response, 503, "interrupted");
});
