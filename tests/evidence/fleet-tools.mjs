/** What the scenes of `next start` fleets share. */

import { startFleet } from "../e2e/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../e2e/fleet/onegen-worker.mjs";
import { mustBe200, renderOf } from "./apps.mjs";
import { toldBy } from "./outage-tools.mjs";

/** Renders that nobody should have started would have begun by then. */
export const QUIET_MS = 1500;

/** What most controls of fleets run. */
export const NEXT_ITSELF = "Next.js's own cache";

/**
 * What `measure` makes of a fleet with Onegen, which is stopped when it is back. It may not complain.
 *
 * @param {import("./runner/scenes.mjs").SceneContext} context
 * @param {{ variant?: string, processes?: number, env?: Record<string, string>, limits?: object }} options `limits` are the coordinators'
 * @param {(fleet: object, worker: object) => Promise<T>} measure
 * @returns {Promise<T>}
 * @template T
 */
export async function withOnegen({ use }, { limits, ...options }, measure) {
  const worker = await use(startOnegenWorker({ limits }));
  const fleet = await use(startFleet({ variant: "onegen", url: worker.url, token: TOKEN, ...options }));
  const measured = await measure(fleet, worker);
  const complaint = fleet.logged("onegen:")[0] ?? worker.logs[0];
  if (complaint) throw new Error(`it complained: ${complaint.text}`);
  await fleet.stop();
  await worker.stop();
  return measured;
}

/** The same with Next.js's own cache. */
export async function withNextItself({ use }, options, measure) {
  const fleet = await use(startFleet({ variant: "next", ...options }));
  const measured = await measure(fleet);
  await fleet.stop();
  return measured;
}

export const everyProcess = (fleet) => Array.from({ length: fleet.isolates }, (_, index) => index);

/** One visit of each process, one after the other. */
export async function visitEach(fleet, path, processes = everyProcess(fleet)) {
  const visits = [];
  for (const index of processes) visits.push(await fleet.visit(index, path));
  mustBe200(visits);
  return visits;
}

export function mustBeHits(visits) {
  const other = visits.find(({ headers }) => headers.get("x-nextjs-cache") !== "HIT");
  if (other) throw new Error(`process ${other.isolate} answered ${other.path} with x-nextjs-cache: ${other.headers.get("x-nextjs-cache")}`);
}

export const dateOf = ({ text }) => /data-rendered-at="([^"]+)"/.exec(text)?.[1];

/** How many renders the visitors got to see. */
export const versionsOf = (visits) => toldBy(visits, renderOf).length;
