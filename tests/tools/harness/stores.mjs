// Stores that an isolate can be run over without a runtime.

/** A map for KV, coordinators that grant every lease, and a ledger without invalidations. */
export class FakeStores {
  /** Key to stored bytes. */
  kv = new Map();
  #generation = 0;
  #settle;

  /** @param {() => Promise<void>} [settle] passes before every answer, to let calls overlap */
  constructor(settle = async () => {}) {
    this.#settle = settle;
  }

  async read(key) {
    await this.#settle();
    return this.kv.get(key)?.slice().buffer ?? null;
  }

  async since({ position }) {
    await this.#settle();
    return { from: position.number, head: { epoch: 1, number: 0 }, floor: 0, rows: [] };
  }

  async acquire(_object, { holder, position }) {
    await this.#settle();
    this.#generation += 1;
    return { answer: { granted: { lease: { generation: this.#generation, holder, position }, remaining_ms: 0 } } };
  }

  async publish(object, { lease }, header, body) {
    await this.#settle();
    const value = new Uint8Array(header.byteLength + body.byteLength);
    value.set(header);
    value.set(body, header.byteLength);
    this.kv.set(object, value);
    return { accepted: { generation: lease?.generation ?? this.#generation } };
  }

  async abandon() {
    await this.#settle();
  }

  async sharesNamespace() {
    return true;
  }
}

/** Stores that tell what they were asked, and grant or refuse leases. */
export class RecordingStores extends FakeStores {
  asked = [];
  grants = true;
  answers = true;

  async acquire(object, message) {
    this.asked.push(`acquire ${message.need}`);
    if (!this.grants) return { answer: { hold: { ms: 1000, recheck_ms: 1000, reason: "rendering" } } };
    return super.acquire(object, message);
  }

  async publish(object, message, header, body) {
    this.asked.push(message.lease ? "publish under a lease" : "publish");
    return super.publish(object, message, header, body);
  }

  async abandon(_object, { reason }) {
    this.asked.push(`abandon ${reason}`);
  }

  async append(message) {
    this.asked.push(`append ${message.tags}${message.profile ? ` ${JSON.stringify(message.profile)}` : ""}`);
    if (!this.answers) throw new Error("down");
    return this.since(message);
  }

  async seed() {
    return undefined;
  }

  took() {
    return this.asked.splice(0);
  }
}
