// The host of an engine: has its effects performed, keeps the bytes of its memory tier, and turns every failure into a miss.
import { joined } from "../base/bytes.js";
import { SayOnce } from "../base/say-once.js";
import type { Engine } from "../engine/engine.js";
import type {
  AbandonReason,
  Call,
  Caller,
  Invalidation,
  Kind,
  Lease,
  MemoryOrder,
  Outcome,
  PerformStep,
  Position,
  Profile,
  ReadEntry,
} from "../engine/protocol.js";
import type { StoredValue } from "../next-format/stored-value.js";
import type { RequestContext } from "./context.js";
import { Effects, type Frame } from "./effects.js";
import type { EntryRead, Reading } from "./reading.js";
import type { Stores } from "./stores.js";

/** KV may show a new key late: the namespace's id is looked for after so many publications before it counts as missing. */
const NAMESPACE_QUESTIONS = 20;

/** Between microtasks no event comes: whoever says a thing twice within so many of them knew of nothing else in between. */
const SAME_CALL = 100;

/** So many different warnings say enough. */
const WARNINGS_HELD = 1000;

/** What is read, by whom, and how it is judged. */
export interface Question {
  readonly kind: Kind;
  /** Next.js's key. */
  readonly key: string;
  readonly caller: Caller;
  /** Whether the build may have left a seed of it. */
  readonly seeded?: boolean | undefined;
  /** Tags beside the entry's own that end it for this caller. */
  readonly tags?: readonly string[] | undefined;
  /** Fresh for so many seconds, for this caller. */
  readonly revalidate?: number | undefined;
  /** Whether it becomes part of something that is stored, if that is not what the context says. */
  readonly nested?: boolean | undefined;
}

/** A render to store. */
export interface Render {
  readonly kind: Kind;
  readonly key: string;
  readonly lease: Lease | undefined;
  /** When the render began. */
  readonly startedAt: number;
  /** When the value was made, where Next.js counts its age from another moment than now. */
  readonly createdAt?: number | undefined;
  readonly value: StoredValue;
}

export class Host {
  readonly #engine: Engine;
  readonly #stores: Stores;
  readonly #effects: Effects;
  /** Slot → its bytes, and the entry as it is told to whoever finds it fresh there, once that was told. */
  readonly #slots = new Map<number | undefined, { body: Uint8Array; entry?: EntryRead }>();
  readonly #log = new SayOnce({ most: WARNINGS_HELD });
  #namespaceDoubts = NAMESPACE_QUESTIONS;
  /** Invalidations that are about to be recorded. */
  readonly #announced = new Map<string, Promise<boolean>>();

  /** @param parts.stores performs reads, messages and regenerations */
  constructor({ engine, stores }: { engine: Engine; stores: Stores }) {
    this.#engine = engine;
    this.#stores = stores;
    this.#effects = new Effects(engine, stores, (topic, message) => this.#warnOfOutage(topic, message));
    engine.onReset = () => this.#slots.clear();
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** Bytes of bodies kept for the memory tier. */
  get keptBytes(): number {
    let bytes = 0;
    for (const { body } of this.#slots.values()) bytes += body.buffer.byteLength;
    return bytes;
  }

  /** Says once per isolate what is down, where the stores do not. */
  #warnOfOutage(topic: string, message: string): void {
    if (!this.#stores.tellsCauses) this.warnOnce(topic, message);
  }

  /** Says a thing once per isolate. */
  warnOnce(topic: string, message: string): void {
    this.#log.warn(topic, message);
  }

  /** Reads an entry. */
  async read(context: RequestContext, question: Question): Promise<Reading> {
    return this.#remembered(context, question) ?? this.#read(context, question);
  }

  /** What is in memory, fresh for everybody: the engine need not be told who asks, nor does it have more to say. */
  #remembered(context: RequestContext, { kind, key, tags = [], revalidate, nested = context.nested }: Question): Reading | undefined {
    const isPart = nested && kind !== "response";
    if (isPart || tags.length > 0 || revalidate !== undefined || context.carried || context.onDemand) return undefined;
    const slot = this.#engine.freshInMemory(kind, key, Date.now());
    const { entry, body } = this.#slots.get(slot) ?? {};
    if (entry === undefined || body === undefined) return undefined;
    context.position ??= this.#engine.ledgerPosition();
    return { entry, body, again: true };
  }

  async #read(context: RequestContext, question: Question): Promise<Reading> {
    const { kind, key, caller, seeded = false, tags = [], revalidate, nested } = question;
    const begun = Date.now();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const frame: Frame = { bytes: {} };
      const nonce = crypto.randomUUID();
      const call: Call = {
        read: { kind, key, caller, nonce, context: context.forEngine({ kind, key, nested }), seeded, tags, revalidate },
      };
      const done = await this.#run(call, context, frame);
      if (done.result === "ended") break;
      context.position ??= done.ledger;
      if (done.result === "miss") {
        if (done.reason === "coordinator-down") {
          this.#warnOfOutage("coordinator-down", "a route's coordinator does not answer: its pages are rendered, but not shared");
        }
        if (done.absent) context.absent.add(key);
        if (done.reason === "wait-limit") context.hasWaited(Date.now() - begun);
        return { miss: done };
      }
      const { body } = frame;
      // Evicted while somebody was being asked: now it is rendered under the lease, or else read from KV.
      if (body === undefined && done.lease) return { miss: { reason: "evicted", renewed: true, lease: done.lease } };
      if (body === undefined) continue;
      if (done.collapsed) context.hasWaited(Date.now() - begun);
      if (done.lowered && kind !== "response" && nested !== false) context.lower(done.lowered);
      if (done.touch) context.waitUntil(this.#stores.touch(this.#engine.entryKey(kind, key)));
      if (done.brief) this.#warnOfOutage("ledger-down", "the tag ledger does not answer: entries are served without asking it");
      if (done.source === "memory" && done.reason === "fresh" && !done.collapsed) this.#describe(done);
      return { entry: done, body };
    }
    return { miss: { reason: "evicted", renewed: false } };
  }

  /** Stores a render. */
  async store(context: RequestContext, { kind, key, lease, startedAt, createdAt, value }: Render): Promise<Outcome> {
    const body = joined(value.parts.map(({ bytes }) => bytes));
    const call: Call = {
      store: {
        kind,
        key,
        shape: value.shape,
        parts: value.parts.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength })),
        tags: value.tags,
        revalidate: value.revalidate,
        expire: value.expire,
        lease,
        context: context.forEngine(),
        started_at: startedAt,
        created_at: createdAt,
      },
    };
    const done = await this.#run(call, context, { body });
    if (done.reason === "too-large") {
      this.warnOnce(
        `too-large ${key}`,
        `${key} is ${body.byteLength} bytes: expected at most 25 MiB, what Workers KV stores; it is served uncached, so make it smaller or exclude it from caching`,
      );
    }
    if (done.reason === "accepted" && this.#namespaceDoubts > 0) context.waitUntil(this.#checkNamespace());
    if (done.reason === "coordinator-down") {
      this.#warnOfOutage("not-stored", "a route's coordinator does not answer: a render was kept in this isolate alone");
    }
    return done;
  }

  async #checkNamespace(): Promise<void> {
    const shared = await this.#stores.sharesNamespace();
    this.#namespaceDoubts = shared === true ? 0 : this.#namespaceDoubts - 1;
    if (shared === false || (shared === undefined && this.#namespaceDoubts === 0)) {
      this.#namespaceDoubts = 0;
      this.warnOnce(
        "namespace",
        "this Worker and the one that hosts the Durable Objects see different KV namespaces: expected the same id under ONEGEN_KV in both wrangler files; until then every cold isolate asks the coordinators",
      );
    }
  }

  /** Regenerates what was served stale, if nobody else does. `regenerate(token)` has the app render. */
  async refresh(
    context: RequestContext,
    { kind, key, entry, regenerate }: { kind: Kind; key: string; entry: EntryRead; regenerate: NonNullable<Frame["regenerate"]> },
  ): Promise<Outcome> {
    const call: Call = {
      refresh: {
        kind,
        key,
        generation: entry.generation,
        expire: entry.expire,
        nonce: crypto.randomUUID(),
        context: context.forEngine(),
      },
    };
    return this.#run(call, context, { bytes: {}, regenerate });
  }

  /** Gives a lease back. */
  async release(
    context: RequestContext,
    { entryKey, lease, reason }: { entryKey: string; lease: Lease; reason: AbandonReason },
  ): Promise<Outcome> {
    return this.#run({ release: { entry_key: entryKey, lease, reason } }, context, {});
  }

  /**
   * Records an invalidation; resolves to whether it was recorded. Next.js tells each of its handlers of one, at once, and OpenNext's
   * adapter passes that on some microtasks later: what is told again by then is recorded once. That there is a profile says more than
   * what is in it.
   */
  invalidate(context: RequestContext, { tags, profile }: { tags: readonly string[]; profile?: Profile | undefined }): Promise<boolean> {
    const id = JSON.stringify([tags, profile]);
    const announced = this.#announced.get(id);
    if (announced) return announced;
    const recording = this.#record(context, tags, profile);
    const forget = () => {
      if (this.#announced.get(id) === recording) this.#announced.delete(id);
    };
    this.#announced.set(id, recording);
    afterMicrotasks(SAME_CALL, forget);
    recording.then(forget, forget);
    return recording;
  }

  async #record(context: RequestContext, tags: readonly string[], profile: Profile | undefined): Promise<boolean> {
    const { reason } = await this.#run({ invalidate: { tags, profile } }, context, {});
    return reason === "recorded" || reason === "nothing";
  }

  /** Brings the copy of the ledger within its window; tells how that ended. */
  async observe(context: RequestContext): Promise<{ reason: string }> {
    return this.#run({ observe: {} }, context, {});
  }

  /** What the ledger says of tags since a position. */
  async invalidated(context: RequestContext, { tags, position }: { tags: readonly string[]; position: Position }): Promise<Invalidation> {
    const done = await this.#run({ invalidated: { tags, position } }, context, {});
    // Without an answer the milder mistake is to render once too often.
    return (done.result === "ended" ? done.invalidation : undefined) ?? "hard";
  }

  /** What is in a slot can be told again; what was true of this reading alone is left out. */
  #describe({ touch: _touch, lowered: _lowered, memory: _memory, ledger: _ledger, ...entry }: ReadEntry): void {
    const held = this.#slots.get(entry.slot);
    if (held) held.entry ??= Object.freeze(entry);
  }

  async #run(call: Call, context: RequestContext, frame: Frame): Promise<Outcome> {
    const step = this.#engine.begin(call, Date.now());
    if (step.step !== "perform") return this.#settled(step, frame);
    const work = this.#drive(step, frame);
    context.waitUntil(work);
    return work;
  }

  async #drive(first: PerformStep, frame: Frame): Promise<Outcome> {
    let step: ReturnType<Engine["begin"]> = first;
    while (step.step === "perform") {
      const { reply, header } = await this.#effects.perform(step, frame);
      step = this.#engine.resume(step.machine, reply, Date.now(), header);
    }
    return this.#settled(step, frame);
  }

  /** Finds a result's bytes, and does what it says of memory; at once, because after a panic of another call slots are another engine's. */
  #settled(done: Outcome, frame: Frame): Outcome {
    const source = done.result === "entry" ? done.source : "coordinator";
    frame.body ??= done.result === "entry" && source === "memory" ? this.#slots.get(done.slot)?.body : frame.bytes?.[source];
    if (frame.body !== undefined) this.#order(done.memory, frame.body);
    return done;
  }

  #order({ keep, forget }: MemoryOrder, body: Uint8Array): void {
    for (const slot of forget) this.#slots.delete(slot);
    if (keep !== undefined) this.#slots.set(keep, { body });
  }
}

function afterMicrotasks(count: number, run: () => void): void {
  if (count === 0) run();
  else queueMicrotask(() => afterMicrotasks(count - 1, run));
}
