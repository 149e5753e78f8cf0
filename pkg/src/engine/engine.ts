// One isolate's engine, guarded: a call always ends with a result.
import * as core from "../../wasm/engine/engine.js";
import type { Call, CarriedLease, DoneStep, EngineStats, Kind, Loaded, Position, Reply, Step } from "./protocol.js";

/** What an app configures of its engine. */
export interface EngineOptions {
  app?: string;
  memoryBytes?: number;
  windowMs?: number;
  waitMs?: number;
}

/** The engine's free functions that values cross into or out of untyped, with what these are. */
interface Typed {
  entry_key(kind: Kind, key: string): string;
  ledger_name(): string;
  namespace_id_key(): string;
  verify_lease(token: string, secret: string): CarriedLease | undefined;
}

type Core = Omit<typeof core, keyof Typed> & Typed;
type FreeFunction = keyof Typed | "cache_control" | "cache_status_of_entry" | "cache_status_of_render" | "header_bytes";

const MISS: DoneStep = Object.freeze({
  step: "done",
  result: "miss",
  reason: "panic",
  lease: undefined,
  renewed: false,
  absent: false,
  memory: Object.freeze({ keep: undefined, forget: Object.freeze([]) }),
});

const missAfterPanic = (): DoneStep => ({ ...MISS });

/** As the core numbers them. */
const KINDS = Object.freeze({ response: 0, data: 1, use_cache: 2 });

/** Every instance of the wasm numbers its machines from 0: beside that number stands which instance it was. */
const INSTANCE = 2 ** 32;

/** As the core numbers what KV said. */
const KV_SAID = Object.freeze({ absent: 1, found: 2, unreadable: 3 });

/** What was loaded crosses by plain arguments: that takes a tenth less of a cold read than an object does (`make bench`, crossing). */
function resumeLoaded(machine: number, { kv, since }: Loaded, now: number, header: Uint8Array | undefined): unknown {
  if (typeof kv === "object") return core.resume_loaded(machine, now, KV_SAID.found, kv.found.total, header, since);
  return core.resume_loaded(machine, now, kv === undefined ? 0 : KV_SAID[kv], 0, undefined, since);
}

export class Engine {
  readonly #settings: Parameters<typeof core.configure>;
  /** How many panics were answered with a miss. */
  panics = 0;
  /** Called after a panic: the fresh engine remembers nothing, so the bytes kept for the old engine's memory are void. */
  onReset: () => void = () => {};

  /**
   * @param build the deployment id, else the build id
   * @param secret what signs leases: the same in every isolate of the build, unknown to visitors
   * @throws {Error} with `code` "bad-option" and one sentence when an option makes no sense
   */
  constructor(options: EngineOptions, build: string, secret: string) {
    const { app, memoryBytes, windowMs, waitMs } = options;
    this.#settings = [app, memoryBytes, windowMs, waitMs, build, secret];
    core.configure(...this.#settings);
  }

  /** The slot of an entry in memory that is fresh for every reader, or -1: then `begin` has more to say. */
  freshInMemory(kind: Kind, key: string, now: number): number {
    return this.#guard(
      () => core.fresh_in_memory(KINDS[kind], key, now),
      () => -1,
    );
  }

  /** Where the copy of the ledger stands. */
  ledgerPosition(): Position {
    const [epoch = 0, number = 0] = this.#guard(
      () => core.ledger_position(),
      () => new Float64Array(2),
    );
    return { epoch, number };
  }

  /** Takes a call; returns a step: an effect to perform, or the result. */
  begin(call: Call, now: number): Step {
    return this.#marked(this.#guard(() => core.begin(call, now) as Step, missAfterPanic));
  }

  /**
   * Goes on with a machine; `header` is that of the stored value which the reply tells of. A machine of an instance that is gone
   * ends: its number may be that of another call now.
   */
  resume(machine: number, reply: Reply, now: number, header?: Uint8Array): Step {
    if (Math.floor(machine / INSTANCE) !== this.panics) return { ...MISS, reason: "engine-restarted" };
    const own = machine % INSTANCE;
    const run = (): unknown =>
      typeof reply === "object" && reply.loaded ? resumeLoaded(own, reply.loaded, now, header) : core.resume(own, reply, now, header);
    return this.#marked(this.#guard(() => run() as Step, missAfterPanic));
  }

  /** Calls one of the engine's free functions. It is tried once more on a fresh instance; undefined if that panics too. */
  call<Name extends FreeFunction>(name: Name, ...args: Parameters<Core[Name]>): ReturnType<Core[Name]> | undefined {
    const free = core[name] as (...crossing: unknown[]) => ReturnType<Core[Name]>;
    const run = () => free(...args);
    return this.#guard<ReturnType<Core[Name]> | undefined>(run, () =>
      this.#guard<ReturnType<Core[Name]> | undefined>(run, () => undefined),
    );
  }

  /** The name under which an entry is stored and coordinated. */
  entryKey(kind: Kind, key: string): string {
    // An engine that breaks twice in a row knows no name: nothing is stored or coordinated under none.
    return this.call("entry_key", kind, key) ?? "";
  }

  /** How many bytes the header of a stored value takes; -1 when it is not an entry. */
  headerBytes(stored: Uint8Array): number {
    return this.call("header_bytes", stored) ?? -1;
  }

  stats(): EngineStats {
    return core.stats() as EngineStats;
  }

  #marked(step: Step): Step {
    return step.step === "perform" ? { ...step, machine: this.panics * INSTANCE + step.machine } : step;
  }

  #guard<Result>(run: () => Result, afterPanic: () => Result): Result {
    try {
      return run();
    } catch (error) {
      if ((error as { code?: unknown } | undefined)?.code === "bad-call") throw error;
      this.panics += 1;
      this.#heal();
      return afterPanic();
    }
  }

  /** A call without arguments lets the glue replace the broken instance; only then may arguments cross again. */
  #heal(): void {
    try {
      core.heal();
      core.configure(...this.#settings);
    } finally {
      this.onReset();
    }
  }
}
