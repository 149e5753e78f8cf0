// Every version of Next.js that is supported holds its handlers to the same.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { overFirstHandler, overOnegen, startCaches, versions } from "./conformance/caches.mjs";
import { checks, failures } from "./conformance/suite.mjs";
import { TOKEN, startOnegenWorker } from "../e2e/fleet/onegen-worker.mjs";
import { scene } from "./runner/scenes.mjs";

/** The checks that failed, on all versions, one after the other. */
async function failedOf({ use }, env) {
  const failed = [];
  for (const version of Object.keys(versions)) {
    const a = await use(startCaches(version, await env(version)));
    const b = await use(startCaches(version, await env(version)));
    failed.push(...(await failures({ a, b, version })));
    for (const one of [a, b]) await one.stop();
  }
  return failed;
}

const conformanceFailed = scene("conformance_failed", {
  required: `0 of ${Object.keys(checks).length} checks on each of ${Object.keys(versions).length} versions`,
  seconds: 180,
  holds: (failed) => failed === 0,
  limitMs: 240_000,
  run: async (context) => {
    const worker = await context.use(startOnegenWorker());
    const failed = await failedOf(context, async () => overOnegen({ url: worker.url, token: TOKEN }));
    for (const one of failed) console.error(`conformance_failed: ${one}`);
    return failed.length;
  },
  controlName: "a handler as one would write it first, and Next.js's own for `use cache`",
  control: async (context) => {
    const folder = await mkdtemp(path.join(tmpdir(), "onegen-first-handler-"));
    await context.use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    return (await failedOf(context, async (version) => overFirstHandler(path.join(folder, version)))).length;
  },
});

export const scenes = [conformanceFailed];
