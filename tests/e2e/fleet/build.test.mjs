// `next build` with Onegen as the cache handler: a build may never be deployed, so it has nothing to do with the shared cache.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import test from "node:test";
import { buildInVain } from "./build.mjs";
import { TOKEN } from "./onegen-worker.mjs";
import { extended } from "./variants.mjs";

test("a build does not so much as connect to the Onegen Worker, and does not need it", { timeout: 300_000 }, async (t) => {
  let connections = 0;
  const worker = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  worker.listen(0, "127.0.0.1");
  await once(worker, "listening");
  t.after(() => worker.close());
  const unset = { ONEGEN_URL: "", ONEGEN_TOKEN: "" };
  const set = { ONEGEN_URL: `http://127.0.0.1:${worker.address().port}`, ONEGEN_TOKEN: TOKEN };
  // The second build finds the first, to which it could take itself to belong. Both use the data cache, too.
  const files = { "next.config.mjs": extended("cleanDistDir: false") };
  await buildInVain("onegen-prerendered", { files, envs: [unset, set] });
  assert.equal(connections, 0);
});
