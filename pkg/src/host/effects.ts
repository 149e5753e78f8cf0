// The engine's effects, performed by stores. Header and body of what is stored part here: a body never crosses into the engine.
import { TimeLimit, pause, within } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import type { Engine } from "../engine/engine.js";
import type { Effect, LoadEffect, PerformStep, Position, Reply, Since, Source, Stored } from "../engine/protocol.js";
import type { Stores } from "./stores.js";

/** How long KV and the ledger may take beside each other: less than the engine gives them. */
const LOAD_LIMIT_MS = 2500;
/** So long a message to the ledger that was lost is sent again. */
const SINCE_LIMIT_MS = 2000;

/** A stored value in its two parts. */
interface Parted {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** What a call has besides what the engine knows of it. */
export interface Frame {
  /** The bytes that the result is about. */
  body?: Uint8Array | undefined;
  /** The bodies that were read, where the call reads any. */
  readonly bytes?: Partial<Record<Source, Uint8Array>>;
  seed?: Parted | undefined;
  /** Has the app render; the status of its answer. */
  readonly regenerate?: (token: string | undefined) => Promise<number>;
}

/** A reply, with the header of the stored value that it tells of. */
export interface Performed {
  readonly reply: Reply;
  readonly header?: Uint8Array | undefined;
}

export class Effects {
  readonly #engine: Engine;
  readonly #stores: Stores;
  readonly #warnOfOutage: (topic: string, message: string) => void;

  /** @param warnOfOutage says what is down, where the stores do not */
  constructor(engine: Engine, stores: Stores, warnOfOutage: (topic: string, message: string) => void) {
    this.#engine = engine;
    this.#stores = stores;
    this.#warnOfOutage = warnOfOutage;
  }

  /** Does what a step asks for. Of stored values the reply tells how long they are; the header stands beside it. */
  async perform(step: PerformStep, frame: Frame): Promise<Performed> {
    try {
      return await (step.effect.kind === "load"
        ? this.#load(step.effect, frame)
        : within(step.deadline_ms, this.#send(step.effect, step, frame)));
    } catch (error) {
      this.#stores.failed?.(step.effect.kind, error);
      return { reply: "failed" };
    }
  }

  /** Reads KV and asks the ledger, and answers in any case: a failure of one must not lose what the other says. */
  async #load({ key, since: position }: LoadEffect, frame: Frame): Promise<Performed> {
    const limit = new TimeLimit(LOAD_LIMIT_MS);
    try {
      const [kv, since] = await Promise.all([
        key === undefined ? undefined : this.#stored(key, frame, limit),
        position === undefined ? undefined : this.#since(position, limit),
      ]);
      return { reply: { loaded: { kv: kv?.stored, since } }, header: kv?.header };
    } finally {
      limit.lift();
    }
  }

  async #send(
    effect: Exclude<Effect, LoadEffect>,
    { header: rendered, deadline_ms: limitMs }: PerformStep,
    frame: Frame,
  ): Promise<Performed> {
    const stores = this.#stores;
    switch (effect.kind) {
      case "seed": {
        const bytes = await stores.seed(effect.key);
        frame.seed = bytes && this.#split(bytes, frame, "seed");
        return { reply: { seeded: { seed: bytes && { total: bytes.byteLength } } }, header: frame.seed?.header };
      }
      case "publish_seed": {
        const { header, body } = needed(frame.seed, effect.kind);
        return { reply: { published: { answer: await stores.publish(effect.object, effect.message, header, body, limitMs) } } };
      }
      case "acquire": {
        const { answer, waited = false, header, body } = await stores.acquire(effect.object, effect.message, limitMs);
        if (!answer.newer) return { reply: { acquired: { answer } } };
        const newer = { header: needed(header, effect.kind), body: needed(body, effect.kind) };
        if (frame.bytes) frame.bytes.coordinator = newer.body;
        const total = newer.header.byteLength + newer.body.byteLength;
        return { reply: { acquired: { answer, waited, bytes: { total } } }, header: newer.header };
      }
      case "publish": {
        const [header, body] = [needed(rendered, effect.kind), needed(frame.body, effect.kind)];
        return { reply: { published: { answer: await stores.publish(effect.object, effect.message, header, body, limitMs) } } };
      }
      case "abandon":
        await stores.abandon(effect.object, effect.message, limitMs);
        return { reply: "done" };
      case "regenerate":
        return { reply: { regenerated: { status: await needed(frame.regenerate, effect.kind)(effect.token) } } };
      case "append":
        return { reply: { appended: { since: await stores.append(effect.message, limitMs) } } };
      case "check":
        return { reply: { checked: { invalidation: await stores.check(effect.message, limitMs) } } };
      case "pause":
        await pause(effect.ms);
        return { reply: "done" };
      default:
        throw new Error(`onegen: the engine named an unknown effect: ${(effect as Effect).kind}`);
    }
  }

  async #stored(key: string, frame: Frame, limit: TimeLimit): Promise<{ stored: Stored; header?: Uint8Array }> {
    try {
      const buffer = await limit.of(this.#stores.read(key));
      if (buffer === null) return { stored: "absent" };
      const bytes = new Uint8Array(buffer);
      const { header } = this.#split(bytes, frame, "kv");
      return { stored: { found: { total: bytes.byteLength } }, header };
    } catch (error) {
      if (this.#stores.tellsCauses) this.#stores.failed?.("read", error);
      this.#warnOfOutage("kv-down", `Workers KV could not be read, coordinators are asked instead: ${messageOf(error)}`);
      return { stored: "unreadable" };
    }
  }

  async #since(position: Position, limit: TimeLimit): Promise<Since | undefined> {
    try {
      return await limit.of(this.#stores.since({ position }, SINCE_LIMIT_MS));
    } catch (error) {
      this.#stores.failed?.("since", error);
      return undefined;
    }
  }

  /** Parts stored bytes into header and body. */
  #split(bytes: Uint8Array, frame: Frame, source: Source): Parted {
    // Not an entry: the engine counts an empty header as corrupt, and refuses the value.
    const header = bytes.subarray(0, Math.max(0, this.#engine.headerBytes(bytes)));
    const body = bytes.subarray(header.byteLength);
    if (frame.bytes) frame.bytes[source] = body;
    return { header, body };
  }
}

/** What the engine counts on when it names an effect. */
function needed<Value>(value: Value | undefined, effect: string): Value {
  if (value === undefined) throw new Error(`onegen: nothing is there for the effect ${effect}`);
  return value;
}
