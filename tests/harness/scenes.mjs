/**
 * The frame of `make evidence`: scenes that each give one number, beside a control that must fail.
 *
 * @typedef {object} SceneContext
 * @property {<T extends AsyncDisposable>(resource: T | Promise<T>) => Promise<T>} use Disposes of it when the run is over, also
 *   when the run failed or took too long.
 * @property {AbortSignal} signal Aborted when the time is over.
 * @property {Map<string, { passed: boolean, controlFailed: boolean }>} ended How the scenes that were played before ended.
 *
 * @typedef {object} Scene
 * @property {string} name
 * @property {string} required In words, for the line.
 * @property {(worst: number) => boolean} holds
 * @property {(context: SceneContext) => Promise<number | { worst: number, of: string }>} run The worst case seen; and of how much.
 * @property {(context: SceneContext) => Promise<number>} control The same with the mechanism in question switched off.
 * @property {(worst: number) => boolean} controlFails By default: the control does not hold.
 * @property {string} [controlName] What is switched off, for the line.
 * @property {number} limitMs For the run and for the control, each.
 * @property {string[]} [sums] The scenes whose ends it tells of: it is played after all others, and they are whenever it is.
 * @property {boolean} [alone] Whether no other scene may play beside this one: it loads the machine to its limit.
 */

const CLEANUP_LIMIT_MS = 15_000;
/** A scene mostly waits: four keep two cores half busy. */
const LANES = 4;
/** Scenes that take longer are named at the end. */
const SLOW_SECONDS = 30;

/** @param {string} name @param {Omit<Scene, "name" | "controlFails" | "limitMs"> & Partial<Scene>} parts @returns {Scene} */
export function scene(name, parts) {
  return { name, limitMs: 120_000, controlFails: (worst) => !parts.holds(worst), ...parts };
}

/**
 * Runs scenes, some side by side, prints a line each as it ends and a last one, and says whether all held.
 * `--only a,b` runs those alone.
 *
 * @param {Scene[]} scenes
 * @param {{ args?: string[], lanes?: number, print?: (line: string) => void }} [options]
 * @returns {Promise<boolean>}
 */
export async function runScenes(scenes, { args = process.argv.slice(2), lanes = LANES, print = console.log } = {}) {
  const chosen = choose(scenes, args);
  const ended = new Map();
  const took = [];
  const playAll = async (queue) => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const begun = performance.now();
      const { line, ...end } = await play(one, ended);
      print(line);
      took.push({ name: one.name, seconds: Math.round((performance.now() - begun) / 1000) });
      ended.set(one.name, end);
    }
  };
  const together = chosen.filter(({ alone, sums }) => !alone && !sums);
  await Promise.all(Array.from({ length: lanes }, () => playAll(together)));
  await playAll(chosen.filter(({ alone }) => alone));
  await playAll(chosen.filter(({ sums }) => sums));
  const slow = took.filter(({ seconds }) => seconds > SLOW_SECONDS).toSorted((a, b) => b.seconds - a.seconds);
  if (slow.length > 0) print(`slow: ${slow.map(({ name, seconds }) => `${name} ${seconds} s`).join(", ")}`);
  const failed = [...ended.values()].filter(({ passed }) => !passed).length;
  print(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

/** Runs the scenes and ends the process with their result: nothing that a scene left behind can keep it up. */
export async function runScenesAndExit(scenes, options) {
  const passed = await runScenes(scenes, options).catch((error) => {
    console.error(error.message);
    return false;
  });
  process.exit(passed ? 0 : 1);
}

function choose(scenes, args) {
  const at = args.findIndex((arg) => arg === "--only" || arg.startsWith("--only="));
  if (at < 0) return scenes;
  const names = (args[at].split("=")[1] ?? args[at + 1] ?? "").split(",").filter(Boolean);
  const unknown = names.filter((name) => !scenes.some((one) => one.name === name));
  if (names.length === 0 || unknown.length > 0) {
    throw new Error(`--only names no scene${unknown.length ? `: ${unknown.join(", ")}` : ""}; the scenes are ${scenes.map(({ name }) => name).join(", ")}.`);
  }
  const summed = scenes.filter(({ name }) => names.includes(name)).flatMap(({ sums = [] }) => sums);
  return scenes.filter(({ name }) => names.includes(name) || summed.includes(name));
}

async function play(one, ended) {
  const run = await outcome(one.run, one.limitMs, ended);
  const control = await outcome(one.control, one.limitMs, ended);
  const shown = ({ worst, error }) => (error ? "NaN" : String(worst));
  const controlText = `control${one.controlName ? `, ${one.controlName}:` : ""} ${shown(control)}`;
  const of = run.of ? `; of ${run.of}` : "";
  const line = `${one.name} ${shown(run)} (required ${one.required}; ${controlText}${of})`;
  const reason = fault(one, run, control);
  const controlFailed = control.error === undefined && one.controlFails(control.worst);
  return { line: reason ? `${line} FAILED: ${reason}` : line, passed: reason === undefined, controlFailed };
}

function fault(one, run, control) {
  if (run.error) return run.error;
  if (!one.holds(run.worst)) return "short of what is required";
  if (control.error) return `proves nothing, the control broke: ${control.error}`;
  if (!one.controlFails(control.worst)) return "proves nothing, the control does not fail";
  return undefined;
}

/** The number that a run gives, or why it gave none; everything it used is disposed of when this is back. */
async function outcome(run, limitMs, ended) {
  const over = new AbortController();
  const resources = [];
  const context = {
    signal: over.signal,
    ended,
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

async function limited(promise, ms, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message)), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
