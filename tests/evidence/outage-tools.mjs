/** What the scenes of deaths and outages share. */

import { fileURLToPath } from "node:url";
import { startProcesses } from "../tools/harness/processes.mjs";
import { folderBundle } from "../tools/harness/world.mjs";
import { sleep } from "./apps.mjs";
import { replaced } from "./switched-off.mjs";

/**
 * The Onegen Worker: the Durable Object classes and no app around them, so that they are quick to start again. With `limits`, its
 * coordinators keep to others than their own (the crate's `policy` module).
 */
export async function onegenWorker(limits) {
  const repository = new URL("../../", import.meta.url);
  const config = fileURLToPath(new URL("wrangler.toml", repository));
  const whole = await folderBundle({ folder: fileURLToPath(new URL("pkg", repository)), main: "dist/worker/worker.js", config });
  const modules = whole.modules.filter(({ name }) => /^dist\/(worker|base)\/|^wasm\/(objects|api)\//.test(name));
  const worker = { ...whole, modules };
  if (limits === undefined) return worker;
  return replaced(worker, `export class RouteCoordinator extends onegen.RouteCoordinator { static options = ${JSON.stringify(limits)}; }`);
}

/** What `measure` makes of a world of processes that is stopped when it is back. */
export async function inProcesses({ use }, options, measure) {
  const world = await use(startProcesses(options));
  const measured = await measure(world);
  await world.stop();
  return measured;
}

/** One visit from every isolate, one after the other. */
export async function everyIsolate(world, path) {
  const visits = [];
  for (let isolate = 0; isolate < world.isolates; isolate += 1) visits.push(await world.visit(isolate, path));
  return visits;
}

/** The different things that visits tell. @param {string | ((visit: object) => unknown)} what */
export const toldBy = (visits, what) => [...new Set(visits.map((visit) => (typeof what === "string" ? visit[what] : what(visit))))];

/** The text of what KV holds for a page, or undefined. */
export async function keptInKv(world, path) {
  for (const { name } of await world.kv.keys()) {
    const text = (await world.kv.read(name))?.value.toString("utf8");
    // OpenNext's own cache keeps JSON.
    if (text?.replaceAll('\\"', '"').includes(`data-path="${path}"`)) return text;
  }
  return undefined;
}

/** Asks again and again until there is an answer, and gives it. */
export async function until(what, answer, limitMs = 30_000) {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(100)) {
    const given = await answer();
    if (given) return given;
  }
  throw new Error(`Waited ${limitMs} ms in vain: ${what}.`);
}
