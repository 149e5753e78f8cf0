// `onegen seed` among a Worker's assets: what it says where the build is not whole. What it writes is shown by the example app.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../pkg/dist/cli/cli.js", import.meta.url));

for (const missing of ["prerender-manifest.json", "BUILD_ID"]) {
  test(`a build without its ${missing} is said to be none, in one sentence`, async (t) => {
    const app = await mkdtemp(join(tmpdir(), "onegen-seed-"));
    t.after(() => rm(app, { recursive: true, force: true }));
    await mkdir(join(app, ".open-next"));
    await mkdir(join(app, ".next"));
    for (const file of ["prerender-manifest.json", "BUILD_ID"].filter((name) => name !== missing)) await writeFile(join(app, ".next", file), "{}");

    const { status, stderr } = spawnSync(process.execPath, [CLI, "seed", app], { encoding: "utf8" });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^onegen seed: .*${missing} could not be read \\(ENOENT.*\\): expected what "opennextjs-cloudflare build" makes; run it first\\n$`));
  });
}

const run = (args, env = {}) => spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });

test("the command tells its version, which is the package's", async () => {
  const { version } = JSON.parse(await readFile(new URL("../../pkg/package.json", import.meta.url), "utf8"));
  for (const flag of ["--version", "-v"]) assert.deepEqual([run([flag]).status, run([flag]).stdout], [0, `${version}\n`]);
});

const TOKEN = "t".repeat(24);

for (const [url, said] of [
  ["127.0.0.1:8787", '"127.0.0.1:8787" does not begin with https:// or http://'],
  ["localhost:8787", '"localhost:8787" does not begin with https:// or http://'],
  ["ftp://example.com", '"ftp://example.com" does not begin with https:// or http://'],
  ["https://", '"https://" is no address'],
  ["me:secret@example.com", '"…@example.com" does not begin with https:// or http://'],
]) {
  test(`the address ${JSON.stringify(url)} is refused with its reason`, () => {
    const { status, stderr } = run(["seed", tmpdir()], { ONEGEN_URL: url, ONEGEN_TOKEN: TOKEN });
    assert.equal(status, 1);
    assert.ok(stderr.startsWith(`onegen seed: environment variable ONEGEN_URL is not usable: ${said}: expected the address of your Onegen Worker, such as https://`), stderr);
    assert.ok(!stderr.includes("secret"));
  });
}

test("a token that no header takes is refused, and not told", () => {
  const { stderr } = run(["seed", tmpdir()], { ONEGEN_URL: "https://example.com", ONEGEN_TOKEN: "a token\n" });
  assert.match(stderr, /ONEGEN_TOKEN is not usable: it holds a blank, a line end, or another character that a header does not take: expected a read-write token/);
  assert.ok(!stderr.includes("a token\n"));
});
