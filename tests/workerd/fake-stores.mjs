// Stores that a `Host` can be run on without a runtime: a map for KV, and coordinators that grant whoever asks.

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
