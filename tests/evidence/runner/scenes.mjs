/**
 * The frame of `make evidence`: scenes that each give one number, beside a control that must fail.
 *
 * @typedef {object} SceneContext
 * @property {<T extends AsyncDisposable>(resource: T | Promise<T>) => Promise<T>} use Disposes of it when the run is over, also
 *   when the run failed or took too long.
 * @property {<T>(name: string, begin: () => Promise<T>) => Promise<T>} share What scenes, or a run and its control, have in common under a
 *   name: begun once, and disposed of when all scenes were played.
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
 * @property {number} seconds How long both take together on two cores, beside what else plays: what CI's time is planned with.
 * @property {number} limitMs For the run and for the control, each.
 * @property {string[]} [sums] The scenes whose ends it tells of: it is played after all others, and they are whenever it is.
 * @property {boolean} [quiet] Whether no other scene may play beside this one: it measures a ratio, or loads the machine to its limit.
 * @property {string[]} [packages] What it needs of Debian (`packages.mjs`).
 * @property {LongForm} [long] What it is played with instead when there is time (`long-forms.mjs`).
 *
 * @typedef {Partial<Scene> & { seconds: number, inputs: string[] }} LongForm `inputs` are the paths, from the repository's root, that its
 *   result depends on.
 */

import { CI_LIMIT_SECONDS, WIDE, lanesOf, plannedSeconds } from "./lanes.mjs";
import { LongForms } from "./long-forms.mjs";
import { CLEANUP_LIMIT_MS, limited, play } from "./play.mjs";
import { Sharing } from "./sharing.mjs";

/** A scene that takes so much longer than it declares is named at the end. */
const OVERDUE = 1.5;

/** @param {string} name @param {Omit<Scene, "name" | "controlFails" | "limitMs"> & Partial<Scene>} parts @returns {Scene} */
export function scene(name, parts) {
  if (!(parts.seconds > 0)) throw new Error(`The scene ${name} does not declare how many \`seconds\` it takes.`);
  return { name, limitMs: 120_000, controlFails: (worst) => !parts.holds(worst), ...parts };
}

/**
 * Runs scenes, some side by side, prints a line each as it ends and a last one, and says whether all held. `--only a,b` runs those
 * alone; `--long` runs long forms and keeps their results.
 *
 * @param {Scene[]} scenes
 * @param {{ args?: string[], wide?: number, print?: (line: string) => void, longForms?: LongForms }} [options]
 * @returns {Promise<boolean>}
 */
export async function runScenes(scenes, { args = process.argv.slice(2), wide = WIDE, print = console.log, longForms = new LongForms() } = {}) {
  const isLong = args.includes("--long");
  const chosen = isLong ? longOf(choose(scenes, args), longForms) : choose(scenes, args);
  if (!isLong) mustFit(plannedSeconds(chosen, wide));
  const ended = new Map();
  const sharing = new Sharing();
  const overdue = [];
  const playAll = async (queue) => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const begun = performance.now();
      const { line, ...end } = await play(one, { ended, share: sharing.share });
      print(line);
      if (isLong && end.passed) longForms.keep(one, line);
      const took = Math.round((performance.now() - begun) / 1000);
      if (took > OVERDUE * one.seconds) overdue.push(`${one.name} ${took} s instead of ${one.seconds}`);
      ended.set(one.name, end);
    }
  };
  const lanes = lanesOf(chosen);
  await Promise.all(Array.from({ length: wide }, () => playAll(lanes.wide)));
  await playAll(lanes.quiet);
  await playAll(lanes.sums);
  await limited(sharing[Symbol.asyncDispose](), CLEANUP_LIMIT_MS, "").catch(() => {});
  if (!isLong) for (const one of chosen.filter(({ long }) => long)) print(longForms.tell(one));
  if (overdue.length > 0) print(`longer than declared: ${overdue.join(", ")}`);
  const failed = [...ended.values()].filter(({ passed }) => !passed).length;
  print(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

function mustFit(seconds) {
  if (seconds <= CI_LIMIT_SECONDS) return;
  throw new Error(
    `The scenes declare ${Math.ceil(seconds / 60)} minutes, and CI has ${CI_LIMIT_SECONDS / 60}: give a scene a short form and a long one, share a world, or leave out what another scene shows.`,
  );
}

/** The long forms of those scenes that have one; nothing plays beside them. */
function longOf(scenes, longForms) {
  const long = scenes.filter((one) => one.long).map((one) => ({ ...one, quiet: true, ...one.long }));
  if (long.length === 0) throw new Error("None of these scenes has a long form.");
  longForms.mustBeCommitted(long);
  return long;
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
