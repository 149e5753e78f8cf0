// `onegen seed` for `next start`, against a server that answers as the HTTPS API does: what it says of refusals, and of a build that cannot be
// written to.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { seedWorker } from "../../pkg/dist/cli/seed-worker.js";

const TOKEN = "t".repeat(24);
const page = { initialRevalidateSeconds: 60, initialExpireSeconds: 600, srcRoute: null };

/** The folder of a build with one page. */
async function builtFolder(t) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-seed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, "server/pages"), { recursive: true });
  const files = { BUILD_ID: "b1", "prerender-manifest.json": { routes: { "/a": page } }, "server/pages/a.html": "<p>", "server/pages/a.json": { pageProps: {} } };
  for (const [name, contents] of Object.entries(files)) await writeFile(path.join(folder, name), typeof contents === "string" ? contents : JSON.stringify(contents));
  return folder;
}

/** A server that gives each request this answer. */
async function answering(t, status, body) {
  const type = status === 200 ? "application/json" : "application/problem+json";
  const server = createServer((request, response) => request.resume().on("end", () => response.writeHead(status, { "content-type": type }).end(JSON.stringify(body))));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

for (const [status, code, advice] of [
  [403, "foreign-key", "give the app that the token is for by --app, or set ONEGEN_TOKEN to a token of this app"],
  [401, "unknown-token", "set ONEGEN_TOKEN to a token of the Worker's ONEGEN_TOKENS"],
  [403, "read-only-token", "set ONEGEN_TOKEN to a read-write token of this app"],
  [500, "internal", "run it again, it goes on from there"],
]) {
  test(`a refusal with ${status} ${code} tells what to do about it`, async (t) => {
    const url = await answering(t, status, { code, detail: "because" });
    const seeding = seedWorker(await builtFolder(t), { url, token: TOKEN });
    await assert.rejects(seeding, { message: `after 0 of 1 entries the Onegen Worker at ${url} answered ${status} ${code} (because): ${advice}` });
  });
}

test("a build in which nothing can be written is seeded all the same, and the record's fault is told", async (t) => {
  const folder = await builtFolder(t);
  // Root may write everywhere, but nobody writes a file where a folder is.
  await mkdir(path.join(folder, "onegen-seeded.json"));
  const url = await answering(t, 200, { accepted: { generation: 0 } });
  const result = await seedWorker(folder, { url, token: TOKEN });
  assert.deepEqual([result.uploaded, result.present], [1, 0]);
  assert.match(result.record, /onegen-seeded\.json could not be written \(EISDIR.*\): a run that is interrupted begins anew$/);
});
