// A panic in the HTTPS API while requests wait in it, on real workerd.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { stopAllWorlds } from "../tools/harness/world.mjs";
import { afterPanic, panickingWorld, panics, panicsUnderTraffic, unreported } from "./panicking-api.mjs";

after(stopAllWorlds);

function areInterrupted(answers) {
  for (const answer of answers) {
    assert.deepEqual([answer.stranded, answer.status, answer.json?.code], [undefined, 503, "interrupted"]);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.match(answer.headers.get("retry-after"), /^\d+$/);
    assert.match(answer.json.type, /docs\/api\.md#interrupted$/);
    assert.match(answer.json.detail, /: expected .*; \S+/);
  }
}

test("every request in flight at a panic is told at once to come back, and the next ones are served", async () => {
  const world = await panickingWorld();
  const { answers, next } = await panics(world, { rounds: 4 });
  areInterrupted(answers);
  assert.equal(answers.length, 4 * 33);
  for (const { status } of next) assert.equal(status, 200);
  assert.equal(world.logged("onegen: panic in the HTTPS API").length, 4);
  await world.stop();
});

test("where a panic is not reported, the first deadline that passes ends all waiting, and the next ones are served", async () => {
  const world = await panickingWorld(unreported(3000));
  const { answers, next } = await panics(world, { limitMs: 8000 });
  areInterrupted(answers);
  for (const { status } of next) assert.equal(status, 200);
  await world.stop();
});

test("a request that begins before anything has ended the broken one has a fresh instance", async () => {
  const world = await panickingWorld(unreported(60_000));
  for (const { stranded, status } of await afterPanic(world)) assert.deepEqual([stranded, status], [undefined, 200]);
  await world.stop();
});

test("under steady traffic a panic costs the requests in flight, and no others", async () => {
  const world = await panickingWorld();
  const outcomes = await panicsUnderTraffic(world);
  const interrupted = outcomes.filter(({ status }) => status !== 200);
  areInterrupted(interrupted);
  assert.equal(world.logged("onegen: panic in the HTTPS API").length, 5);
  assert.ok(interrupted.length >= 5 && interrupted.length <= 5 * 12, `${interrupted.length} of ${outcomes.length} were interrupted`);
  assert.ok(outcomes.length > 2 * interrupted.length);
  await world.stop();
});
