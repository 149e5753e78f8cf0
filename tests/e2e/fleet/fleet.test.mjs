// The harness of fleets itself, with Next.js's own cache: processes that share nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { renderOf, sleep } from "../../evidence/apps.mjs";
import { startFleet, systemNode } from "./fleet.mjs";

const LIMIT = { timeout: 120_000 };

test("two processes on different ports keep a copy of the build each", LIMIT, async (t) => {
  const fleet = await startFleet({ variant: "next" });
  t.after(() => fleet.stop());

  assert.notEqual(fleet.urlOf(0), fleet.urlOf(1));
  assert.notEqual(fleet.pidOf(0), fleet.pidOf(1));
  const [one, other] = [await fleet.visit(0, "/bar"), await fleet.visit(1, "/bar")];
  assert.deepEqual([one.status, other.status], [200, 200]);
  assert.notEqual(renderOf(one), renderOf(other));
  assert.deepEqual(
    fleet.probe.renders("/bar").map(({ id, isolate }) => [id, isolate]),
    [[renderOf(one), 0], [renderOf(other), 1]],
    "the probe knows which process rendered what",
  );
  const again = await fleet.visit(0, "/bar");
  assert.equal(again.headers.get("x-nextjs-cache"), "HIT");
  assert.equal(renderOf(again), renderOf(one));
});

test("the pages are of the kinds that scenes need", LIMIT, async (t) => {
  const fleet = await startFleet({ variant: "next", processes: 1 });
  t.after(() => fleet.stop());

  for (const path of ["/foo", "/about"]) {
    assert.equal((await fleet.visit(0, path)).status, 200);
    assert.equal(fleet.probe.renders(path).length, 0, `${path} was built with the app`);
  }

  const brief = await fleet.visit(0, "/brief/page");
  await sleep(2500);
  const stale = await fleet.visit(0, "/brief/page");
  assert.equal(stale.headers.get("x-nextjs-cache"), "STALE");
  assert.equal(renderOf(stale), renderOf(brief));
  await fleet.probe.waitForEnd("/brief/page", 2);

  const before = await fleet.visit(0, "/tagged/page");
  assert.equal(renderOf(await fleet.visit(0, "/tagged/page")), renderOf(before));
  assert.equal((await fleet.visit(0, "/api/revalidate?tag=product:page", { method: "POST" })).status, 200);
  const after = await fleet.visit(0, "/tagged/page");
  assert.notEqual(renderOf(after), renderOf(before));
  await fleet.visit(0, "/api/revalidate?path=/tagged/page", { method: "POST" });
  assert.notEqual(renderOf(await fleet.visit(0, "/tagged/page")), renderOf(after));
});

test("a process can be killed mid-render and started anew, over a fresh copy", LIMIT, async (t) => {
  const fleet = await startFleet({ variant: "next" });
  t.after(() => fleet.stop());

  const kept = await fleet.visit(0, "/kept");
  const address = fleet.urlOf(0);
  fleet.probe.behave("/held", { hold: true });
  const victim = fleet.visit(0, "/held");
  await fleet.probe.waitForRenders("/held", 1);
  await fleet.kill(0);
  assert.equal((await victim).status, 0);
  assert.ok(fleet.probe.renders("/held")[0].diedAt);
  assert.throws(() => fleet.urlOf(0), /process-0 is not running/);
  assert.equal((await fleet.visit(1, "/about")).status, 200, "the other goes on");

  await fleet.restart(0);
  assert.notEqual(fleet.urlOf(0), address);
  assert.notEqual(renderOf(await fleet.visit(0, "/kept")), renderOf(kept), "what was written into the copy is lost");
});

test("the environment and the Node are as asked for, and a stopped fleet leaves nothing", LIMIT, async () => {
  const node = systemNode();
  const fleet = await startFleet({ variant: "next", processes: 1, node, env: { PROBE: "" } });
  const pid = fleet.pidOf(0);
  assert.equal((await fleet.visit(0, "/unseen")).status, 200);
  assert.equal(fleet.probe.renders("/unseen").length, 0, "a process without a probe");
  assert.ok(fleet.logged("Ready in").length > 0);
  const copy = path.join(fleet.storage, "process-0");
  assert.ok(existsSync(copy));
  await fleet.stop();
  assert.ok(!isRunning(pid));
  assert.ok(!existsSync(copy));
});

test("a fleet ends with the process that started it, however that one ends", LIMIT, async (t) => {
  const script = `
    import { startFleet } from ${JSON.stringify(new URL("./fleet.mjs", import.meta.url).href)};
    const fleet = await startFleet({ variant: "next", processes: 1 });
    console.log(fleet.pidOf(0), fleet.storage);
    process.kill(process.pid, "SIGKILL");
  `;
  const { error, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  assert.equal(error, undefined);
  const [pid, storage] = stdout.trim().split(" ");
  t.after(() => rmSync(storage, { recursive: true, force: true }));
  for (let waited = 0; isRunning(Number(pid)) && waited < 10_000; waited += 50) await sleep(50);
  assert.ok(!isRunning(Number(pid)));
});

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
