/** The books of a run in chaos: what was asked and answered, what was invalidated, what went wrong meanwhile; and whether they balance. */

import { generationOf, renderOf } from "../evidence/apps.mjs";

/** An isolate's copy of the ledger may be so old. */
const WINDOW_MS = 1000;
/** After the ledger did not answer it is asked again so much later: by an isolate, and by a process that knows of an outage (`pkg/https.js`). */
const DEAF_FOR_MS = { isolate: 3000, process: 17_000 };

const versionOf = ({ text }) => /data-version="([^"]+)"/.exec(text ?? "")?.[1];

export class Books {
  visits = [];
  /** @type {{ slug: string, what: "tag" | "path", sentAt: number, knownAt: number, place: object, life: number }[]} */
  invalidations = [];
  faults = [];
  #probe;

  constructor(probe) {
    this.#probe = probe;
  }

  faultBegins(name, deaf) {
    const fault = { name, deaf, from: Date.now(), to: Infinity };
    this.faults.push(fault);
    return fault;
  }

  faultEnds(fault) {
    fault.to = Date.now();
  }

  answered(visit) {
    this.visits.push(visit);
    return visit;
  }

  /** Invalidations that were answered; each counts from when the place that it was asked of has shown what is new. */
  invalidated(invalidation) {
    const { place, sentAt, knownAt } = invalidation;
    // It may have been rendered anew for another reason.
    if (!this.#isDeaf(place, sentAt, knownAt)) this.invalidations.push(invalidation);
  }

  get kills() {
    return this.faults.filter(({ name }) => /kill/.test(name)).length;
  }

  /** @returns {string[]} everything that does not balance */
  violations() {
    return [...this.#unanswered(), ...this.#lost(), ...this.#backwards(), ...this.#rendersTooMany()];
  }

  /** Every request is answered with its page, unless who was to answer was killed. */
  #unanswered() {
    const wrong = this.visits.filter(({ died, status, text, page }) => !died && (status !== 200 || (page && !text.includes(`data-path="${page}"`))));
    return wrong.map(({ place, path, status, error }) => `${place.name} answered ${path} with ${status} ${error?.cause ?? error ?? ""}`);
  }

  /** No place shows what was read before an invalidation that it must have heard of. */
  #lost() {
    return this.visits.filter((visit) => visit.slug && visit.status === 200).flatMap((visit) => {
      const render = this.#startOf(visit.page, renderOf(visit));
      const data = this.#startOf(`/product/${visit.slug}`, versionOf(visit));
      const missed = this.invalidations.filter(
        (one) => one.slug === visit.slug && this.#mustKnow(visit, one) && (render < one.sentAt || (one.what === "tag" && data < one.sentAt)),
      );
      return missed.slice(0, 1).map((one) => `${visit.place.name} showed ${visit.path} from before its ${one.what} was invalidated, ${visit.startedAt - one.knownAt} ms after ${one.place.name} had shown the new one`);
    });
  }

  #mustKnow({ place, life, startedAt, endedAt }, { knownAt, place: teller, life: itsLife }) {
    const own = place === teller && life === itsLife;
    return startedAt > knownAt + (own ? 0 : WINDOW_MS) && !this.#isDeaf(place, knownAt, endedAt);
  }

  #isDeaf({ onWorkers }, from, to) {
    const later = onWorkers ? DEAF_FOR_MS.isolate : DEAF_FOR_MS.process;
    return this.faults.some(({ deaf, ...fault }) => (deaf === "everybody" || (deaf === "processes" && !onWorkers)) && fault.from <= to && fault.to + later >= from);
  }

  /** In one life of a place no generation follows a later one. */
  #backwards() {
    const found = [];
    for (const own of grouped(this.visits, ({ place, life, path }) => `${place.name} ${life} ${path}`)) {
      const told = own.filter((visit) => visit.status === 200 && generationOf(visit) !== undefined).sort((a, b) => a.endedAt - b.endedAt);
      let highest = 0;
      let at = 0;
      for (const visit of [...told].sort((a, b) => a.startedAt - b.startedAt)) {
        for (; at < told.length && told[at].endedAt < visit.startedAt; at += 1) highest = Math.max(highest, generationOf(told[at]));
        if (generationOf(visit) < highest) found.push(`${visit.place.name} showed generation ${generationOf(visit)} of ${visit.path} after ${highest}`);
      }
    }
    return found;
  }

  /** A page is rendered once for each event, and once more in each place for each thing that went wrong. */
  #rendersTooMany() {
    const places = new Set(this.visits.map(({ place }) => place)).size;
    return [...grouped(this.visits.filter(({ page, slug }) => page && slug), ({ page }) => page)].flatMap(([{ page, slug }]) => {
      const allowed = 1 + this.asked(slug) + places * this.faults.length;
      const renders = this.#probe.renders(page).length;
      return renders > allowed ? [`${page} was rendered ${renders} times, where ${allowed} had a cause`] : [];
    });
  }

  /** How often it was asked to invalidate a page, heard or not. */
  asked(slug) {
    return this.visits.filter((visit) => visit.invalidates === slug).length;
  }

  /** When a render, or a read of data, began; one that the probe does not know is from before everything. */
  #startOf(path, id) {
    return this.#startsOf(path).get(id) ?? 0;
  }

  #starts = new Map();

  #startsOf(path) {
    if (!this.#starts.has(path)) this.#starts.set(path, new Map(this.#probe.renders(path).map(({ id, startedAt }) => [id, startedAt])));
    return this.#starts.get(path);
  }
}

function grouped(visits, nameOf) {
  const groups = new Map();
  for (const visit of visits) {
    const name = nameOf(visit);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(visit);
  }
  return groups.values();
}
