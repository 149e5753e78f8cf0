// `onegen seed` among a Worker's assets: what it says where the build is not whole. What it writes is shown by the example app.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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
