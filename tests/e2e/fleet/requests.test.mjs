// What a response of `next start` tells of the cache, whichever request of its process it answers.
import assert from "node:assert/strict";
import test from "node:test";
import { isHit, renderOf } from "../../evidence/apps.mjs";
import { toldBy } from "../../evidence/outage-tools.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";
import { otherVersions } from "./variants.mjs";

const LIMIT = { timeout: 120_000 };
const statusOf = ({ headers }) => headers.get("cache-status");

async function fleetOf(t, variant) {
  const worker = await startOnegenWorker();
  t.after(() => worker.stop());
  const fleet = await startFleet({ variant, url: worker.url, token: TOKEN });
  t.after(() => fleet.stop());
  return fleet;
}

for (const version of ["16.4", ...otherVersions]) {
  test(`Next.js ${version}: the first request of a process is told how it was served, as every other`, LIMIT, async (t) => {
    const fleet = await fleetOf(t, otherVersions.includes(version) ? `onegen-${version}` : "onegen");
    const first = await fleet.visit(0, "/bar");
    assert.equal(statusOf(first), 'Onegen; fwd=uri-miss; detail="leader"');
    const second = await fleet.visit(1, "/bar");
    assert.ok(isHit(second), statusOf(second));
    assert.match(second.headers.get("cache-control"), /^s-maxage=\d+, stale-while-revalidate=\d+$/);
  });
}

test("of those who come first, all at once, one is told that it rendered or all that they waited", LIMIT, async (t) => {
  const fleet = await fleetOf(t, "onegen");
  fleet.probe.behave("/crowd", { delayMs: 500 });
  const early = await fleet.crowd({ isolates: [0], each: 5, path: "/crowd" });
  assert.equal(toldBy(early, renderOf).length, 1);
  for (const visit of early) assert.match(statusOf(visit), /^Onegen; fwd=uri-miss(; collapsed)?; detail="leader"$/);
  fleet.probe.behave("/crowd-2", { delayMs: 500 });
  const later = await fleet.crowd({ isolates: [0], each: 5, path: "/crowd-2" });
  assert.deepEqual(toldBy(later, statusOf).sort(), ['Onegen; fwd=uri-miss; collapsed; detail="leader"', 'Onegen; fwd=uri-miss; detail="leader"']);
});
