// What `next start` does with each verdict, on every version of Next.js: each hears of lifetimes in another way.
import assert from "node:assert/strict";
import test from "node:test";
import { isHit, isStale, renderOf, sleep } from "../../evidence/apps.mjs";
import { toldBy, until } from "../../evidence/outage-tools.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN, startOnegenWorker } from "./onegen-worker.mjs";
import { EXPIRE_SECONDS, otherVersions } from "./variants.mjs";

const LIMIT = { timeout: 180_000 };
/** The lifetime of `/brief`. */
const BRIEF_MS = 2000;
const WINDOW_MS = 1000;

const lifetimeOf = ({ headers }) => Number(/s-maxage=(\d+)/.exec(headers.get("cache-control"))?.[1]);
const ttlOf = ({ headers }) => Number(/; ttl=(-?\d+)/.exec(headers.get("cache-status"))?.[1]);

/** While one process makes a stale page anew, it and all others serve the old one; then everybody has the new one. */
async function followersDoNotRender(fleet) {
  const path = "/brief/followed";
  const first = await fleet.visit(0, path);
  await sleep(BRIEF_MS + 500);
  fleet.probe.behave(path, { hold: true });
  const leader = await fleet.visit(1, path);
  await fleet.probe.waitForRenders(path, 2);
  const followers = [await fleet.visit(0, path), await fleet.visit(1, path), await fleet.visit(0, path)];
  fleet.probe.release(path);
  await fleet.probe.waitForEnd(path, 2);
  assert.equal(leader.headers.get("x-nextjs-cache"), "STALE");
  for (const visit of [leader, ...followers]) {
    assert.equal(visit.status, 200);
    assert.equal(renderOf(visit), renderOf(first), "what is stale is served at once");
    assert.ok(isStale(visit), visit.headers.get("cache-status"));
    assert.equal(lifetimeOf(visit), 0, "no shared cache may keep it");
  }
  const [, second] = fleet.probe.renders(path);
  for (const index of [0, 1]) {
    await until("the new page", async () => renderOf(await fleet.visit(index, path)) === second.id);
  }
}

/** A render that fails leaves the page as it is and as old as it is. */
async function failuresAreRetained(fleet) {
  const path = "/brief/failing";
  const first = await fleet.visit(0, path);
  await sleep(BRIEF_MS + 500);
  fleet.probe.behave(path, { fail: true });
  const visits = [];
  for (let turn = 0; turn < 8; turn += 1) {
    visits.push(await fleet.visit(turn % 2, path));
    await sleep(300);
  }
  const failed = fleet.probe.renders(path).length - 1;
  assert.ok(failed >= 1 && failed <= 3, `it is tried again, ever more rarely, and not ${failed} times`);
  assert.deepEqual(toldBy(visits, "status"), [200]);
  assert.deepEqual(toldBy(visits, renderOf), [renderOf(first)]);
  assert.deepEqual(toldBy(visits, isStale), [true]);
  assert.ok(ttlOf(visits.at(-1)) < ttlOf(visits[0]), "it grows older");
  fleet.probe.behave(path, {});
  await until("the page is made anew once it can be", async () => renderOf(await fleet.visit(0, path)) !== renderOf(first));
}

/** What is past its expire is not served again: everybody waits for one render. */
async function expiryBlocks(fleet) {
  const path = "/brief/expired";
  const first = await fleet.visit(0, path);
  await fleet.visit(1, path);
  await sleep(EXPIRE_SECONDS * 1000 + 500);
  fleet.probe.behave(path, { delayMs: 300 });
  const visits = await fleet.crowd({ isolates: [0, 1], each: 3, path });
  assert.deepEqual(toldBy(visits, "status"), [200]);
  assert.equal(toldBy(visits, renderOf).length, 1);
  assert.notEqual(renderOf(visits[0]), renderOf(first));
  assert.equal(fleet.probe.renders(path).length, 2);
}

/** A purge in one process is one in all. */
async function purgesAreShared(fleet) {
  const path = "/tagged/purged";
  const first = await fleet.visit(0, path);
  assert.equal(renderOf(await fleet.visit(1, path)), renderOf(first));
  assert.equal((await fleet.visit(0, "/api/revalidate?tag=product:purged", { method: "POST" })).status, 200);
  const here = await fleet.visit(0, path);
  assert.notEqual(renderOf(here), renderOf(first));
  await sleep(WINDOW_MS);
  const there = await fleet.visit(1, path);
  assert.equal(renderOf(there), renderOf(here));
  assert.ok(isHit(there), there.headers.get("cache-status"));
}

for (const version of ["16.4", ...otherVersions]) {
  test(`Next.js ${version}: followers, failures, expiry and purges are as on every other version`, LIMIT, async (t) => {
    const worker = await startOnegenWorker();
    t.after(() => worker.stop());
    const variant = otherVersions.includes(version) ? `onegen-expire-${version}` : "onegen-expire";
    const fleet = await startFleet({ variant, url: worker.url, token: TOKEN });
    t.after(() => fleet.stop());
    // The first request of a process loads Onegen.
    for (const index of [0, 1]) await fleet.visit(index, "/about");

    await Promise.all([followersDoNotRender(fleet), failuresAreRetained(fleet), expiryBlocks(fleet), purgesAreShared(fleet)]);

    assert.deepEqual(fleet.logged("onegen:"), []);
    assert.deepEqual(worker.logs, []);
  });
}
