// What holds of `use cache`, whichever host the app is on: `visited` is a fleet or a world of at least two.
import assert from "node:assert/strict";
import { FormData } from "undici";
import { renderOf, sleep } from "../../evidence/apps.mjs";
import { until } from "../../evidence/outage-tools.mjs";

const WINDOW_MS = 1000;
/** The lifetime of a parcel whose name begins with "brief". */
const BRIEF_MS = 2000;

/** What a parcel was sealed with, and what its reader found it to hold. */
export const sealsOf = ({ text }) => [/data-seal="(\w+)"/.exec(text)?.[1], /data-found="(\w+)"/.exec(text)?.[1]];
const parcelOf = ({ text }) => /data-parcel="([^"]+)"/.exec(text)?.[1];
export const bothOf = (visited, path) => Promise.all([0, 1].map((index) => visited.visit(index, path)));

export function mustBeWhole(visits) {
  for (const visit of visits) {
    assert.equal(visit.status, 200, visit.text);
    const [seal, found] = sealsOf(visit);
    assert.ok(seal);
    assert.equal(found, seal);
  }
}

/** Presses the button on a page, as a browser without JavaScript does. */
export async function pressReplace(visited, index, path) {
  const { text } = await visited.visit(index, path);
  const form = new FormData();
  for (const [, name, value] of text.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g)) form.append(name, value ?? "");
  return visited.visit(index, path, { method: "POST", body: form });
}

export const invalidate = (visited, index, query) => visited.visit(index, `/api/revalidate?${query}`, { method: "POST" });

export async function oneMakesItForAll(visited) {
  const path = "/parcels/shared";
  visited.probe.behave(path, { delayMs: 500 });
  const visits = [...(await bothOf(visited, path)), ...(await bothOf(visited, path))];
  mustBeWhole(visits);
  assert.equal(new Set(visits.map(renderOf)).size, 1);
  assert.equal(visited.probe.renders(path).length, 1);
}

/** Crowds cost one value: of one that nobody has made yet, and of one that was purged a moment ago. */
export async function crowdsCostOne(visited) {
  const path = "/parcels/crowded";
  visited.probe.behave(path, { delayMs: 500 });
  for (const renders of [1, 2]) {
    const visits = await visited.crowd({ isolates: [0, 1], each: 10, path });
    mustBeWhole(visits);
    assert.equal(new Set(visits.map(renderOf)).size, 1);
    assert.equal(visited.probe.renders(path).length, renders);
    await invalidate(visited, 0, "tag=parcel:crowded");
    await sleep(WINDOW_MS);
  }
}

/**
 * An invalidation is seen at once where it was made, and within a window elsewhere. Where Next.js tells of it a second time, after the
 * answer has begun, the value that was made in between ends with that: `toldTwice`.
 */
export async function invalidationsEndIt(visited, name, invalidated, { toldTwice = false } = {}) {
  const path = `/parcels/${name}`;
  const [before] = await bothOf(visited, path);
  const answer = await invalidated(path, `parcel:${name}`);
  assert.ok(answer.status >= 200 && answer.status < 400, answer.text);
  const atOnce = await visited.visit(0, path);
  await sleep(WINDOW_MS);
  const there = await visited.visit(1, path);
  const here = await visited.visit(0, path);
  mustBeWhole([atOnce, there, here]);
  for (const visit of [atOnce, there, here]) assert.notEqual(renderOf(visit), renderOf(before));
  assert.equal(renderOf(there), renderOf(here));
  if (!toldTwice) assert.equal(renderOf(here), renderOf(atOnce));
  const renders = visited.probe.renders(path).length;
  assert.ok(renders >= 2 && renders <= (toldTwice ? 3 : 2), `it was made ${renders} times`);
}

/** One makes a stale value anew; until it has, nobody waits, and nobody else makes it. */
async function staleOnesAreServed(visited, path, makeStale) {
  const first = await visited.visit(0, path);
  await makeStale();
  visited.probe.behave(path, { hold: true });
  const visits = [await visited.visit(1, path), await visited.visit(0, path), await visited.visit(1, path)];
  await visited.probe.waitForRenders(path, 2);
  await sleep(300);
  visits.push(...(await bothOf(visited, path)));
  for (const visit of visits) assert.equal(renderOf(visit), renderOf(first));
  mustBeWhole(visits);
  assert.equal(visited.probe.renders(path).length, 2);
  visited.probe.release(path);
  const [, second] = visited.probe.renders(path);
  for (const index of [0, 1]) await until("the new value", async () => renderOf(await visited.visit(index, path)) === second.id);
}

export const staleByAge = (visited) => staleOnesAreServed(visited, "/parcels/brief", () => sleep(BRIEF_MS + 500));

export function staleByTag(visited) {
  return staleOnesAreServed(visited, "/parcels/soft", async () => {
    await invalidate(visited, 0, "tag=parcel:soft&profile=max");
    await sleep(WINDOW_MS);
  });
}

/** Values that are parts of others, and of pages that are stored. */
export async function valuesInsideOthers(visited) {
  const [crate] = await bothOf(visited, "/crates/nested");
  await visited.visit(0, "/shelves/nested");
  await invalidate(visited, 0, "tag=parcel:nested");
  await sleep(WINDOW_MS);
  const [one, other] = await bothOf(visited, "/crates/nested");
  assert.notEqual(parcelOf(one), parcelOf(crate));
  assert.equal(renderOf(one), renderOf(other));
  const shelf = await visited.visit(1, "/shelves/nested");
  assert.equal(parcelOf(shelf), parcelOf(one), "a stored page, too, is made of what is valid");
  await invalidate(visited, 1, "path=/shelves/nested");
  await sleep(WINDOW_MS);
  assert.notEqual(renderOf(await visited.visit(0, "/shelves/nested")), renderOf(shelf));
}

export async function failuresAreNotKept(visited) {
  const path = "/parcels/failing";
  visited.probe.behave(path, { fail: true });
  assert.equal((await visited.visit(0, path)).status, 500);
  visited.probe.behave(path, {});
  await until("it is made once it can be", async () => (await visited.visit(1, path)).status === 200);
}
