/**
 * A world of processes: KV in one, the Durable Objects in one, each isolate of the app in one of its own, so that any of them
 * can be killed while the others go on. They find each other through miniflare's registry of running Workers.
 *
 * KV is always the bridge: no two processes may open one KV folder. What crosses a process boundary loses a Durable Object's
 * `ctx.id.name`: it is undefined in the objects' process.
 */

import { setTimeout as wait } from "node:timers/promises";
import { Member } from "./member.mjs";
import { CONTROL_ENTRYPOINT, KV_SERVICE, OBJECTS_SERVICE, WITNESS_SERVICE, app, appService, kv, objects, witness } from "./services.mjs";
import { SharedWorld } from "./shared-world.mjs";

export { folderBundle, inlineBundle, wranglerBundle } from "./bundle.mjs";
export { stopAllWorlds } from "./visited.mjs";

const REACH_LIMIT_MS = 20_000;

/** @param {Omit<import("./shared-world.mjs").WorldOptions, "kv">} options @returns {Promise<ProcessWorld>} */
export async function startProcesses(options) {
  const world = new ProcessWorld({ ...options, objects: options.objects ?? options.bundle, kv: "bridge" });
  try {
    await world.begin();
    await world.start();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

class ProcessWorld extends SharedWorld {
  /** @type {Map<string, Member>} service name to the process that runs it */
  #members = new Map();
  #starts = 0;

  urlOf(isolate) {
    return this.#member(appService(isolate)).url(appService(isolate));
  }

  objectsWorkerUrl() {
    return this.#member(OBJECTS_SERVICE).url(OBJECTS_SERVICE);
  }

  kvUrl() {
    return this.#member(KV_SERVICE).url(KV_SERVICE);
  }

  objectsUrl() {
    return this.#member(OBJECTS_SERVICE).url(CONTROL_ENTRYPOINT);
  }

  /** Ends the process of an isolate at once. */
  async kill(isolate) {
    await this.#member(appService(isolate)).kill();
    this.probe.isolateDied(isolate);
  }

  /** Starts a killed isolate anew, as another process. */
  async replace(isolate) {
    await this.#startMember(appService(isolate), [app(this.layout, isolate)]);
    await this.#everybodyReaches();
  }

  async killObjects() {
    await this.#member(OBJECTS_SERVICE).kill();
  }

  /** Starts the objects anew over the same storage, and waits until every process reaches them. */
  async startObjects() {
    const boot = `objects-${++this.#starts}`;
    await this.#startMember(OBJECTS_SERVICE, [objects(this.layout, boot)], { boot, entrypoint: CONTROL_ENTRYPOINT });
    await this.objects.renew();
    await this.#everybodyReaches();
  }

  async killKv() {
    await this.#member(KV_SERVICE).kill();
  }

  async startKv() {
    const boot = `kv-${++this.#starts}`;
    await this.#startMember(KV_SERVICE, [kv(this.layout, boot)], { boot });
    await this.kv.renew();
    await this.#everybodyReaches();
  }

  /** Stops everything and starts it again over the same storage. */
  async restart() {
    await this.end();
    await this.start();
  }

  async start() {
    await this.startKv();
    await this.startObjects();
    const indices = Array.from({ length: this.isolates }, (_, index) => index);
    await Promise.all(indices.map((index) => this.#startMember(appService(index), [app(this.layout, index)])));
    await this.#everybodyReaches();
  }

  async end() {
    await Promise.all([...this.#members.values()].map((member) => member.kill()));
    this.#members.clear();
  }

  async #startMember(name, workers, { boot, entrypoint } = {}) {
    await this.#members.get(name)?.kill();
    const member = new Member({ name, boot, onLog: (line) => this.keepLog({ source: name, ...line }) });
    this.#members.set(name, member);
    const witnessName = `${WITNESS_SERVICE}-of-${name}`;
    await member.start({
      registry: `${this.storage}/registry`,
      storage: `${this.storage}/${name}`,
      workers: [...workers, witness(witnessName)],
      addresses: [[name], [witnessName], ...(entrypoint ? [[name, entrypoint]] : [])],
    });
  }

  /** News of a started process travel by the registry's files: this waits until they have arrived everywhere. */
  async #everybodyReaches() {
    const alive = [...this.#members.values()].filter((member) => member.alive);
    const wanted = alive.filter((member) => member.boot !== undefined);
    const deadline = Date.now() + REACH_LIMIT_MS;
    for (const member of alive) {
      for (const { name, boot } of wanted) {
        while ((await this.#bootSeenBy(member, name)) !== boot) {
          if (Date.now() > deadline) throw new Error(`${member.name} does not reach the ${name} that was started last, after ${REACH_LIMIT_MS} ms.`);
          await wait(25);
        }
      }
    }
  }

  async #bootSeenBy(member, service) {
    const url = new URL(`/?service=${service}`, member.url(`${WITNESS_SERVICE}-of-${member.name}`));
    const response = await this.visitors.ask(url);
    return response.json();
  }

  #member(name) {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`This world has no ${name}.`);
    return member;
  }
}
