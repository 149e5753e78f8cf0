// What scenes share: the built Workers, and how to read their answers.
import { fileURLToPath } from "node:url";
import { folderBundle, startWorld } from "../tools/harness/world.mjs";

/** A Worker that `tests/e2e/opennext/build.mjs` built. */
export function builtApp(variant, overrides = {}) {
  const folder = fileURLToPath(new URL(`../.build/${variant}`, import.meta.url));
  return folderBundle({ folder: `${folder}/bundle`, config: `${folder}/wrangler.json`, main: "worker.js", ...overrides });
}

/** With OpenNext's cache interception off and on: every scene is held to its worst. */
export const bothWays = ["onegen", "onegen-interception"];

/** And on the oldest version of Next.js. */
export const everyWay = [...bothWays, "onegen-15.5"];

/** Which render a page came from. */
export const renderOf = ({ text }) => /data-render-id="([^"]+)"/.exec(text)?.[1];

/** The generation that a response tells, or undefined. */
export function generationOf({ headers }) {
  const found = /generation=(\d+)/.exec(headers?.get("cache-status") ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Whether a response was served from an entry. */
export const isHit = ({ headers }) => /^Onegen; hit/.test(headers?.get("cache-status") ?? "");

/** Whether a response was served from a stale entry. */
export const isStale = ({ headers }) => /^Onegen; hit; ttl=-/.test(headers?.get("cache-status") ?? "");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The worst of several measurements. */
export async function worstOf(values, measure) {
  const measured = [];
  for (const value of values) measured.push(await measure(value));
  return Math.max(...measured);
}

/** What `measure` makes of a world that is stopped when it is back. */
export async function inWorld({ use }, options, measure) {
  const world = await use(startWorld(options));
  const measured = await measure(world);
  await world.stop();
  return measured;
}

export function mustBe200(visits) {
  const other = visits.find(({ status }) => status !== 200);
  if (other) throw new Error(`isolate ${other.isolate} answered ${other.path} with ${other.status} ${other.error?.cause ?? other.error ?? ""}`);
}
