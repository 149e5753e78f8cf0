/** One scene: its run, its control, and the line that tells of both. */

import { missingPackages } from "./packages.mjs";

export const CLEANUP_LIMIT_MS = 15_000;

/**
 * How a scene ended. @typedef {{ line: string, passed: boolean, controlFailed: boolean }} End
 *
 * @param {import("./scenes.mjs").Scene} one @param {Pick<import("./scenes.mjs").SceneContext, "ended" | "share">} before what it is told of those before it
 * @returns {Promise<End>}
 */
export async function play(one, before) {
  const missing = missingPackages(one.packages ?? []);
  if (missing.length > 0) return withoutPackages(one, missing);
  const run = await outcome(one.run, one.limitMs, before);
  const control = await outcome(one.control, one.limitMs, before);
  const shown = ({ worst, error }) => (error ? "NaN" : String(worst));
  const controlText = `control${one.controlName ? `, ${one.controlName}:` : ""} ${shown(control)}`;
  const of = run.of ? `; of ${run.of}` : "";
  const line = `${one.name} ${shown(run)} (required ${one.required}; ${controlText}${of})`;
  const reason = fault(one, run, control);
  const controlFailed = control.error === undefined && one.controlFails(control.worst);
  return { line: reason ? `${line} FAILED: ${reason}` : line, passed: reason === undefined, controlFailed };
}

/** It is never left out: what was not shown is not shown. */
function withoutPackages(one, missing) {
  const line = `${one.name} NaN (required ${one.required}; control NaN) FAILED: it needs ${missing.join(" and ")}: run \`apt-get install --yes ${missing.join(" ")}\``;
  return { line, passed: false, controlFailed: false };
}

function fault(one, run, control) {
  if (run.error) return run.error;
  if (!one.holds(run.worst)) return "short of what is required";
  if (control.error) return `proves nothing, the control broke: ${control.error}`;
  if (!one.controlFails(control.worst)) return "proves nothing, the control does not fail";
  return undefined;
}

/** The number that a run gives, or why it gave none; everything it used is disposed of when this is back. */
async function outcome(run, limitMs, before) {
  const over = new AbortController();
  const resources = [];
  const context = {
    ...before,
    signal: over.signal,
    use: async (resource) => {
      resources.push(resource);
      return resource;
    },
  };
  try {
    const result = await limited(run(context), limitMs, `took longer than ${limitMs / 1000} s`);
    const { worst, of } = typeof result === "object" && result !== null ? result : { worst: result };
    return typeof worst === "number" && !Number.isNaN(worst) ? { worst, of } : { error: `gave ${worst} where a number is expected` };
  } catch (error) {
    return { error: (error?.message ?? String(error)).replace(/\s*\n\s*/g, " | ") };
  } finally {
    over.abort();
    const disposals = resources.map(async (resource) => (await resource)?.[Symbol.asyncDispose]?.());
    await limited(Promise.allSettled(disposals), CLEANUP_LIMIT_MS, "").catch(() => {});
  }
}

export async function limited(promise, ms, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message)), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
