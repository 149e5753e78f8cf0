/** The Onegen Worker on real workerd, behind an address that stays the same while it is killed and started again. */

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { onegenWorker } from "../../evidence/outage-tools.mjs";
import { startWorld } from "../../tools/harness/world.mjs";

/** A read-write token of the app, whose id is the handler's default. */
export const TOKEN = "a-token-of-the-tests-which-opens-nothing-else";

/**
 * @param {object} [options]
 * @param {string} [options.tokens] what the Worker's ONEGEN_TOKENS holds: `app:access:token`, comma-separated
 * @param {object} [options.limits] other limits than the coordinators' own (the crate's `policy` module)
 * @returns {Promise<OnegenService>} `kv` and `objects` are the controls of a world, when it is asked for them with `kv: "bridge"` and `wrapObjects`
 */
export async function startOnegenWorker({ tokens = `app:rw:${TOKEN}`, limits, ...options } = {}) {
  const worker = await onegenWorker(limits);
  const bundle = { ...worker, bindings: { ...worker.bindings, ONEGEN_TOKENS: tokens } };
  const service = new OnegenService(await startWorld({ ...options, bundle, isolates: 1 }));
  await service.open();
  return service;
}

class OnegenService {
  #world;
  #door;
  #sockets = new Set();

  constructor(world) {
    this.#world = world;
    this.kv = world.kv;
    this.objects = world.objects;
    this.#door = createServer((visitor) => this.#pass(visitor));
  }

  async open() {
    this.#door.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
    await once(this.#door, "listening");
    this.url = `http://127.0.0.1:${this.#door.address().port}`;
  }

  get logs() {
    return this.#world.logs;
  }

  logged(pattern) {
    return this.#world.logged(pattern);
  }

  /** Ends the runtime at once; from then on every connection is reset. */
  async kill() {
    await this.#world.end();
  }

  /** Starts it again over the same storage. */
  async start() {
    await this.#world.start();
  }

  async stop() {
    this.#door.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#world.stop();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  /** A started runtime listens elsewhere than the one before: this is the address that apps know. */
  #pass(visitor) {
    const runtime = this.#runtime();
    if (runtime === undefined) return visitor.resetAndDestroy();
    const { hostname, port } = new URL(runtime);
    const inside = connect({ host: hostname, port: Number(port) });
    for (const [from, to] of [[visitor, inside], [inside, visitor]]) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #runtime() {
    try {
      return this.#world.urlOf(0);
    } catch {
      return undefined; // it was killed
    }
  }
}
