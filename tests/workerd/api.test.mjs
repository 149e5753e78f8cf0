// The HTTPS API on real workerd: each route as two clients use it, and every refusal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sleep } from "../evidence/apps.mjs";
import { onegenWorker, until } from "../evidence/outage-tools.mjs";
import { replaced } from "../evidence/switched-off.mjs";
import { startWorld, stopAllWorlds } from "../tools/harness/world.mjs";
import { Client, ask, beforeEverything, everythingStored, frame, inPieces, keyOf, readFrame, storedHandler, storedState, tokenList, tokens } from "./api-client.mjs";

const MiB = 1024 * 1024;
/** The default of the option `kvTtlSeconds`. */
const keyLife = 30 * 24 * 3600;

let world;
let one;
let other;
let reader;
let blog;

async function worldWith(tokenValue, options) {
  const bundle = replaced(await onegenWorker(), storedState, storedHandler());
  return startWorld({ bundle: { ...bundle, bindings: tokenValue === undefined ? {} : { ONEGEN_TOKENS: tokenValue } }, isolates: 2, ...options });
}

before(async () => {
  world = await worldWith(tokenList, { kv: "bridge", wrapObjects: true });
  one = new Client(world, tokens.writer);
  other = new Client(world, tokens.rotated, 1);
  reader = new Client(world, tokens.reader);
  blog = new Client(world, tokens.blog);
});
after(stopAllWorlds);

const inKv = (key, check = () => true) => until(`${key} in KV`, async () => check(await world.kv.read(key)) && (await world.kv.read(key)));

function isRefused(response, status, code) {
  assert.deepEqual([response.status, response.json?.code], [status, code], response.text);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { type, title, detail } = response.json;
  assert.equal(response.json.status, status);
  assert.match(type, new RegExp(`docs/api\\.md#${code}$`));
  assert.ok(title.length > 0);
  assert.match(detail, /: expected .*; \S+/);
  for (const token of Object.values(tokens)) assert.ok(!response.text.includes(token));
}

// --- what works -------------------------------------------------------------------------------------------------------

test("a token's holder learns which app it is for and what it allows", async () => {
  assert.deepEqual((await one.ask("GET", "/v1/health")).json, { status: "ok", app: "shop", access: "read-write" });
  assert.deepEqual((await reader.ask("GET", "/v1/health")).json, { status: "ok", app: "shop", access: "read-only" });
  assert.deepEqual((await blog.ask("GET", "/v1/health")).json, { status: "ok", app: "blog", access: "read-write" });
});

test("what one client publishes, another is handed over and then finds in KV, once", async () => {
  const key = keyOf("/handed-over é?&%");
  const { json } = await one.acquire(key);
  assert.deepEqual(Object.keys(json), ["answer", "waited"]);
  const { lease } = json.answer.granted;
  const waiting = other.acquire(key, { wait_ms: 10_000 });
  await sleep(200);
  const published = await one.publish(key, frame("<p>once</p>"), { lease, render_ms: 200 });
  assert.deepEqual(published.json, { accepted: { generation: lease.generation, key_life_seconds: keyLife } });

  const newer = await waiting;
  assert.equal(newer.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(JSON.parse(newer.headers.get("onegen-answer")), { answer: { newer: { generation: lease.generation } }, waited: true });
  assert.equal(readFrame(newer.body).body, "<p>once</p>");
  assert.equal(readFrame(newer.body).metadata.g, lease.generation);

  await inKv(key);
  const entry = await reader.ask("GET", "/v1/entry", { key });
  assert.equal(entry.status, 200);
  assert.equal(entry.headers.get("content-type"), "application/octet-stream");
  assert.equal(entry.headers.get("etag"), `"${lease.generation}"`);
  const [kept, handed] = [readFrame(entry.body), readFrame(newer.body)];
  assert.deepEqual({ ...kept.metadata, k: handed.metadata.k }, handed.metadata);
  assert.equal(kept.body, handed.body);
  // The life of the key begins when it is put.
  assert.equal(kept.metadata.k.s, keyLife);
  assert.ok(kept.metadata.k.a >= handed.metadata.k.a);
  const again = await reader.ask("GET", "/v1/entry", { key, headers: { "if-none-match": entry.headers.get("etag") } });
  assert.deepEqual([again.status, again.body.length, again.headers.get("etag")], [304, 0, `"${lease.generation}"`]);
  const changed = await reader.ask("GET", "/v1/entry", { key, headers: { "if-none-match": '"1"' } });
  assert.equal(changed.status, 200);
});

test("an entry of 24 MiB passes through in both directions, byte for byte", async () => {
  const key = keyOf("/large");
  const text = Buffer.alloc(24 * MiB, "0123456789abcdefg");
  const { lease } = (await one.acquire(key)).json.answer.granted;
  const whole = frame(text);
  const pieces = inPieces(whole.subarray(0, 7), whole.subarray(7, 5 * MiB), whole.subarray(5 * MiB));
  assert.equal((await one.publish(key, pieces, { lease })).json.accepted.generation, lease.generation);
  const newer = await other.acquire(key);
  await inKv(key);
  const stored = await reader.ask("GET", "/v1/entry", { key });
  for (const { body } of [newer, stored]) assert.ok(body.subarray(-text.length).equals(text));
  assert.equal(Number(stored.headers.get("content-length")), stored.body.length);
});

test("who waits for a lease that is given back is told at once", async () => {
  const key = keyOf("/given-back");
  const { lease } = (await one.acquire(key)).json.answer.granted;
  assert.equal((await other.acquire(key)).json.answer.hold.reason, "rendering");
  const begun = Date.now();
  const waiting = other.acquire(key, { wait_ms: 20_000 });
  await sleep(200);
  const given = await one.ask("POST", "/v1/abandon", { key, body: { lease, reason: "failed" } });
  assert.deepEqual([given.status, given.text], [204, ""]);
  assert.equal((await waiting).json.answer.uncacheable.reason, "backing-off");
  assert.ok(Date.now() - begun < 5000);
});

test("a route can be touched", async () => {
  const { status, text } = await one.ask("POST", "/v1/touch", { key: keyOf("/touched") });
  assert.deepEqual([status, text], [204, ""]);
});

test("a page of the build is accepted as a seed of generation 0, and loses to any render", async () => {
  const key = keyOf("/seeded");
  assert.deepEqual((await one.publish(key, frame("seed"), { seed: true })).json, { accepted: { generation: 0, key_life_seconds: keyLife } });
  const { generation } = await one.acquire(key, { have: 0 }).then(({ json }) => json.answer.granted.lease);
  assert.ok(generation > 0);
});

test("a regeneration sets no alarm, and one that rang to write to KV again is set anew before that has ended", async () => {
  const alarmsSet = async () => (await world.objects.storageCounts())["RouteCoordinator setAlarm"] ?? 0;
  const key = keyOf("/alarmed");
  const lease = async (have) => (await one.acquire(key, { have })).json.answer.granted.lease;
  const first = await lease(0);
  await one.publish(key, frame("first"), { lease: first });
  // A key is written once a second; sooner it would be for an alarm.
  await sleep(1500);
  await world.objects.resetCounts();
  const second = await lease(first.generation);
  await one.publish(key, frame("second"), { lease: second });
  assert.equal(await alarmsSet(), 0);

  await sleep(1500);
  await world.kv.fail({ put: { mode: "throw" } });
  try {
    await one.publish(key, frame("third"), { lease: await lease(second.generation) });
    await until("an alarm to write again", async () => (await alarmsSet()) > 0);
    await world.kv.fail({ put: { mode: "hang" } });
    await world.objects.resetCounts();
    await until("it has rung", async () => (await world.objects.counts())["RouteCoordinator.alarm"] > 0);
    assert.ok((await alarmsSet()) > 0, "should this instance die meanwhile, the next one wakes");
  } finally {
    await world.kv.heal();
  }
});

test("an invalidation by one client is told to the others, and to no other app", async () => {
  const appended = await one.ask("POST", "/v1/append", { body: { position: beforeEverything, tags: ["news"] } });
  assert.equal(appended.status, 200);
  const { head } = appended.json;
  const since = await reader.ask("POST", "/v1/since", { body: { position: beforeEverything } });
  assert.deepEqual(since.json.head, head);
  assert.ok(since.json.rows.some(({ tag, hard }) => tag === "news" && hard === head.number));
  assert.match(since.json.namespace, /^[0-9a-f-]{36}$/);
  const check = await reader.ask("POST", "/v1/check", { body: { position: beforeEverything, tags: ["news"] } });
  assert.equal(check.json, "hard");
  const elsewhere = await blog.ask("POST", "/v1/since", { body: { position: beforeEverything } });
  assert.deepEqual(elsewhere.json.rows, []);
});

test("a publication sent twice is accepted again and changes nothing", async () => {
  const key = keyOf("/replayed");
  const { lease, generation } = await one.render(key, "first");
  await inKv(key);
  await sleep(300);
  const stored = () => everythingStored(world, [key], []);
  const before = await stored();
  assert.deepEqual((await one.publish(key, frame("second"), { lease })).json, { accepted: { generation, key_life_seconds: keyLife } });
  await sleep(1500);
  assert.deepEqual(await stored(), before);
});

test("nobody waits longer than 25 s, whatever they ask for", async () => {
  const key = keyOf("/waited-for");
  await one.acquire(key, { wait_ms: 600_000 });
  const { objects } = await everythingStored(world, [key], []);
  assert.equal(objects[key].asked.wait_ms, 25_000);
});

// --- who may do what ----------------------------------------------------------------------------------------------------

test("/health needs no token, and a path that is none of the API's tells where to go", async () => {
  assert.deepEqual((await ask(world, "GET", "/health")).json, { status: "ok" });
  for (const path of ["/", "/anything", "/v1", "/v2/entry"]) isRefused(await ask(world, "GET", path), 404, "not-found");
});

const everyRoute = [
  ["GET", "/v1/health"],
  ["GET", "/v1/entry"],
  ["POST", "/v1/acquire"],
  ["POST", "/v1/publish"],
  ["POST", "/v1/abandon"],
  ["POST", "/v1/touch"],
  ["POST", "/v1/since"],
  ["POST", "/v1/append"],
  ["POST", "/v1/check"],
  ["GET", "/v1/nothing"],
];

test("without a token, or with an unknown one, every route is refused alike", async () => {
  for (const [method, path] of everyRoute) {
    const nobody = await ask(world, method, path, { key: keyOf("/x") });
    isRefused(nobody, 401, "no-token");
    assert.match(nobody.headers.get("www-authenticate"), /^Bearer/);
    const guess = await ask(world, method, path, { token: "a-guess-of-at-least-24-characters", key: keyOf("/x") });
    isRefused(guess, 401, "unknown-token");
    assert.match(guess.headers.get("www-authenticate"), /^Bearer/);
  }
  isRefused(await ask(world, "GET", "/v1/health", { authorization: `Basic ${tokens.writer}` }), 401, "no-token");
  isRefused(await ask(world, "GET", "/v1/health", { search: `access_token=${tokens.writer}` }), 401, "no-token");
});

test("a read-only token writes nothing, on any route", async () => {
  for (const path of ["/v1/acquire", "/v1/publish", "/v1/abandon", "/v1/touch", "/v1/append"]) {
    isRefused(await reader.ask("POST", path, { key: keyOf("/x"), body: "{}" }), 403, "read-only-token");
  }
});

test("another app's token reaches no route of this one, however alike the names", async () => {
  const key = keyOf("/private");
  await one.render(key, "private");
  await inKv(key);
  for (const token of [tokens.blog, tokens.alike]) {
    const stranger = new Client(world, token, 1);
    isRefused(await stranger.ask("GET", "/v1/entry", { key }), 403, "foreign-key");
    isRefused(await stranger.acquire(key), 403, "foreign-key");
    isRefused(await stranger.publish(key, frame("theirs")), 403, "foreign-key");
    isRefused(await stranger.ask("POST", "/v1/abandon", { key, body: {} }), 403, "foreign-key");
    isRefused(await stranger.ask("POST", "/v1/touch", { key }), 403, "foreign-key");
  }
});

test("no spelling of a key reaches anything but an entry of the token's app", async () => {
  const key = keyOf("/tricks");
  const bad = [
    {},
    { key: "" },
    { key: [key, key] },
    { key: [key, keyOf("/private", "blog")] },
    { search: `key=${encodeURIComponent(encodeURIComponent(key))}` },
    { search: "key=onegen%2F1%2Fshop%252Fb1%2Fb1%2Fresponse%2Fx" },
    { key: "onegen/1/shop" },
    { key: "onegen/1/shop~namespace-id" },
    { key: "onegen/1/shop//response//x" },
    { key: "onegen/1/shop/b1/page//x" },
    { key: "onegen/1/shop/b1/response/" },
    { key: "onegen/1/shop/../blog/b1/response//x" },
    { key: "onegen/1/shop/b1/response//../../../../blog/b1/response//x" },
    { key: `onegen/1/shop/b1/response/${"x".repeat(512)}` },
    { key: `onegen/1/shop/b1/response/${"é".repeat(250)}` },
  ];
  for (const options of bad) {
    isRefused(await one.ask("GET", "/v1/entry", options), 400, "bad-key");
    isRefused(await one.ask("POST", "/v1/touch", options), 400, "bad-key");
  }
  isRefused(await one.ask("GET", "/v1/entry", { key: "onegen/1/shop2/b1/response//x" }), 403, "foreign-key");
});

test("a name in the data cache may hold what a path may not, and stays one name", async () => {
  const key = keyOf('["../../../../blog/b1/data/x","/a"]', "shop", "use-cache");
  await one.render(key, "opaque");
  const { value } = await inKv(key);
  assert.equal(readFrame(value).body, "opaque");
  assert.equal((await reader.ask("GET", "/v1/entry", { key })).status, 200);
});

test("an unknown path and a wrong method are refused as such", async () => {
  for (const path of ["/v1/", "/v1/nothing", "/v1/entry/", "/v1/%65ntry"]) isRefused(await one.ask("GET", path), 404, "not-found");
  for (const [method, path, allowed] of [["POST", "/v1/entry", "GET"], ["DELETE", "/v1/entry", "GET"], ["GET", "/v1/append", "POST"], ["PUT", "/v1/publish", "POST"]]) {
    const refused = await one.ask(method, path, { key: keyOf("/x") });
    isRefused(refused, 405, "method-not-allowed");
    assert.equal(refused.headers.get("allow"), allowed);
  }
});

// --- what is sent -------------------------------------------------------------------------------------------------------

test("a message that is none is refused", async () => {
  const key = keyOf("/messages");
  for (const body of ["", "{", "[]", '{"need":"fill"}', '{"holder":"h","need":"all"}', '{"holder":"h","need":"fill","have":9007199254740991}', Buffer.from([0x22, 0xff, 0x22])]) {
    isRefused(await one.ask("POST", "/v1/acquire", { key, body }), 400, "bad-message");
  }
  for (const path of ["/v1/since", "/v1/append", "/v1/check"]) isRefused(await one.ask("POST", path, { body: '{"tags":[1]}' }), 400, "bad-message");
  isRefused(await one.ask("POST", "/v1/abandon", { key, body: '{"lease":{"generation":1,"holder":"h"},"reason":"bored"}' }), 400, "bad-message");
  isRefused(await one.ask("POST", "/v1/publish", { key, body: frame("x") }), 400, "bad-message");
  isRefused(await one.ask("POST", "/v1/publish", { key, body: frame("x"), headers: { "onegen-message": "{" } }), 400, "bad-message");
});

test("a body that is no whole frame is refused", async () => {
  const key = keyOf("/frames");
  const whole = frame("<p>whole</p>");
  const json = Buffer.from("1GEN\x01\0\0\0\0\0\0\x02{}");
  for (const body of [undefined, "", "not a frame at all", whole.subarray(0, 11), whole.subarray(0, 40), whole.subarray(0, -1), Buffer.concat([whole, Buffer.from("x")]), frame("x", { version: 9 }), json]) {
    isRefused(await one.publish(key, body), 422, "bad-frame");
  }
  isRefused(await one.publish(key, inPieces(whole.subarray(0, -1))), 422, "bad-frame");
  isRefused(await one.publish(key, inPieces(whole, "x")), 422, "bad-frame");
  assert.ok((await one.acquire(key)).json.answer.granted, "nothing was published");
});

test("a body longer than its limit is refused, with its length told or not", async () => {
  const key = keyOf("/oversize");
  isRefused(await one.publish(key, frame(Buffer.alloc(25 * MiB))), 413, "too-large");
  isRefused(await one.publish(key, inPieces(frame("x", { declared: 25 * MiB }))), 413, "too-large");
  const tags = JSON.stringify({ position: beforeEverything, tags: ["x".repeat(MiB)] });
  isRefused(await one.ask("POST", "/v1/append", { body: tags }), 413, "too-large");
  isRefused(await one.ask("POST", "/v1/append", { body: inPieces(tags.slice(0, 1000), tags.slice(1000)) }), 413, "too-large");
  assert.ok((await one.acquire(key)).json.answer.granted, "nothing was published");
});

// --- what is stored, and what is down -------------------------------------------------------------------------------------

test("nothing under a key, and nothing readable under a key, are told apart", async () => {
  isRefused(await one.ask("GET", "/v1/entry", { key: keyOf("/never") }), 404, "no-entry");
  const key = keyOf("/corrupt");
  const whole = frame("<p>whole</p>", { generation: 7 });
  for (const value of ["", "garbage", whole.subarray(0, 20), whole.subarray(0, -1), Buffer.concat([whole, whole]), frame("x", { version: 9 })]) {
    await world.kv.write(key, value);
    isRefused(await one.ask("GET", "/v1/entry", { key }), 404, "corrupt-entry");
  }
});

test("a long value that is cut off breaks its transfer off instead of passing for an entry", async () => {
  const key = keyOf("/cut-off");
  await world.kv.write(key, frame(Buffer.alloc(3 * MiB), { declared: 4 * MiB }));
  const visit = await world.visit(0, `/v1/entry?${new URLSearchParams({ key })}`, { headers: { authorization: `Bearer ${tokens.reader}` } });
  assert.notEqual(visit.error, undefined);
});

test("when KV or an object fails, the client is told to come back", async () => {
  const key = keyOf("/down");
  try {
    await world.kv.fail({ get: { mode: "throw" } });
    const read = await one.ask("GET", "/v1/entry", { key });
    isRefused(read, 502, "object-failed");
    assert.match(read.headers.get("retry-after"), /^\d+$/);
    for (const [message, status] of [["Network connection lost.", 503], ["out of memory", 502]]) {
      await world.objects.behave("throw", { message });
      for (const [path, body] of [["acquire", { holder: "h", need: "fill" }], ["touch"], ["abandon", { lease: { generation: 1, holder: "h" }, reason: "failed" }], ["since", { position: beforeEverything }]]) {
        const refused = await one.ask("POST", `/v1/${path}`, { key, body });
        isRefused(refused, status, "object-failed");
        assert.match(refused.headers.get("retry-after"), /^\d+$/);
      }
      isRefused(await one.publish(key, frame("x")), status, "object-failed");
    }
  } finally {
    await world.kv.heal();
    await world.objects.heal();
  }
});

test("without a configured token the API refuses everything and says how to set one", async () => {
  const unset = await worldWith(undefined);
  for (const [method, path] of everyRoute) {
    const refused = await ask(unset, method, path, { token: tokens.writer, key: keyOf("/x") });
    isRefused(refused, 503, "no-token-configured");
    assert.match(refused.json.detail, /wrangler secret put ONEGEN_TOKENS/);
  }
  assert.equal((await ask(unset, "GET", "/health")).status, 200);
  await until("a line in the log", () => unset.logs.some(({ text }) => /onegen: ONEGEN_TOKENS is empty/.test(text)));
  await unset.stop();
});

test("a mistake in the list of tokens is named by its entry, without the token", async () => {
  const mistaken = await worldWith(`shop:rw:${tokens.writer},blog:write:${tokens.blog}`);
  const refused = await ask(mistaken, "GET", "/v1/health", { token: tokens.writer });
  isRefused(refused, 503, "bad-token-list");
  assert.match(refused.json.detail, /^entry 2 of ONEGEN_TOKENS has no valid access: expected/);
  await until("a line in the log", () => mistaken.logs.some(({ text }) => /onegen: entry 2 of ONEGEN_TOKENS/.test(text)));
  assert.ok(!mistaken.logs.some(({ text }) => text.includes(tokens.blog)));
  await mistaken.stop();
});
