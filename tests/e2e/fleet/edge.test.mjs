// Routes of the edge runtime in an app with Onegen: `next start` hands them the cache of its process. Next.js 16.4 itself cannot build a
// route handler of the edge runtime with webpack.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { renderOf } from "../../evidence/apps.mjs";
import { versionOf } from "../two-hosts/invalidating.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";

const WINDOW_MS = 1000;
const paths = { "onegen-edge": ["/edge", "/edge-route"], "onegen-edge-webpack": ["/edge"] };

for (const [variant, own] of Object.entries(paths)) {
  test(`${variant}: what they fetch is fetched once for two processes, and pages beside them are kept`, async () => {
    const worker = await startOnegenWorker();
    after(() => worker.stop());
    const fleet = await startFleet({ variant, url: worker.url, token: TOKEN });
    after(() => fleet.stop());
    for (const path of own) {
      const visits = [await fleet.visit(0, path), await fleet.visit(1, path), await fleet.visit(0, path)];
      for (const visit of visits) assert.equal(visit.status, 200, visit.text);
      assert.equal(new Set(visits.map(versionOf)).size, 1);
      assert.equal(fleet.probe.renders(path).length, 1);
    }
    const page = "/kept";
    assert.equal(renderOf(await fleet.visit(0, page)), renderOf(await fleet.visit(1, page)));
    assert.equal(fleet.probe.renders(page).length, 1);
    if (variant === "onegen-edge") await invalidatesEverywhere(fleet);
    assert.deepEqual(fleet.logged("onegen:"), []);
  });
}

async function invalidatesEverywhere(fleet) {
  const page = "/tagged/edge";
  const before = [await fleet.visit(0, page), await fleet.visit(1, page)];
  assert.equal((await fleet.visit(0, "/edge-expire?tag=product:edge", { method: "POST" })).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 2 * WINDOW_MS));
  for (const visit of [await fleet.visit(0, page), await fleet.visit(1, page)]) assert.notEqual(renderOf(visit), renderOf(before[0]));
}
