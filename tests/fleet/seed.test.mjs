// `onegen seed` for `next start`: what the build rendered is in the Onegen Worker before anybody asks.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { imageOf } from "./build.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const LIMIT = { timeout: 120_000 };
const cli = fileURLToPath(new URL("../../pkg/cli.js", import.meta.url));

/** A copy of the built app, as a deployment has it where it runs the command. */
async function deployment(t) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-seed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(imageOf("onegen").folder, folder, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return folder;
}

function seed(folder, env) {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, "seed", folder], { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

test("every page of the build is uploaded once, and its first visit is a hit from KV", LIMIT, async (t) => {
  const [worker, folder] = [await startOnegenWorker(), await deployment(t)];
  t.after(() => worker.stop());
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };

  const first = await seed(folder, env);
  assert.equal(first.code, 0, first.stderr);
  const [, uploaded] = /(\d+) pre-rendered entries uploaded, 0 were there already/.exec(first.stdout) ?? assert.fail(first.stdout);
  const manifest = JSON.parse(await readFile(path.join(folder, ".next/prerender-manifest.json"), "utf8"));
  assert.equal(Number(uploaded), Object.keys(manifest.routes).length);
  const fleet = await startFleet({ variant: "onegen", processes: 1, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  await fleet.visit(0, "/about");
  const visit = await fleet.visit(0, "/foo");
  assert.match(visit.headers.get("cache-status"), /^Onegen; hit; .* kv"$/);
  assert.equal(fleet.probe.renders("/foo").length, 0);
});

test("seeding again never takes the place of something newer", LIMIT, async (t) => {
  const [worker, folder] = [await startOnegenWorker(), await deployment(t)];
  t.after(() => worker.stop());
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };
  await seed(folder, env);
  const fleet = await startFleet({ variant: "onegen", processes: 2, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  await fleet.visit(0, "/api/revalidate?path=/foo", { method: "POST" });
  const newer = await fleet.visit(0, "/foo");
  assert.equal(fleet.probe.renders("/foo").length, 1);

  const again = await seed(folder, env);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, / 0 pre-rendered entries uploaded, \d+ were there already or had been replaced/);
  await fleet.restart(1);
  assert.equal((await fleet.visit(1, "/foo")).text, newer.text);
  assert.equal(fleet.probe.renders("/foo").length, 1);
});

test("what an interrupted run has uploaded is not uploaded again", LIMIT, async (t) => {
  const [worker, folder] = [await startOnegenWorker({ kv: "bridge", wrapObjects: { RouteCoordinator: ["publish"] } }), await deployment(t)];
  t.after(() => worker.stop());
  const env = { ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN };
  await worker.objects.behave("throw", { methods: ["publish"] });
  const broken = await seed(folder, env);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /^onegen seed: after 0 of \d+ entries the Onegen Worker at http:\S+ answered 50\d .*: run it again, it goes on from there/);
  await worker.objects.heal();

  const record = path.join(folder, ".next/onegen-seeded.json");
  const buildId = (await readFile(path.join(folder, ".next/BUILD_ID"), "utf8")).trim();
  const { key } = JSON.parse(await readFile(path.join(folder, ".next/server/app/foo.meta"), "utf8")).routeCache;
  await writeFile(record, JSON.stringify({ target: `${worker.url} app ${buildId}`, keys: [key] }));
  await worker.objects.resetCounts();
  const resumed = await seed(folder, env);
  assert.match(resumed.stdout, / 1 were there already/);
  const { "RouteCoordinator.publish": sent } = await worker.objects.counts();
  assert.match(resumed.stdout, new RegExp(`^onegen: ${sent} pre-rendered entries uploaded`));
  await assert.rejects(readFile(record), "a run that ended well leaves no record");
});

test("without an address, or with a token that opens nothing, one sentence says so", LIMIT, async (t) => {
  const [worker, folder] = [await startOnegenWorker(), await deployment(t)];
  t.after(() => worker.stop());
  const nowhere = await seed(folder, {});
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^onegen seed: environment variable ONEGEN_URL is missing: expected .*; set it/);
  const refused = await seed(folder, { ONEGEN_URL: worker.url, ONEGEN_TOKEN: "x".repeat(30) });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /answered 401 unknown-token/);
});
