// Which cache `onegen/use-cache` finds in a process: that of `next start`, one of its own, or none and why.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

const module = (name) => JSON.stringify(new URL(`../../pkg/dist/${name}`, import.meta.url).href);

const ROUND = `
  const { default: handler } = await import(${module("use-cache/node.js")});
  const value = () => new Response("bytes").body;
  const entry = { value: value(), tags: [], stale: 1, timestamp: Date.now(), expire: 60, revalidate: 60 };
  await handler.refreshTags();
  const before = await handler.get("key", []);
  await handler.set("key", Promise.resolve(entry));
  const after = await handler.get("key", []);
  console.log(before === undefined, after && (await new Response(after.value).text()));
  process.exit();
`;

async function appFolder(t, files = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-process-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.join(folder, path.dirname(name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  return folder;
}

function inProcess(cwd, env, script = ROUND) {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--input-type=module", "--eval", script], { cwd, env: { PATH: process.env.PATH, ...env } }, (_error, stdout, stderr) =>
      resolve({ stdout: stdout.trim(), complaints: stderr.split("\n").filter((line) => line.startsWith("onegen:")) }),
    );
  });
}

/** An Onegen Worker that counts what it is asked, and answers nothing that could be used. */
async function deafWorker(t) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url, "http://worker").pathname);
    response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { asked, env: { ONEGEN_URL: `http://127.0.0.1:${server.address().port}`, ONEGEN_TOKEN: "t".repeat(24) } };
}

test("in next dev and in next build values stay in the process, and nobody is asked", async (t) => {
  const folder = await appFolder(t);
  const { asked, env } = await deafWorker(t);
  for (const phase of [{ NEXT_PHASE: "phase-production-build" }, { NODE_ENV: "development" }, { __NEXT_DEV_SERVER: "1" }]) {
    assert.deepEqual(await inProcess(folder, { ...env, ...phase }), { stdout: "true bytes", complaints: [] });
  }
  assert.deepEqual(asked, []);
});

test("without an address, or without a build, it is said once, and nothing is kept", async (t) => {
  const folder = await appFolder(t);
  const unset = await inProcess(folder, {});
  assert.equal(unset.stdout, "true undefined");
  assert.equal(unset.complaints.length, 1);
  assert.match(unset.complaints[0], /ONEGEN_URL is missing/);
  const { env } = await deafWorker(t);
  const unbuilt = await inProcess(folder, env);
  assert.equal(unbuilt.stdout, "true undefined");
  assert.equal(unbuilt.complaints.length, 1);
  assert.match(unbuilt.complaints[0], /"onegen\/use-cache" finds no build in .*\.next: expected what "next build" makes; name "onegen\/next"/);
});

test("without onegen/next the build is found where next start and a standalone server have it", async (t) => {
  const { asked, env } = await deafWorker(t);
  const standalone = { __NEXT_PRIVATE_STANDALONE_CONFIG: JSON.stringify({ distDir: "./out" }) };
  for (const [file, more] of [[".next/BUILD_ID", {}], ["out/BUILD_ID", standalone]]) {
    const folder = await appFolder(t, { [file]: "a-build" });
    const found = await inProcess(folder, { ...env, ...more });
    assert.match(found.complaints.join(), /^onegen: the Onegen Worker at .* answered 404/, "it is asked, and its answer is told");
  }
  assert.ok(asked.includes("/v1/entry"));
});

test("both share one cache, whichever is asked first, and the options of whichever has some", async (t) => {
  const { asked, env } = await deafWorker(t);
  const folder = await appFolder(t, { ".next/BUILD_ID": "a-build" });
  const script = `
    const { default: useCache } = await import(${module("use-cache/node.js")});
    const { cacheHandler } = await import(${module("next/index.js")});
    const Handler = cacheHandler({ app: "Shop!" });
    await useCache.get("key", []);
    await new Handler({ serverDistDir: ".next/server", _requestHeaders: {} }).get("/", { kind: "APP_PAGE" });
    process.exit();
  `;
  const { complaints } = await inProcess(folder, env, script);
  assert.equal(complaints.length, 1);
  assert.match(complaints[0], /"Shop!"/);
  assert.deepEqual(asked, []);
});
