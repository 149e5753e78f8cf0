// The API's client before a Worker that is not there, slow, of another kind, or refuses: each is told once, and ends in time.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, beforeEach, mock, test } from "node:test";
import { Https } from "../../pkg/dist/stores/https.js";

const PROBLEM = { "content-type": "application/problem+json" };

let answer;
let requests = [];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  requests.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
  answer(response, requests.length);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

let warnings;
beforeEach(() => {
  requests = [];
  warnings = [];
  mock.restoreAll();
  mock.method(console, "warn", (line) => warnings.push(line));
});

const client = (base = url) => new Https({ url: base, token: "t".repeat(24), headerBytes: () => 3, readSeed: async () => undefined });
const told = async (api, asked) => {
  const error = await asked.then(() => assert.fail("it answered"), (error) => error);
  api.failed("anything", error);
  return error;
};

test("a key travels whole, whatever it holds, with the token", async () => {
  answer = (response) => response.end(Buffer.from([1, 2, 3]));
  const bytes = await client().read("onegen/1/app/b1/response//blog/ž?x=1&y#z");
  assert.deepEqual([...bytes], [1, 2, 3]);
  const [{ url: asked, headers }] = requests;
  assert.equal(new URL(asked, url).searchParams.get("key"), "onegen/1/app/b1/response//blog/ž?x=1&y#z");
  assert.equal(headers.authorization, `Bearer ${"t".repeat(24)}`);
});

test("an entry that is not there is no outage, and a 404 of another server is one", async () => {
  const api = client();
  answer = (response) => response.writeHead(404, PROBLEM).end('{"code":"no-entry","detail":"nothing"}');
  assert.equal(await api.read("k"), null);
  answer = (response) => response.writeHead(404).end("<h1>Not found</h1>");
  await told(api, api.read("k"));
  assert.match(warnings[0], /answered 404 without saying why, so it is no Onegen Worker: pages are rendered/);
});

test("what comes with a newer entry is taken apart by the frame's own header", async () => {
  answer = (response) => response.writeHead(200, { "onegen-answer": '{"answer":{"newer":{"generation":7}},"waited":true}' }).end("headbody");
  const { answer: given, waited, header, body } = await client().acquire("k", { need: "fill", wait_ms: 0 }, 1000);
  assert.deepEqual([given, waited, String(header), String(body)], [{ newer: { generation: 7 } }, true, "hea", "dbody"]);
});

test("what is published travels as bytes beside its message", async () => {
  answer = (response) => response.end('{"accepted":{"generation":7}}');
  assert.deepEqual(await client().publish("k", { seed: true }, Buffer.from("head"), Buffer.from("body"), 1000), { accepted: { generation: 7 } });
  const [{ body, headers }] = requests;
  assert.deepEqual([body, headers["onegen-message"], headers["content-type"]], ["headbody", '{"seed":true}', "application/octet-stream"]);
});

test("a refused token is told once, with what the Worker says of it", async () => {
  const api = client();
  answer = (response) => response.writeHead(401, PROBLEM).end('{"code":"unknown-token","detail":"the token is not among ONEGEN_TOKENS: set ONEGEN_TOKEN"}');
  await told(api, api.read("k"));
  await told(api, api.since({ position: { epoch: 0, number: 0 } }));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^onegen: the Onegen Worker at http:\S+ answered 401 unknown-token \(the token is not among ONEGEN_TOKENS: set ONEGEN_TOKEN\): pages are rendered/);
});

test("a Worker that is not there is told once, at once", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  const api = client(`http://127.0.0.1:${port}`);
  for (let n = 0; n < 3; n += 1) await told(api, api.read("k"));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /cannot be reached \(ECONNREFUSED\)/);
});

test("a Worker that never answers is waited for no longer than was asked", async () => {
  answer = () => {};
  const api = client();
  const begun = Date.now();
  await told(api, api.since({ position: { epoch: 0, number: 0 } }, 200));
  assert.ok(Date.now() - begun < 5000);
  assert.match(warnings[0], /gave no answer within \d+ ms/);
});

test("after a Worker has not answered, nobody waits for it until one request has found it well", async () => {
  answer = () => {};
  const api = client();
  const ask = (limitMs) => api.since({ position: { epoch: 0, number: 0 } }, limitMs);
  await assert.rejects(ask(100));
  await assert.rejects(ask(60_000), /no answer within/);
  assert.equal(requests.length, 1);
  answer = (response) => response.end("{}");
  const begun = Date.now();
  while (Date.now() - begun < 10_000 && !(await ask(1000).catch(() => undefined))) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(await ask(1000), {});
});

test("a clock that is set back makes an outage no longer", async () => {
  answer = () => {};
  const api = client();
  const ask = (limitMs) => api.since({ position: { epoch: 0, number: 0 } }, limitMs);
  const now = Date.now;
  mock.method(Date, "now", () => now() + 3_600_000);
  await assert.rejects(ask(100));
  mock.restoreAll();
  answer = (response) => response.end("{}");
  const begun = Date.now();
  while (Date.now() - begun < 10_000 && !(await ask(1000).catch(() => undefined))) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(await ask(1000), {});
});

test("one question that hangs is no outage while others are answered", async () => {
  answer = (response) => (requests.at(-1).url.startsWith("/v1/acquire") ? undefined : response.end("{}"));
  const api = client();
  const hanging = api.acquire("k", { need: "fill", wait_ms: 0 }, 200).catch((error) => error);
  await api.since({ position: { epoch: 0, number: 0 } });
  assert.match((await hanging).message, /no answer/);
  assert.deepEqual(await api.since({ position: { epoch: 0, number: 0 } }), {});
});

test("an answer that is no JSON is told as such", async () => {
  answer = (response) => response.end("<html>");
  const api = client();
  await told(api, api.since({ position: { epoch: 0, number: 0 } }));
  assert.match(warnings[0], /answered "<html>", which is no JSON/);
});

test("an answer that no Onegen Worker gives is told as such, whatever it was asked", async () => {
  const none = () => -1;
  const notAnEntry = new Https({ url, token: "t".repeat(24), headerBytes: none, readSeed: async () => undefined });
  answer = (response) => response.end("<html>");
  await told(notAnEntry, notAnEntry.read("k"));
  assert.match(warnings[0], /answered "<html>", which is no entry/);
  const answers = [
    (response) => response.end("{}"),
    (response) => response.end("null"),
    (response) => response.end('{"answer":{"newer":{"generation":7}}}'),
    (response) => response.writeHead(200, { "onegen-answer": "<html>" }).end("headbody"),
    (response) => response.writeHead(500, PROBLEM).end("null"),
  ];
  for (const given of answers) {
    answer = given;
    const api = client();
    const { cause } = await told(api, api.acquire("k", { need: "fill", wait_ms: 0 }, 1000));
    assert.ok(cause === "nonsense" || cause === 500, `${given} is told as ${cause}`);
  }
});

test("an answer that breaks off is told as such, and one without end is given up", async () => {
  answer = (response) => response.writeHead(200, { "content-length": 100 }).write("some", () => response.destroy());
  const api = client();
  await told(api, api.read("k"));
  assert.match(warnings[0], /breaks off in the middle of its answers \(\w+\)/);
  answer = (response) => {
    const chunk = Buffer.alloc(1024 * 1024);
    const goOn = () => response.write(chunk, goOn);
    goOn();
  };
  const endless = client();
  await told(endless, endless.publish("k", {}, Buffer.from("head"), Buffer.from("body"), 60_000));
  assert.match(warnings[1], /answered with more than an entry can be/);
});

test("an answer that comes too late for readers does not end an outage", async () => {
  const api = client();
  answer = () => {};
  const ask = (limitMs) => api.since({ position: { epoch: 0, number: 0 } }, limitMs);
  await assert.rejects(ask(100));
  answer = (response) => setTimeout(() => response.end('{"accepted":{"generation":7}}'), 3000);
  const publish = () => api.publish("k", {}, Buffer.from("head"), Buffer.from("body"), 60_000).catch(() => undefined);
  while ((await publish()) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  requests = [];
  await assert.rejects(ask(60_000), /no answer within 100 ms/);
  assert.equal(requests.length, 0);
});

test("a message that the Worker says was lost is sent again, and a question about waiting waits for less", async () => {
  answer = (response, count) =>
    count < 3
      ? response.writeHead(503, PROBLEM).end('{"code":"object-failed","detail":"later"}')
      : response.end('{"answer":{"hold":{"ms":1000,"recheck_ms":1000,"reason":"rendering"}},"waited":false}');
  const { answer: given } = await client().acquire("k", { need: "fill", wait_ms: 1000 }, 3000);
  assert.equal(given.hold.ms, 1000);
  assert.equal(requests.length, 3);
  assert.ok(JSON.parse(requests[2].body).wait_ms < JSON.parse(requests[0].body).wait_ms);
});

test("a message whose answer the Worker interrupted is sent again", async () => {
  answer = (response, count) =>
    count < 2 ? response.writeHead(503, PROBLEM).end('{"code":"interrupted","detail":"later"}') : response.end('{"accepted":{"generation":7}}');
  const { accepted } = await client().publish("k", {}, Buffer.from("head"), Buffer.from("body"), 3000);
  assert.equal(accepted.generation, 7);
  assert.equal(requests.length, 2);
});

test("a kept connection that the Worker has closed costs nothing", async () => {
  answer = (response) => response.end("{}");
  const api = client();
  for (let n = 0; n < 20; n += 1) {
    await api.since({ position: { epoch: 0, number: 0 } });
    server.closeIdleConnections();
  }
  assert.deepEqual(warnings, []);
});
