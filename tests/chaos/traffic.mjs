/** Visitors of every page in every place, and those who invalidate. */

import { renderOf, sleep } from "../evidence/apps.mjs";

/** Pages that live for an hour, invalidated now and then; and others, that nobody has to invalidate. */
export const SLUGS = ["ash", "birch", "cedar", "elm", "fir", "oak"];
const OTHERS = ["/brief/beech", "/brief/hazel", "/isr/larch", "/file/text-pine", "/about"];
const VISITORS = 12;
const VISITOR_PACE_MS = 120;
const INVALIDATION_PACE_MS = 900;
/** Far more than anybody is to wait. */
const PATIENCE_MS = 60_000;

const oneOf = (list, random) => list[Math.floor(random() * list.length)];
export const pageOf = (slug) => `/tagged/${slug}`;
export const visiting = () => ({ signal: AbortSignal.timeout(PATIENCE_MS) });

/** @param {{ world: object, books: import("./books.mjs").Books }} chaos @param {{ random: () => number, over: () => boolean }} how */
export async function sendTraffic(chaos, { random, over }) {
  const visitors = Array.from({ length: VISITORS }, () => visitor(chaos, random, over));
  const invalidators = SLUGS.map((slug) => invalidator(chaos, slug, random, over));
  await Promise.all([...visitors, ...invalidators]);
}

async function visitor({ world, books }, random, over) {
  while (!over()) {
    const place = oneOf(world.places, random);
    if (random() < 0.7) {
      const slug = oneOf(SLUGS, random);
      books.answered({ ...(await world.visit(place, pageOf(slug), visiting())), slug, page: pageOf(slug) });
    } else {
      const path = oneOf(OTHERS, random);
      books.answered({ ...(await world.visit(place, path, visiting())), page: path.startsWith("/file/") ? undefined : path });
    }
    await sleep(2 * VISITOR_PACE_MS * random());
  }
}

async function invalidator({ world, books }, slug, random, over) {
  while (!over()) {
    await sleep(2 * INVALIDATION_PACE_MS * random());
    await invalidate({ world, books }, { slug, place: oneOf(world.places, random), what: random() < 0.7 ? "tag" : "path" });
  }
}

/**
 * Invalidates in a place, and has that place show what is new: only then it is certain that the ledger knows, because Next.js
 * may answer before its handlers have, and what could not be recorded is logged.
 */
export async function invalidate({ world, books }, { slug, place, what }) {
  const sentAt = Date.now();
  const asked = what === "tag" ? `tag=product:${slug}` : `path=${pageOf(slug)}`;
  const answer = await world.visit(place, `/api/revalidate?${asked}`, { method: "POST", ...visiting() });
  books.answered({ ...answer, invalidates: slug });
  if (answer.status !== 200 || answer.died) return;
  const shown = await world.visit(place, pageOf(slug), visiting());
  books.answered({ ...shown, page: pageOf(slug) });
  if (shown.status !== 200 || shown.died) return;
  const render = world.probe.renders(pageOf(slug)).find(({ id }) => id === renderOf(shown));
  if (render?.startedAt >= sentAt) books.invalidated({ slug, what, sentAt, knownAt: shown.endedAt, place, life: answer.life });
}

