/**
 * Both hosts as processes that can be killed: two of `next start`, two isolates of OpenNext's Worker, KV and the objects in processes of
 * their own; between the processes of `next start` and the Onegen Worker an address whose answers can be late, lost or broken.
 */

import { builtApp } from "../apps.mjs";
import { onegenWorker } from "../outage-tools.mjs";
import { replaced } from "../switched-off.mjs";
import { openDoor } from "../../e2e/fleet/faulty-door.mjs";
import { startFleet } from "../../e2e/fleet/fleet.mjs";
import { TOKEN } from "../../e2e/fleet/onegen-worker.mjs";
import { startProcesses } from "../../tools/harness/processes.mjs";
import { withClocks } from "../../e2e/two-hosts/clocks.mjs";
import { image } from "../../e2e/two-hosts/hosts.mjs";
import { storedHandler, storedState } from "../../workerd/api-client.mjs";

const OF_EACH = 2;
const INSIDE = [new URL("../../e2e/fleet/watched.mjs", import.meta.url).href, new URL("../../e2e/fleet/clock.mjs", import.meta.url).href];

/**
 * @typedef {object} Place
 * @property {string} name
 * @property {number} index Which of its host's.
 * @property {boolean} onWorkers
 * @property {number} life How often it was started, and how often its engine was: whoever begins anew remembers nothing.
 * @property {{ from: number, to: number }[]} downs When it was down, or about to be.
 * @property {boolean} isUp
 * @property {(path: string, init?: object) => Promise<import("../../tools/harness/visitors.mjs").Visit>} visit
 */

/** Both hosts with Onegen. @param {{ variant: string }} options */
export async function startOnegenPlaces({ variant }) {
  const worker = await onegenWorker();
  const objects = replaced({ ...worker, bindings: { ...worker.bindings, ONEGEN_TOKENS: `app:rw:${TOKEN}` } }, storedState, storedHandler());
  const { changed } = withClocks([]);
  const world = await startProcesses({ bundle: changed(await builtApp(variant)), objects, isolates: OF_EACH, wrapObjects: true });
  const door = await openDoor(() => world.objectsWorkerUrl());
  const nodeArgs = ["--expose-gc", ...INSIDE.flatMap((script) => ["--import", script])];
  return withFleet(world, door, { url: door.url, token: TOKEN, nodeArgs });
}

/** Both hosts with what they bring along. */
export async function startOwnPlaces() {
  const world = await startProcesses({ bundle: await builtApp("two-hosts-opennext"), isolates: OF_EACH, wrapObjects: true });
  return withFleet(world, undefined, { env: { OWN_CACHE: "1" } });
}

async function withFleet(world, door, options) {
  try {
    return new Places(world, door, await startFleet({ image, processes: OF_EACH, probe: world.probe, ...options }));
  } catch (error) {
    await door?.stop();
    await world.stop();
    throw error;
  }
}

class Places {
  #world;
  #fleet;
  /** The last death of a process of workerd: they find each other anew after each, so one follows upon the other. */
  #lastDeath = Promise.resolve();

  constructor(world, door, fleet) {
    this.#world = world;
    this.#fleet = fleet;
    /** What stands before the Onegen Worker, where there is one. */
    this.door = door;
    this.probe = world.probe;
    this.kv = world.kv;
    this.objects = world.objects;
    /** @type {Place[]} */
    this.places = [...placesOf("process", fleet), ...placesOf("isolate", world)];
    this.kills = 0;
  }

  get hasOnegen() {
    return this.door !== undefined;
  }

  /** What they logged. */
  logged(pattern) {
    return [this.#fleet, this.#world].flatMap((host) => host.logged(pattern));
  }

  /** SIGKILL; `whileDown` passes before it is started anew. @param {Place} place */
  async kill(place, whileDown) {
    if (place.onWorkers) await this.#oneByOne(() => this.#kill(place, whileDown));
    else await this.#kill(place, whileDown);
  }

  async #kill(place, whileDown) {
    const down = { from: Date.now(), to: Infinity };
    place.downs.push(down);
    place.isUp = false;
    this.kills += 1;
    const [host, index] = this.#of(place);
    await host.kill(index);
    await whileDown();
    if (place.onWorkers) await host.replace(index);
    else await host.restart(index);
    place.life += 1;
    place.isUp = true;
    down.to = Date.now();
  }

  async killObjects(whileDown) {
    await this.#oneByOne(async () => {
      this.kills += 1;
      await this.#world.killObjects();
      await whileDown();
      await this.#world.startObjects();
    });
  }

  async killKv(whileDown) {
    await this.#oneByOne(async () => {
      this.kills += 1;
      await this.#world.killKv();
      await whileDown();
      await this.#world.startKv();
    });
  }

  async #oneByOne(death) {
    this.#lastDeath = this.#lastDeath.then(death);
    await this.#lastDeath;
  }

  /** A clock is off by so much from now on. */
  async setClock(place, ms) {
    const [host, index] = this.#of(place);
    if (place.onWorkers) await host.visit(index, "/", { headers: { "x-clock-skew": String(ms) } });
    else await host.ask(index, "clock", ms);
  }

  /** The engine of a process panics: what it knew is gone. */
  async panic(place) {
    const [host, index] = this.#of(place);
    place.life += 1;
    await host.ask(index, "panic", 1);
  }

  /** What a process says of itself: `unhandled`, `machines`. */
  ask(place, question) {
    const [host, index] = this.#of(place);
    return host.ask(index, question);
  }

  /** The rows that coordinators have stored, by route. */
  async rows(routes) {
    const query = new URLSearchParams(routes.map((name) => ["route", name]));
    const response = await this.#world.visitors.ask(new URL(`/stored?${query}`, this.#world.objectsWorkerUrl()));
    return response.json();
  }

  #of(place) {
    const index = this.places.indexOf(place);
    return place.onWorkers ? [this.#world, index - OF_EACH] : [this.#fleet, index];
  }

  async stop() {
    await this.#fleet.stop();
    await this.door?.stop();
    await this.#world.stop();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

function placesOf(kind, visited) {
  return Array.from({ length: OF_EACH }, (_, index) => ({
    name: `${kind} ${index}`,
    index,
    onWorkers: kind === "isolate",
    life: 0,
    downs: [],
    isUp: true,
    visit: (path, init) => visited.visit(index, path, init),
  }));
}
