// The Onegen Worker that a fleet shares: its address outlives it.
import assert from "node:assert/strict";
import test from "node:test";
import { renderOf } from "../../evidence/apps.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const LIMIT = { timeout: 120_000 };

test("an Onegen Worker keeps its address and what it holds when it is killed and started again", LIMIT, async (t) => {
  const worker = await startOnegenWorker({ kv: "bridge", wrapObjects: true });
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant: "onegen", url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  const health = () => fetch(`${worker.url}/health`).then(({ status }) => status, (error) => error.cause.code);

  const first = await fleet.visit(0, "/bar");
  assert.equal(first.status, 200);
  assert.equal((await worker.objects.counts())["RouteCoordinator.publish"], 1);
  assert.ok((await worker.kv.keys()).length > 0);
  assert.equal(await health(), 200);

  await worker.kill();
  assert.equal(await health(), "ECONNRESET");
  assert.equal(renderOf(await fleet.visit(0, "/bar")), renderOf(first), "a process serves what it has");

  await worker.start();
  assert.equal(await health(), 200);
  const fromStorage = await fleet.visit(1, "/bar");
  assert.equal(fromStorage.headers.get("x-nextjs-cache"), "HIT");
  assert.equal(renderOf(fromStorage), renderOf(first));
});

test("a token that the Onegen Worker does not know opens nothing, and is told of", LIMIT, async (t) => {
  const worker = await startOnegenWorker({ tokens: "app:rw:another-token-of-the-tests" });
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant: "onegen", processes: 1, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());

  assert.equal((await fleet.visit(0, "/bar")).status, 200);
  assert.equal(fleet.logged("answered 401").length, 1);
});
