/** What chaos happens to: isolates, KV and the objects in a process each, and processes of `next start` beside them, before a faulty door. */

import { fileURLToPath } from "node:url";
import { builtApp } from "../evidence/apps.mjs";
import { onegenWorker } from "../evidence/outage-tools.mjs";
import { openDoor } from "../fleet/faulty-door.mjs";
import { startFleet } from "../fleet/fleet.mjs";
import { TOKEN } from "../fleet/onegen-worker.mjs";
import { startProcesses } from "../harness/processes.mjs";

const ISOLATES = 3;
const PROCESSES = 2;
const IMAGE = { folder: fileURLToPath(new URL("../.build/two-hosts/image", import.meta.url)), command: "start" };
const WATCHED = ["--expose-gc", "--import", new URL("../fleet/watched.mjs", import.meta.url).href];

/** With Onegen on both hosts. */
export async function startChaosWorld({ use }) {
  const worker = await onegenWorker();
  const objects = { ...worker, bindings: { ...worker.bindings, ONEGEN_TOKENS: `app:rw:${TOKEN}` } };
  const options = { bundle: await builtApp("two-hosts-interception"), objects, isolates: ISOLATES, wrapObjects: true };
  const world = await use(startProcesses(options));
  const door = await use(openDoor(() => world.objectsWorkerUrl()));
  const env = { url: door.url, token: TOKEN };
  return new ChaosWorld(world, await use(startProcessesOfNext(world, env)), door);
}

/** With what each host brings along. */
export async function startOwnCachesInChaos({ use }) {
  const world = await use(startProcesses({ bundle: await builtApp("two-hosts-opennext"), isolates: ISOLATES, wrapObjects: true }));
  return new ChaosWorld(world, await use(startProcessesOfNext(world, { env: { OWN_CACHE: "1" } })));
}

const startProcessesOfNext = (world, options) =>
  startFleet({ image: IMAGE, processes: PROCESSES, probe: world.probe, nodeArgs: WATCHED, ...options });

class ChaosWorld {
  #lives;

  constructor(world, fleet, door) {
    this.world = world;
    this.fleet = fleet;
    this.door = door;
    this.probe = world.probe;
    this.places = [
      ...Array.from({ length: ISOLATES }, (_, index) => ({ name: `isolate ${index}`, host: world, index, onWorkers: true })),
      ...Array.from({ length: PROCESSES }, (_, index) => ({ name: `process ${index}`, host: fleet, index, onWorkers: false })),
    ];
    this.#lives = new Map(this.places.map(({ name }) => [name, 0]));
  }

  /** The isolates, and those processes that are ever killed: the first is watched over the whole time. */
  get mortal() {
    return this.places.filter(({ name }) => name !== "process 0");
  }

  /** Ends a place at once and starts it anew. */
  async kill({ name, host, index, onWorkers }) {
    this.#lives.set(name, this.#lives.get(name) + 1);
    await host.kill(index);
    await (onWorkers ? host.replace(index) : host.restart(index));
    this.#lives.set(name, this.#lives.get(name) + 1);
  }

  /** Which life of a place it is; odd between two of them. */
  lifeOf({ name }) {
    return this.#lives.get(name);
  }

  /** A visit that knows in which life of which place it was; one that was there for its end is told so. */
  async visit(place, path, init) {
    const life = this.lifeOf(place);
    const startedAt = Date.now();
    const visit = life % 2 ? { status: 0, startedAt, endedAt: startedAt } : await place.host.visit(place.index, path, init);
    return { ...visit, place, life, path, died: life % 2 === 1 || this.lifeOf(place) !== life };
  }
}
