// The host of an engine: performs its effects, keeps the bytes of its memory tier, and turns every failure into a miss.

import { joined } from "./bytes.js";

const MINIMUM_PREFIX = 12;
/** How long KV and the ledger may take beside each other: less than the engine gives them. */
const LOAD_LIMIT_MS = 2500;
/** So long a message to the ledger that was lost is sent again. */
const SINCE_LIMIT_MS = 2000;
/** KV may show a new key late: the namespace's id is looked for after so many publications before it counts as missing. */
const NAMESPACE_QUESTIONS = 20;

/** Between microtasks no event comes: whoever says a thing twice within so many of them knew of nothing else in between. */
const SAME_CALL = 100;

/** So many different warnings say enough. */
const WARNINGS_HELD = 1000;

/** A timer that rings so late tells that the isolate was held up: by a render that computes, or by a machine that stalls. */
const HELD_UP_MS = 250;

/** Rejects when `promise` has not settled after `ms` in which this isolate could have heard of it. */
export function within(ms, promise) {
  const limit = new TimeLimit(ms);
  return limit.of(promise).finally(() => limit.lift());
}

/** One timer for several promises: in workerd it takes as long to set and clear one as to read what is stored. */
class TimeLimit {
  #timer;
  #late;

  constructor(ms) {
    this.#late = new Promise((_, reject) => {
      const begun = Date.now();
      const fail = () => reject(new Error(`no answer within ${ms} ms`));
      this.#timer = setTimeout(() => {
        // Held up, the isolate finds timers and answers at once, and nothing says which of them comes first.
        if (Date.now() - begun > ms + HELD_UP_MS) this.#timer = setTimeout(fail, ms);
        else fail();
      }, ms);
    });
    // Nobody may be waiting any more.
    this.#late.catch(() => {});
  }

  of(promise) {
    return Promise.race([promise, this.#late]);
  }

  lift() {
    clearTimeout(this.#timer);
  }
}

export class Host {
  #engine;
  #stores;
  /** Slot → its bytes, and the entry as it is told to whoever finds it fresh there, once that was told. */
  #slots = new Map();
  #warned = new Set();
  #namespaceDoubts = NAMESPACE_QUESTIONS;
  /** Invalidations that are about to be recorded. */
  #announced = new Map();

  /**
   * @param {object} parts
   * @param {import("./engine/engine.js").Engine} parts.engine
   * @param {object} parts.stores performs reads, messages and regenerations: see `bindings.js`
   */
  constructor({ engine, stores }) {
    this.#engine = engine;
    this.#stores = stores;
    engine.onReset = () => this.#slots.clear();
  }

  get engine() {
    return this.#engine;
  }

  /** Bytes of bodies kept for the memory tier. */
  get keptBytes() {
    let bytes = 0;
    for (const { body } of this.#slots.values()) bytes += body.buffer.byteLength;
    return bytes;
  }

  /** Says once per isolate what is down, where the stores do not. */
  #warnOfOutage(topic, message) {
    if (!this.#stores.tellsCauses) this.warnOnce(topic, message);
  }

  /** Says a thing once per isolate. */
  warnOnce(topic, message) {
    if (this.#warned.has(topic) || this.#warned.size >= WARNINGS_HELD) return;
    this.#warned.add(topic);
    console.warn(`onegen: ${message}`);
  }

  /**
   * Reads an entry.
   * @returns {Promise<{ entry?: object, body?: Uint8Array, again?: boolean, miss?: object }>} `again`: whether the same entry is handed
   *   out again, to whoever asks while it is in memory
   */
  async read(context, question) {
    return this.#remembered(context, question) ?? this.#read(context, question);
  }

  /** What is in memory, fresh for everybody: the engine need not be told who asks, nor does it have more to say. */
  #remembered(context, { kind, key, tags, revalidate, nested = context.nested }) {
    const isPart = nested && kind !== "response";
    if (isPart || tags?.length > 0 || revalidate !== undefined || context.carried || context.onDemand) return undefined;
    const slot = this.#engine.freshInMemory(kind, key, Date.now());
    const { entry, body } = this.#slots.get(slot) ?? {};
    if (entry === undefined) return undefined;
    context.position ??= this.#engine.ledgerPosition();
    return { entry, body, again: true };
  }

  async #read(context, { kind, key, caller, seeded = false, tags = [], revalidate, nested }) {
    const begun = Date.now();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const frame = { bytes: {} };
      const call = { read: { kind, key, caller, nonce: crypto.randomUUID(), context: context.forEngine({ kind, key, nested }), seeded, tags, revalidate } };
      const done = await this.#run(call, context, frame);
      context.position ??= done.ledger;
      if (done.result !== "entry") {
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
      if (done.touch) context.waitUntil(this.#stores.touch(this.#engine.call("entry_key", kind, key)));
      if (done.brief) this.#warnOfOutage("ledger-down", "the tag ledger does not answer: entries are served without asking it");
      if (done.source === "memory" && done.reason === "fresh" && !done.collapsed) this.#describe(done);
      return { entry: done, body };
    }
    return { miss: { reason: "evicted", renewed: false } };
  }

  /**
   * Stores a render.
   * @param {object} value `{ shape, parts: [{ name, bytes: Uint8Array }], tags, revalidate, expire }`
   */
  async store(context, { kind, key, lease, startedAt, createdAt, value }) {
    const body = joined(value.parts.map(({ bytes }) => bytes));
    const call = {
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

  async #checkNamespace() {
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

  /** Regenerates what was served stale, if nobody else does. `regenerate(token, deadlineMs)` has the app render. */
  async refresh(context, { kind, key, entry, regenerate }) {
    const call = {
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

  /** Gives a lease back. `reason` is "failed", "not_stored" or "unused". */
  release(context, { entryKey, lease, reason }) {
    return this.#run({ release: { entry_key: entryKey, lease, reason } }, context, {});
  }

  /**
   * Records an invalidation; resolves to whether it was recorded. Next.js tells each of its handlers of one, at once, and OpenNext's
   * adapter passes that on some microtasks later: what is told again by then is recorded once. That there is a profile says more than
   * what is in it.
   */
  invalidate(context, { tags, profile }) {
    const id = JSON.stringify([tags, profile]);
    const announced = this.#announced.get(id);
    if (announced) return announced;
    const recording = this.#record(context, { tags, profile });
    const forget = () => {
      if (this.#announced.get(id) === recording) this.#announced.delete(id);
    };
    this.#announced.set(id, recording);
    afterMicrotasks(SAME_CALL, forget);
    recording.then(forget, forget);
    return recording;
  }

  async #record(context, { tags, profile }) {
    const done = await this.#run({ invalidate: { tags, profile } }, context, {});
    return done.reason === "recorded" || done.reason === "nothing";
  }

  /** Brings the copy of the ledger within its window. @returns {Promise<{ reason: string }>} how that ended */
  observe(context) {
    return this.#run({ observe: {} }, context, {});
  }

  /** What the ledger says of tags since a position: "none", "soft" or "hard". */
  async invalidated(context, { tags, position }) {
    const done = await this.#run({ invalidated: { tags, position } }, context, {});
    // Without an answer the milder mistake is to render once too often.
    return done.invalidation ?? "hard";
  }

  /** What is in a slot can be told again; what was true of this reading alone is left out. */
  #describe({ touch, lowered, memory, ledger, ...entry }) {
    const held = this.#slots.get(entry.slot);
    if (held) held.entry ??= Object.freeze(entry);
  }

  async #run(call, context, frame) {
    const step = this.#engine.begin(call, Date.now());
    if (step.step !== "perform") return this.#settled(step, frame);
    const work = this.#drive(step, context, frame);
    context.waitUntil(work);
    return work;
  }

  async #drive(first, context, frame) {
    let step = first;
    while (step.step === "perform") {
      let done = { reply: "failed" };
      try {
        done = await this.#perform(step, context, frame);
      } catch (error) {
        this.#stores.failed?.(step.effect.kind, error);
      }
      step = this.#engine.resume(step.machine, done.reply, Date.now(), done.header);
    }
    return this.#settled(step, frame);
  }

  /** Finds a result's bytes, and does what it says of memory; at once, because after a panic of another call slots are another engine's. */
  #settled(done, frame) {
    frame.body ??= done.source === "memory" ? this.#slots.get(done.slot)?.body : frame.bytes?.[done.source ?? "coordinator"];
    if (done.memory && frame.body !== undefined) this.#order(done.memory, frame.body);
    return done;
  }

  /** Does what a step asks for. Of stored values the reply tells how long they are; the header stands beside it. */
  #perform(step, context, frame) {
    if (step.effect.kind === "load") return this.#load(step.effect, frame);
    return within(step.deadline_ms, this.#send(step, context, frame));
  }

  /** Reads KV and asks the ledger, and answers in any case: a failure of one must not lose what the other says. */
  async #load({ key, since: position }, frame) {
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

  async #send({ effect, header: rendered, deadline_ms: limitMs }, context, frame) {
    const stores = this.#stores;
    switch (effect.kind) {
      case "seed": {
        const bytes = await stores.seed(effect.key);
        frame.seed = bytes && this.#split(bytes, frame, "seed");
        return { reply: { seeded: { seed: bytes && { total: bytes.byteLength } } }, header: frame.seed?.header };
      }
      case "publish_seed": {
        const { header, body } = frame.seed;
        return { reply: { published: { answer: await stores.publish(effect.object, effect.message, header, body, limitMs) } } };
      }
      case "acquire": {
        const { answer, waited = false, header, body } = await stores.acquire(effect.object, effect.message, limitMs);
        if (!answer.newer) return { reply: { acquired: { answer } } };
        frame.bytes.coordinator = body;
        return { reply: { acquired: { answer, waited, bytes: { total: header.byteLength + body.byteLength } } }, header };
      }
      case "publish":
        return { reply: { published: { answer: await stores.publish(effect.object, effect.message, rendered, frame.body, limitMs) } } };
      case "abandon":
        await stores.abandon(effect.object, effect.message, limitMs);
        return { reply: "done" };
      case "regenerate":
        return { reply: { regenerated: { status: await frame.regenerate(effect.token) } } };
      case "append":
        return { reply: { appended: { since: await stores.append(effect.message, limitMs) } } };
      case "check":
        return { reply: { checked: { invalidation: await stores.check(effect.message, limitMs) } } };
      case "pause":
        await new Promise((resolve) => setTimeout(resolve, effect.ms));
        return { reply: "done" };
      default:
        throw new Error(`onegen: the engine named an unknown effect: ${effect.kind}`);
    }
  }

  async #stored(key, frame, limit) {
    try {
      const buffer = await limit.of(this.#stores.read(key));
      if (buffer === null) return { stored: "absent" };
      const bytes = new Uint8Array(buffer);
      const { header } = this.#split(bytes, frame, "kv");
      return { stored: { found: { total: bytes.byteLength } }, header };
    } catch (error) {
      if (this.#stores.tellsCauses) this.#stores.failed("read", error);
      this.#warnOfOutage("kv-down", `Workers KV could not be read, coordinators are asked instead: ${error.message}`);
      return { stored: "unreadable" };
    }
  }

  async #since(position, limit) {
    try {
      return await limit.of(this.#stores.since({ position }, SINCE_LIMIT_MS));
    } catch (error) {
      this.#stores.failed?.("since", error);
      return undefined;
    }
  }

  /** Parts stored bytes into header and body: the body never crosses into the engine. */
  #split(bytes, frame, source) {
    const length = this.#engine.call("header_bytes", bytes.subarray(0, MINIMUM_PREFIX)) ?? -1;
    // Not an entry: its first bytes are enough for the engine to count and refuse it.
    const header = bytes.subarray(0, length < 0 ? MINIMUM_PREFIX : length);
    const body = bytes.subarray(header.byteLength);
    if (frame.bytes) frame.bytes[source] = body;
    return { header, body };
  }

  #order({ keep, forget }, body) {
    for (const slot of forget) this.#slots.delete(slot);
    if (keep !== undefined) this.#slots.set(keep, { body });
  }
}

function afterMicrotasks(count, run) {
  if (count === 0) run();
  else queueMicrotask(() => afterMicrotasks(count - 1, run));
}
