/** What both kinds of world have in common: the controls of the stores and of the objects. */

import { KvControl, ObjectsControl, StoresControl } from "./controls.mjs";
import { hasStores } from "./services.mjs";
import { Visited } from "./visited.mjs";

/**
 * @typedef {object} WorldOptions Beside what everything that is visited takes:
 * @property {number} [isolates] How many; 4 by default. A service that no request has reached yet is what a fresh isolate is:
 *   its global scope has run, nothing else. Isolates cannot be added later, so ask for as many as the scene will visit.
 * @property {import("./bundle.mjs").Bundle} bundle The app, the same for every isolate.
 * @property {import("./bundle.mjs").Bundle} [objects] The Worker that holds the Durable Objects (may be the app's bundle again).
 * @property {"native" | "bridge"} [kv] "bridge" makes KV countable, lagging and failing on demand.
 * @property {true | Record<string, string[] | true>} [wrapObjects] Makes Durable Objects countable and failing on demand: all that
 *   the bundle declares, or those named here, with all their methods or only some.
 * @property {boolean} [ownCaches] Gives each isolate a Cache API of its own, as if it were in a region of its own; by default they share one.
 * @property {(from: number | "objects") => number} [selfReference] Which isolate answers the app's binding to itself; by
 *   default the isolate itself, and isolate 0 for the objects. `(i) => (i + 1) % n` renders elsewhere than where it was asked.
 */

export class SharedWorld extends Visited {
  /** @param {WorldOptions & import("./visited.mjs").VisitedOptions} options */
  constructor({ isolates = 4, ...options }) {
    super({ ...options, isolates, name: "onegen-world-" });
    this.options = options;
  }

  async begin() {
    await super.begin();
    const { bundle, objects, kv = "native", wrapObjects, ownCaches = false, selfReference } = this.options;
    /** @type {import("./services.mjs").Layout} */
    this.layout = {
      bundle,
      objects,
      kv,
      wrapObjects,
      ownCaches,
      selfReference: selfReference ?? ((from) => (from === "objects" ? 0 : from)),
      probe: this.probe.address,
    };
    this.kv = new KvControl((url, init) => this.#askControl(this.kvUrl(), url, init), { bridged: kv === "bridge", binding: bundle.kv[0] ?? objects?.kv[0] });
    this.stores = new StoresControl((url, init) => this.#askControl(this.storesUrl(), url, init), { has: hasStores(bundle) });
    this.objects = new ObjectsControl((url, init) => this.#askControl(this.objectsUrl(), url, init), { wrapped: wrapObjects !== undefined });
  }

  async #askControl(base, url, { accept = [], ...init } = {}) {
    const response = await this.visitors.ask(new URL(url, base), init);
    if (!response.ok && !accept.includes(response.status)) {
      throw new Error(`The harness's own ${url} answered ${response.status}: ${await response.text()}`);
    }
    return response;
  }
}
