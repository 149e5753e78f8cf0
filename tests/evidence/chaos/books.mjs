/** At the end the books balance: what was asked, what was answered, and what the promises allow. */

/** Nobody waits longer: the wait limit of 20 s, a question that was just begun then, reads, a slow render; and a machine with two cores. */
const LONGEST_ANSWER_MS = 45_000;
/** Until then an invalidation is recorded, or reported as lost: Next.js 16.4 answers whoever asked for it before. */
const RECORDED_WITHIN_MS = 20_000;

/** The crate's `READ_LIMIT`. */
const READ_LIMIT_MS = 3000;

const clock = (at) => new Date(at).toISOString().slice(11, 23);
const during = ({ startedAt, endedAt }, { from, to }) => startedAt <= to && endedAt >= from;
const diedWith = (asked) => asked.place.downs.some((down) => during(asked, down));
const isOfOneLife = ({ life, lifeAfter }) => life === lifeAfter;

/** Every request has an answer, or lost it with its place, or was given up by its visitor. */
export function accounted(asked) {
  const sums = { answered: 0, "lost with their place": 0, "given up by their visitor": 0 };
  const wrong = [];
  for (const one of asked) {
    const is = (what) => (sums[what] += 1);
    const took = one.endedAt - one.startedAt;
    if (one.why === "another page") wrong.push(`${one.path} at ${one.place.name}: another page`);
    if (one.status === 200 || one.status === 307) is("answered");
    else if (diedWith(one)) is("lost with their place");
    else if (one.aborted) is("given up by their visitor");
    else wrong.push(`${one.path} at ${one.place.name}: ${one.status} ${one.why}`);
    if (took > LONGEST_ANSWER_MS && !diedWith(one)) wrong.push(`${one.path} at ${one.place.name}: after ${took} ms`);
  }
  return { sums, wrong };
}

/** No place serves a generation below one that it has served before; what begins anew remembers nothing. */
export function wentBack(asked) {
  const wrong = [];
  const served = asked.filter((one) => one.generation !== undefined && isOfOneLife(one));
  const groups = Map.groupBy(served, ({ place, life, path }) => `${path} at ${place.name}, life ${life}`);
  for (const [name, visits] of groups) {
    const byEnd = visits.toSorted((a, b) => a.endedAt - b.endedAt);
    let [next, highest] = [0, -1];
    for (const visit of visits.toSorted((a, b) => a.startedAt - b.startedAt)) {
      while (next < byEnd.length && byEnd[next].endedAt < visit.startedAt) highest = Math.max(highest, byEnd[next++].generation);
      if (visit.generation < highest) wrong.push(`${name}: generation ${visit.generation} after ${highest}`);
    }
  }
  return wrong;
}

/** Invalidations that were recorded, as far as whoever asked for them was told. */
export function recorded(asked, lostSentences, now) {
  const invalidations = asked.filter(({ invalidation, status }) => invalidation && status === 200);
  return invalidations.filter(({ place, endedAt, invalidation, ...one }) => {
    const until = Math.min(now, endedAt + RECORDED_WITHIN_MS);
    const died = place.downs.some(({ from }) => from <= until && from >= one.startedAt);
    const reported = lostSentences.some(({ text, at }) => text.includes(`product:${invalidation.slug}`) && at >= one.startedAt && at <= until);
    return isOfOneLife(one) && !died && !reported;
  });
}

/**
 * Whoever invalidated sees that at once: the page is made of what was read after it. Except where the same process was rendering the page
 * just then, or waiting for it, for somebody else or behind a stale answer: Next.js has everybody join that and gives them what it began
 * with, before any cache is asked (next 16.4, `server/response-cache`: batches by key). And except where the ledger could not be told yet: Next.js 16.4 has
 * answered by then, and readers wait for as long as a read may take, not longer.
 *
 * @param {(version: string) => number | undefined} readAt when it was read
 * @param {(asked: import("./traffic.mjs").Asked) => boolean} wasRendered whether its place was at that
 */
export function unseenByTheirOwn(asked, invalidations, readAt, wasRendered) {
  const known = new Set(invalidations.filter(({ invalidation }) => invalidation.hard).map(({ place, startedAt, path }) => `${place.name} ${startedAt} ${path}`));
  const isRecorded = ({ place, startedAt, path }) => known.has(`${place.name} ${startedAt} ${path}`);
  return asked
    .filter(({ follows, status, life, lifeAfter }) => follows && status === 200 && isRecorded(follows) && follows.life === life && life === lifeAfter)
    .filter((visit) => visit.endedAt - visit.startedAt < READ_LIMIT_MS && !/; collapsed/.test(visit.told) && !wasRendered(visit))
    .filter(({ version, follows }) => (readAt(version) ?? 0) < follows.startedAt)
    .map(({ path, place, version, follows, startedAt, endedAt, told }) => {
      const before = follows.startedAt - (readAt(version) ?? 0);
      return `${path} at ${place.name}: made of what was read ${before} ms before it was invalidated there at ${clock(follows.startedAt)}-${clock(follows.endedAt)}, asked for at ${clock(startedAt)}-${clock(endedAt)}, ${told}`;
    });
}
