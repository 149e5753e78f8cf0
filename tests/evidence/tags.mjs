// Scenes of tags: how soon invalidations are heard of, by how many, and whose clock counts; on both hosts at once.
import assert from "node:assert/strict";
import { TOKEN } from "../e2e/fleet/onegen-worker.mjs";
import { scene } from "./runner/scenes.mjs";
import { setClocks, withClocks } from "../e2e/two-hosts/clocks.mjs";
import { expiring, hard } from "../e2e/two-hosts/invalidating.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { OWN_CACHES, withOnegen, withOnegenBothWays, withOwnCaches } from "./both-hosts.mjs";
import { QUIET_MS, dateOf } from "./fleet-tools.mjs";

/** Isolates learn of an invalidation within one window of the ledger: the crate's `policy` module. */
const WINDOW_MS = 1000;

const warm = async (hosts) => mustBe200(await hosts.visitEach("/about"));
const sum = (counts) => counts.reduce((total, count) => total + count, 0);

// ---------------------------------------------------------------- tag_old_answers

/** Old answers to whoever asks later than `windowMs` after an invalidation was answered, of each place invalidating in turn. */
async function oldAnswers(hosts, windowMs) {
  await warm(hosts);
  let old = 0;
  for (const [n, place] of hosts.places.entries()) {
    const page = `/tagged/old-${n}`;
    const known = new Set((await hosts.visitEach(page)).map(renderOf));
    for (let round = 0; round < 3; round += 1) {
      mustBe200([await hard(place, `product:old-${n}`)]);
      await sleep(windowMs);
      const visits = await hosts.crowd(page, 2);
      mustBe200(visits);
      old += visits.filter((visit) => known.has(renderOf(visit))).length;
      visits.forEach((visit) => known.add(renderOf(visit)));
    }
  }
  return old;
}

const tagOldAnswers = scene("tag_old_answers", {
  required: "0 old answers later than one window after `revalidateTag`; without a window at once",
  seconds: 80,
  holds: (old) => old === 0,
  limitMs: 240_000,
  run: async (context) => {
    const usual = await withOnegenBothWays(context, (hosts) => oldAnswers(hosts, WINDOW_MS));
    return usual + (await withOnegen(context, (hosts) => oldAnswers(hosts, 0), { windowMs: 0 }));
  },
  controlName: "a window of a minute",
  control: (context) => withOnegen(context, (hosts) => oldAnswers(hosts, WINDOW_MS), { windowMs: 60_000 }),
});

// ---------------------------------------------------------------- skewed_clocks_wrong

/** In the order of places: two processes, two isolates. */
const SKEWS_MS = [5000, -3_600_000, 3_600_000, -5000];

/** Invalidations not heard of, and pages made anew that were not invalidated. The pages live until they are invalidated. */
async function wrongByClocks(hosts) {
  await setClocks(hosts, SKEWS_MS);
  await warm(hosts);
  let wrong = 0;
  for (const [n, place] of hosts.places.entries()) {
    const page = `/static/skewed-${n}`;
    const first = await place.visit(page);
    mustBe200([first]);
    const offMs = Date.parse(dateOf(first)) - first.endedAt;
    assert.ok(Math.abs(offMs - SKEWS_MS[n]) < 4000, `the clock of ${place.name} is off by ${offMs} ms`);
    for (const invalidating of [...hosts.places, place]) {
      const before = hosts.probe.renders(page).length;
      const known = new Set((await hosts.visitEach(page)).map(renderOf));
      await sleep(WINDOW_MS);
      wrong += hosts.probe.renders(page).length - before;
      mustBe200([await hard(invalidating, `static:skewed-${n}`)]);
      await sleep(WINDOW_MS);
      // Whoever renders is the first that is asked.
      const visits = await hosts.visitEach(page, [place, ...hosts.places]);
      mustBe200(visits);
      wrong += visits.filter((visit) => known.has(renderOf(visit))).length;
    }
  }
  return wrong;
}

const skewedClocksWrong = scene("skewed_clocks_wrong", {
  required: `0 invalidations lost and 0 pages made anew without one, with clocks that are off by ${SKEWS_MS.map((ms) => ms / 1000).join(", ")} s`,
  seconds: 110,
  holds: (wrong) => wrong === 0,
  limitMs: 240_000,
  run: (context) => withOnegen(context, wrongByClocks, withClocks(SKEWS_MS)),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, wrongByClocks, withClocks(SKEWS_MS)),
});

// ---------------------------------------------------------------- thousand_tags_missed

const TAGS = 1000;
const PAGES = 8;

/** Each of a thousand tags is invalidated on one host, and the page looked at on the other. */
async function missedTags(hosts) {
  await warm(hosts);
  const pages = Array.from({ length: PAGES }, (_, n) => n);
  const missed = await Promise.all(
    pages.map(async (n) => {
      const page = `/many/page-${n}`;
      const [teller, reader] = n % 2 ? [hosts.process, hosts.isolate] : [hosts.isolate, hosts.process];
      let last = renderOf(await reader.visit(page));
      let count = 0;
      for (let tag = n; tag < TAGS; tag += PAGES) {
        const answer = await hard(teller, `many:page-${n}:${tag}`);
        // Next.js answers before it has told its handlers: whoever told them sees it at once.
        const told = await teller.visit(page);
        const visit = await reader.visit(page);
        mustBe200([answer, told, visit]);
        if (renderOf(visit) === last) count += 1;
        last = renderOf(visit);
      }
      return count;
    }),
  );
  return sum(missed);
}

const thousandTagsMissed = scene("thousand_tags_missed", {
  required: `0 of ${TAGS} tags, a hundred each on the ten cached calls of a page`,
  seconds: 160,
  holds: (missed) => missed === 0,
  limitMs: 300_000,
  // Whoever wants no window asks on every read, however busy the ledger is.
  run: (context) => withOnegen(context, missedTags, { windowMs: 0, expected: /takes more than 500 requests a second/ }),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, missedTags),
});

// ---------------------------------------------------------------- regenerated_then_expire

const EXPIRE_SECONDS = 4;

/** A page is regenerated after it was made stale, then what was stale would have expired. */
async function rendersAfterExpiry(hosts) {
  const page = "/tagged/expires";
  await warm(hosts);
  mustBe200(await hosts.visitEach(page));
  mustBe200([await expiring(hosts.isolate, "product:expires", EXPIRE_SECONDS), await expiring(hosts.process, "product:expires", EXPIRE_SECONDS)]);
  await sleep(WINDOW_MS);
  mustBe200(await hosts.visitEach(page));
  await sleep(QUIET_MS);
  mustBe200(await hosts.visitEach(page));
  await sleep(QUIET_MS);
  const regenerated = hosts.probe.renders(page).length;
  assert.ok(regenerated > 1, "it was made anew");
  await sleep((EXPIRE_SECONDS + 1) * 1000);
  for (let round = 0; round < 2; round += 1) mustBe200(await hosts.visitEach(page));
  await sleep(QUIET_MS);
  return hosts.probe.renders(page).length - regenerated;
}

const regeneratedThenExpire = scene("regenerated_then_expire", {
  required: "0 renders after `{ expire }` has passed of a page that was regenerated since",
  seconds: 55,
  holds: (renders) => renders === 0,
  run: (context) => withOnegenBothWays(context, rendersAfterExpiry),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, rendersAfterExpiry),
});

// ---------------------------------------------------------------- deploy_window_lost

/** What an earlier deployment, or a script, tells the ledger before the new build has been asked for anything. */
async function appended({ url }, tags) {
  const body = JSON.stringify({ position: { epoch: 0, number: 0 }, tags });
  const answer = await fetch(new URL("/v1/append", url), { method: "POST", headers: { authorization: `Bearer ${TOKEN}` }, body });
  assert.equal(answer.status, 200, await answer.text());
}

/** Places that show what the build rendered although it was invalidated since, and renders of what was not. */
async function lostAtDeployment(hosts, invalidate) {
  await invalidate(hosts, ["seeded:one", "seeded:three"]);
  const visits = await hosts.visitEach("/seeded/one");
  visits.push(...(await hosts.visitEach("/seeded/three")), ...(await hosts.visitEach("/seeded/two")), ...(await hosts.visitEach("/seeded/four")));
  await sleep(QUIET_MS);
  mustBe200(visits);
  const built = (visit) => !hosts.probe.renders(visit.path).some(({ id }) => id === renderOf(visit));
  const lost = visits.filter((visit) => /one|three/.test(visit.path) && built(visit)).length;
  return lost + hosts.probe.renders("/seeded/two").length + hosts.probe.renders("/seeded/four").length;
}

const deployWindowLost = scene("deploy_window_lost", {
  required: "0 pages of the build shown that were invalidated since it began, and 0 renders of those that were not",
  seconds: 30,
  holds: (lost) => lost === 0,
  run: (context) => withOnegenBothWays(context, (hosts) => lostAtDeployment(hosts, appended)),
  controlName: "the invalidation known to one process alone",
  // There is nothing outside of the app that could be told.
  control: (context) =>
    withOwnCaches(context, (hosts) =>
      lostAtDeployment(hosts, async ({ otherProcess }, tags) => {
        for (const tag of tags) mustBe200([await hard(otherProcess, tag)]);
      }),
    ),
});

// ---------------------------------------------------------------- ledger_down_wrong

/** Answers that are not as they should be, and lost invalidations that nobody is told of, while the ledger fails. */
async function wrongWithoutLedger(hosts, classes) {
  const pages = ["/about", "/tagged/kept", "/static/kept"];
  const [cold, ...warmPlaces] = hosts.places.toReversed();
  for (const page of pages) mustBe200(await hosts.visitEach(page, warmPlaces));
  await hosts.objects.behave("throw", { classes });
  await sleep(WINDOW_MS);
  const visits = [];
  for (const page of [...pages, "/tagged/never-built", "/isr/never-built"]) visits.push(...(await hosts.visitEach(page, [cold, ...warmPlaces])));
  const tags = [];
  for (const [n, place] of hosts.places.entries()) {
    tags.push(`product:lost-${n}`);
    visits.push(await hard(place, tags[n]), ...(await hosts.visitEach(`/tagged/lost-${n}`)));
  }
  await sleep(2 * QUIET_MS);
  const errors = visits.filter(({ status }) => status !== 200).length;
  const untold = async () => tags.filter((tag) => !hosts.logged(tag).some(({ text }) => text.includes("could not be recorded"))).length;
  // It is tried again for a while before it is given up.
  for (let tries = 0; tries < 20 && (await untold()) > 0; tries += 1) await sleep(500);
  await hosts.objects.heal();
  return errors + (await untold());
}

const ledgerDownWrong = scene("ledger_down_wrong", {
  required: "0 answers other than 200 of warm and cold places, and 0 lost invalidations of which nobody is told",
  seconds: 35,
  holds: (wrong) => wrong === 0,
  limitMs: 240_000,
  run: (context) =>
    withOnegen(context, (hosts) => wrongWithoutLedger(hosts, ["TagLedger"]), { wrapObjects: true, expected: /ledger|could not be recorded|since|append|check|object-failed/ }),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, (hosts) => wrongWithoutLedger(hosts, ["DOShardedTagCache"]), { wrapObjects: true }),
});

export const scenes = [tagOldAnswers, skewedClocksWrong, thousandTagsMissed, regeneratedThenExpire, deployWindowLost, ledgerDownWrong];
