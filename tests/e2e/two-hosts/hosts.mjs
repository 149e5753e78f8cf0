/** One build of one app on two hosts: processes of `next start`, and isolates of OpenNext's Worker. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builtApp } from "../../evidence/apps.mjs";
import { onegenWorker } from "../../evidence/outage-tools.mjs";
import { startFleet } from "../fleet/fleet.mjs";
import { TOKEN } from "../fleet/onegen-worker.mjs";
import { startWorld } from "../../tools/harness/world.mjs";

/** With OpenNext's cache interception off and on: every scene is held to its worst. */
export const bothWays = ["two-hosts", "two-hosts-interception"];

/** The build is the same for all. */
const built = new URL("../../.build/two-hosts/", import.meta.url);
export const image = { folder: fileURLToPath(new URL("image", built)), command: "start" };

/**
 * @typedef {object} Host What runs the app twice; `visit`, `crowd` and `probe` as a world's.
 * @property {"next start" | "OpenNext"} name
 */

/**
 * Both hosts over one Onegen Worker: it holds the Worker's objects, and answers the processes.
 *
 * @param {object} options of a world, and
 * @param {string} options.variant
 * @param {number} [options.windowMs] how old copies of the ledger may be
 * @param {(bundle: object) => object} [options.changed] changes the Worker
 * @param {object} [options.fleet] options of the fleet
 * @param {object} [options.limits] of the coordinators: the crate's `policy` module
 */
export async function startHosts({ variant, windowMs, changed = (bundle) => bundle, fleet, limits, ...options }) {
  const env = windowMs === undefined ? {} : { WINDOW_MS: String(windowMs) };
  const worker = await onegenWorker(limits);
  const objects = { ...worker, bindings: { ...worker.bindings, ONEGEN_TOKENS: `app:rw:${TOKEN}` } };
  const app = changed(await builtApp(variant));
  const world = await startWorld({ bundle: { ...app, bindings: { ...app.bindings, ...env } }, objects, isolates: 2, ...options });
  return withFleet(world, { url: world.objectsWorkerUrl(), token: TOKEN, ...fleet, env: { ...env, ...fleet?.env } });
}

/** Both with what they bring along. */
export async function startOwnCaches({ changed = (bundle) => bundle, fleet, ...options } = {}) {
  const world = await startWorld({ bundle: changed(await builtApp("two-hosts-opennext")), isolates: 2, ...options });
  return withFleet(world, { ...fleet, env: { OWN_CACHE: "1", ...fleet?.env } });
}

async function withFleet(world, options) {
  try {
    return new Hosts(world, await startFleet({ image, processes: 2, probe: world.probe, ...options }));
  } catch (error) {
    await world.stop();
    throw error;
  }
}

class Hosts {
  #world;
  #fleet;
  #buildId = json("variant.json").buildId;
  /** What the build takes for the right to see drafts and to regenerate on demand. */
  previewId = json("image/.next/prerender-manifest.json").preview.previewModeId;

  constructor(world, fleet) {
    this.#world = world;
    this.#fleet = fleet;
    this.probe = world.probe;
    /** Where visitors may be sent: the processes, then the isolates. */
    this.places = [...placesOf("process", fleet), ...placesOf("isolate", world)];
    [this.process, this.otherProcess, this.isolate, this.otherIsolate] = this.places;
  }

  /** The controls of the objects, where the world was asked for them. */
  get objects() {
    return this.#world.objects;
  }

  /** The controls of KV. */
  get kv() {
    return this.#world.kv;
  }

  /** Where the Onegen Worker answers. */
  get url() {
    return this.#world.objectsWorkerUrl();
  }

  /** What either logged. */
  logged(pattern) {
    return [this.#fleet, this.#world].flatMap((host) => host.logged(pattern));
  }

  /** The warnings of Onegen on either. */
  get complaints() {
    return this.logged("onegen:").map(({ text }) => text);
  }

  /** Where the Pages Router's client asks for a page's data. */
  dataOf(path) {
    return `/_next/data/${this.#buildId}${path}.json`;
  }

  /** `each` visits of every place, all at once. */
  async crowd(path, each = 1) {
    return Promise.all(this.places.flatMap((place) => Array.from({ length: each }, () => place.visit(path))));
  }

  /** A visit of every place, one after the other. */
  async visitEach(path, places = this.places) {
    const visits = [];
    for (const place of places) visits.push(await place.visit(path));
    return visits;
  }

  async stop() {
    await this.#fleet.stop();
    await this.#world.stop();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

function json(file) {
  return JSON.parse(readFileSync(new URL(file, built), "utf8"));
}

function placesOf(kind, visited) {
  return Array.from({ length: visited.isolates }, (_, index) => ({
    name: `${kind} ${index}`,
    onWorkers: kind === "isolate",
    visit: async (path, init) => ({ ...(await visited.visit(index, path, init)), place: `${kind} ${index}` }),
  }));
}
