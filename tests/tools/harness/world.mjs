/**
 * A world in one runtime: every isolate is a Worker service of the same bundle, all share one KV and one set of Durable
 * Objects. Nothing in it can be killed on its own: for that see `processes.mjs`.
 */

import { Member } from "./member.mjs";
import { CONTROL_ENTRYPOINT, KV_SERVICE, OBJECTS_SERVICE, STORES_SERVICE, app, appService, hasStores, kv, objects, objectsHome, stores } from "./services.mjs";
import { SharedWorld } from "./shared-world.mjs";

export { folderBundle, inlineBundle, wranglerBundle } from "./bundle.mjs";
export { stopAllWorlds } from "./visited.mjs";

/** @param {import("./shared-world.mjs").WorldOptions} options @returns {Promise<World>} */
export async function startWorld(options) {
  const world = new World(options);
  try {
    await world.begin();
    await world.start();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

class World extends SharedWorld {
  #member = new Member({ name: "world", onLog: (line) => this.keepLog({ source: "world", ...line }) });

  /** Stops everything and starts it again over the same storage. */
  async restart() {
    await this.end();
    await this.start();
  }

  urlOf(isolate) {
    return this.#member.url(appService(isolate));
  }

  /** Where the Worker that holds the objects listens, as what it is besides. */
  objectsWorkerUrl() {
    return this.#member.url(OBJECTS_SERVICE);
  }

  kvUrl() {
    return this.#member.url(KV_SERVICE);
  }

  storesUrl() {
    return this.#member.url(STORES_SERVICE);
  }

  objectsUrl() {
    return this.#member.url(CONTROL_ENTRYPOINT);
  }

  async start() {
    const { layout } = this;
    const apps = Array.from({ length: this.isolates }, (_, index) => app(layout, index));
    const workers = [...apps, ...(layout.objects ? [objects(layout)] : []), kv(layout, "world"), ...(hasStores(layout.bundle) ? [stores(layout)] : [])];
    await this.#member.start({
      storage: this.storage,
      workers,
      addresses: [...workers.map(({ name }) => [name]), ...(layout.wrapObjects ? [[objectsHome(layout), CONTROL_ENTRYPOINT]] : [])],
    });
    await this.kv.renew();
    await this.objects.renew();
  }

  async end() {
    await this.#member.kill();
  }
}
