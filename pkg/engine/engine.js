// One isolate's engine, guarded: whatever happens inside, a call ends with a result.
import * as core from "../wasm/engine/engine.js";

const MISS = Object.freeze({
  step: "done",
  result: "miss",
  lease: undefined,
  renewed: false,
  absent: false,
  memory: Object.freeze({ keep: undefined, forget: Object.freeze([]) }),
});

const missAfterPanic = () => ({ ...MISS, reason: "panic" });

/** As the core numbers them. */
const KINDS = Object.freeze({ response: 0, data: 1, use_cache: 2 });

/** Every instance of the wasm numbers its machines from 0: beside that number stands which instance it was. */
const INSTANCE = 2 ** 32;

export class Engine {
  #settings;
  /** How many panics were answered with a miss. */
  panics = 0;
  /** Called after a panic: the fresh engine remembers nothing, so whatever is kept for the old one's memory is void. */
  onReset = () => {};

  /**
   * @param {object} options `app`, `memoryBytes`, `windowMs`, `waitMs`
   * @param {string} build the deployment id, else the build id
   * @param {string} secret what signs leases: the same in every isolate of the build, unknown to visitors
   * @throws {Error} with `code` "bad-option" and one sentence when an option makes no sense
   */
  constructor(options, build, secret) {
    const { app, memoryBytes, windowMs, waitMs } = options;
    this.#settings = [app, memoryBytes, windowMs, waitMs, build, secret];
    this.#configure();
  }

  /**
   * The slot of an entry in memory that is fresh for whoever asks, or -1: then `begin` has more to say.
   *
   * @param {"response" | "data" | "use_cache"} kind
   */
  freshInMemory(kind, key, now) {
    return this.#guard(() => core.fresh_in_memory(KINDS[kind], key, now), () => -1);
  }

  /** Where the copy of the ledger stands. */
  ledgerPosition() {
    const [epoch, number] = this.#guard(() => core.ledger_position(), () => [0, 0]);
    return { epoch, number };
  }

  /** Takes a call; returns a step: `{ step: "perform", machine, effect, deadline_ms, header }` or `{ step: "done", result, … }`. */
  begin(call, now) {
    return this.#marked(this.#guard(() => core.begin(call, now), missAfterPanic));
  }

  /**
   * Goes on with a machine; `header` is that of the stored value which the reply tells of. A machine of an instance that is gone
   * ends: its number may be that of another call now.
   */
  resume(machine, reply, now, header) {
    if (Math.floor(machine / INSTANCE) !== this.panics) return { ...MISS, reason: "engine-restarted" };
    return this.#marked(this.#guard(() => core.resume(machine % INSTANCE, reply, now, header), missAfterPanic));
  }

  /** Calls one of the engine's free functions. It is tried once more on a fresh instance; undefined if that panics too. */
  call(name, ...args) {
    const run = () => core[name](...args);
    return this.#guard(run, () => this.#guard(run, () => undefined));
  }

  stats() {
    return core.stats();
  }

  #marked(step) {
    return step.step === "perform" ? { ...step, machine: this.panics * INSTANCE + step.machine } : step;
  }

  #guard(run, afterPanic) {
    try {
      return run();
    } catch (error) {
      if (error?.code === "bad-call") throw error;
      this.panics += 1;
      this.#heal();
      return afterPanic();
    }
  }

  #configure() {
    core.configure(...this.#settings);
  }

  /** A call without arguments lets the glue replace the broken instance; only then may arguments cross again. */
  #heal() {
    try {
      core.heal();
      this.#configure();
    } finally {
      this.onReset();
    }
  }
}
