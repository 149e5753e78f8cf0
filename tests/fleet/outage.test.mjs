// `next start` while the Onegen Worker is not there, refuses, or dies: every page is answered, the cause is told once, and
// nothing needs a restart when it is back.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";
import { isHit, renderOf } from "../evidence/apps.mjs";
import { toldBy, until } from "../evidence/outage-tools.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const LIMIT = { timeout: 180_000 };
const PATHS = ["/about", "/foo", "/unbuilt", "/brief/x", "/tagged/x"];

async function fleetBefore(t, url, token = TOKEN) {
  const fleet = await startFleet({ variant: "onegen", processes: 1, url, token });
  t.after(() => fleet.stop());
  return fleet;
}

async function visitAll(fleet) {
  const visits = [];
  for (const path of PATHS) visits.push(await fleet.visit(0, path));
  return visits;
}

const warnings = (fleet) => fleet.logged(/onegen: /).map(({ text }) => text);

/** A server that is no Onegen Worker. */
async function impostor(t, answer) {
  const server = createServer((request, response) => answer(response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

test("a Worker that dies leaves every page answered, is told of once, and shares again when it is back", LIMIT, async (t) => {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await fleetBefore(t, worker.url);
  const before = await visitAll(fleet);
  await worker.kill();
  const during = [...(await visitAll(fleet)), ...(await visitAll(fleet)), await fleet.visit(0, "/never-seen")];
  assert.deepEqual(toldBy([...before, ...during], "status"), [200]);
  assert.equal(warnings(fleet).length, 1, warnings(fleet).join("\n"));
  assert.match(warnings(fleet)[0], /the Onegen Worker at http:\S+ cannot be reached \(\w+\): pages are rendered, and kept in this process alone/);

  await worker.start();
  const other = await fleetBefore(t, worker.url);
  await other.visit(0, "/about");
  await until("what one process renders is a hit in the other again", async () => {
    const path = `/back-${Date.now()}`;
    const one = await fleet.visit(0, path);
    const two = await other.visit(0, path);
    return isHit(two) && renderOf(two) === renderOf(one);
  });
  assert.equal(warnings(fleet).length, 1, warnings(fleet).join("\n"));
});

const causes = {
  "a Worker that was never there": [async () => "http://127.0.0.1:9", /cannot be reached/],
  "a server that answers nonsense": [(t) => impostor(t, (response) => response.end("<html>")), /answered/],
  "a server that knows no such path": [(t) => impostor(t, (response) => response.writeHead(404).end()), /so it is no Onegen Worker/],
};

for (const [name, [start, told]] of Object.entries(causes)) {
  test(`${name} leaves every page answered, and is told of once`, LIMIT, async (t) => {
    const fleet = await fleetBefore(t, await start(t));
    const visits = [...(await visitAll(fleet)), ...(await visitAll(fleet))];
    assert.deepEqual(toldBy(visits, "status"), [200]);
    assert.equal(warnings(fleet).length, 1, warnings(fleet).join("\n"));
    assert.match(warnings(fleet)[0], told);
  });
}

test("a Worker that never answers keeps nobody waiting for long, and nobody else at all until it is asked again", LIMIT, async (t) => {
  const fleet = await fleetBefore(t, await impostor(t, () => {}));
  const first = await fleet.visit(0, "/unbuilt");
  const second = await fleet.visit(0, "/unbuilt");
  assert.deepEqual(toldBy([first, second], "status"), [200]);
  const took = ({ startedAt, endedAt }) => endedAt - startedAt;
  assert.ok(took(first) < 25_000, `the first visitor waited ${took(first)} ms`);
  assert.ok(took(second) < took(first) / 2, `the second waited ${took(second)} ms, the first ${took(first)} ms`);
  assert.equal(warnings(fleet).length, 1, warnings(fleet).join("\n"));
  assert.match(warnings(fleet)[0], /no answer within \d+ ms/);
});

test("a token that the Worker does not know leaves every page answered, and says what to do", LIMIT, async (t) => {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await fleetBefore(t, worker.url, "y".repeat(30));
  assert.deepEqual(toldBy(await visitAll(fleet), "status"), [200]);
  assert.equal(warnings(fleet).length, 1, warnings(fleet).join("\n"));
  assert.match(warnings(fleet)[0], /answered 401 unknown-token \(/);
});

test("without ONEGEN_URL one sentence says so, and the app serves", LIMIT, async (t) => {
  const fleet = await fleetBefore(t, undefined);
  assert.deepEqual(toldBy(await visitAll(fleet), "status"), [200]);
  assert.equal(warnings(fleet).length, 1);
  assert.match(warnings(fleet)[0], /environment variable ONEGEN_URL is missing: expected .*; set it where "next start" runs \(until then nothing is cached\)/);
});
