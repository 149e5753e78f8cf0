/** The test's hands on what the services of a world share: KV, R2, D1 and the Durable Objects. */

/**
 * @typedef {{ mode?: "throw" | "throwAfter" | "hang", delayMs?: number, times?: number, message?: string }} KvFault
 *   `throwAfter` performs the operation and then throws: the outcome is unknown to the caller.
 * @typedef {{ mode: "ok" | "throw" | "hang" | "loseAnswer" | "abort", classes?: string[], methods?: string[], delayMs?: number, times?: number, message?: string, properties?: object }} ObjectRule
 *   `properties` are the error's own (such as `overloaded`); they do not cross the boundary of a process. `hang` ends only when another rule is set; `loseAnswer` performs the call and then throws; `abort` resets the object
 *   (memory lost, storage kept).
 */

export class KvControl {
  #ask;
  #bridged;
  #rules = {};

  /** @param {(path: string, init?: object) => Promise<Response>} ask */
  constructor(ask, { bridged, binding }) {
    this.#ask = ask;
    this.#bridged = bridged;
    this.binding = binding;
  }

  /**
   * From now on writes are seen, and "not found" is forgotten, only `ms` later. In the model "global" by everybody but the
   * writer's own location, whether or not they have read the key before; in the model "location" by a location that has
   * read the key since (the object's own reads included). One isolate is one location.
   *
   * @param {number} ms
   * @param {{ model?: "global" | "location" }} [options]
   */
  async lag(ms, { model = "global" } = {}) {
    await this.#set({ lagMs: ms, lagModel: model });
  }

  /** @param {{ get?: KvFault, put?: KvFault, delete?: KvFault, list?: KvFault }} faults `get` covers getWithMetadata too. */
  async fail(faults) {
    await this.#set(faults);
  }

  /** Ends every lag and fault. */
  async heal() {
    this.#rules = {};
    await this.#set({});
  }

  /** @returns {Promise<Record<string, number>>} operation to the number of calls, of all locations or of one */
  async counts(location) {
    this.#mustBeBridged();
    const counts = await (await this.#ask("/counts")).json();
    const sum = (places) => (location === undefined ? Object.values(places).reduce((a, b) => a + b, 0) : (places[location] ?? 0));
    return Object.fromEntries(Object.entries(counts).map(([operation, places]) => [operation, sum(places)]));
  }

  async resetCounts() {
    this.#mustBeBridged();
    await this.#ask("/counts", { method: "DELETE" });
  }

  /** What is really stored, past every lag and fault. @returns {Promise<{ value: Buffer, metadata: unknown } | null>} */
  async read(key, { binding = this.binding } = {}) {
    const response = await this.#ask(`/value?${new URLSearchParams({ binding, key })}`, { accept: [404] });
    if (response.status === 404) return null;
    const value = Buffer.from(await response.arrayBuffer());
    return { value, metadata: JSON.parse(decodeURIComponent(response.headers.get("x-metadata"))) };
  }

  /** @param {string | Uint8Array} value @param {{ metadata?: unknown, expirationTtl?: number, binding?: string }} [options] */
  async write(key, value, { binding = this.binding, ...options } = {}) {
    const headers = { "x-options": encodeURIComponent(JSON.stringify(options)) };
    await this.#ask(`/value?${new URLSearchParams({ binding, key })}`, { method: "PUT", body: value, headers });
  }

  async remove(key, { binding = this.binding } = {}) {
    await this.#ask(`/value?${new URLSearchParams({ binding, key })}`, { method: "DELETE" });
  }

  /** @returns {Promise<{ name: string, metadata?: unknown, expiration?: number }[]>} */
  async keys(prefix = "", { binding = this.binding } = {}) {
    const keys = [];
    for (let cursor = ""; cursor !== undefined; ) {
      const page = await (await this.#ask(`/keys?${new URLSearchParams({ binding, prefix, ...(cursor && { cursor }) })}`)).json();
      keys.push(...page.keys);
      cursor = page.list_complete ? undefined : page.cursor;
    }
    return keys;
  }

  /** Tells a bridge that was started anew what holds. */
  async renew() {
    if (this.#bridged && Object.keys(this.#rules).length > 0) await this.#set({});
  }

  async #set(change) {
    this.#mustBeBridged();
    this.#rules = { ...this.#rules, ...change };
    await this.#ask("/rules", { method: "POST", body: JSON.stringify(this.#rules) });
  }

  #mustBeBridged() {
    if (!this.#bridged) throw new Error('This world has KV itself, not the bridge: start it with kv: "bridge".');
  }
}

export class StoresControl {
  #ask;
  #has;

  /** @param {{ has: boolean }} world whether the app has R2 buckets or D1 databases */
  constructor(ask, { has }) {
    this.#ask = ask;
    this.#has = has;
  }

  /** @returns {Promise<Record<string, number>>} `r2ClassA`, `r2ClassB`, `d1RowsRead` and `d1RowsWritten` to how many */
  async counts() {
    return this.#has ? (await this.#ask("/counts")).json() : {};
  }

  async resetCounts() {
    if (this.#has) await this.#ask("/counts", { method: "DELETE" });
  }

  /** Has a database do something, uncounted. */
  async execute(binding, sql) {
    await this.#ask(`/sql?${new URLSearchParams({ binding })}`, { method: "POST", body: sql });
  }
}

export class ObjectsControl {
  #ask;
  #wrapped;
  #rule = { mode: "ok" };

  constructor(ask, { wrapped }) {
    this.#ask = ask;
    this.#wrapped = wrapped;
  }

  /** What happens to calls from now on. @param {ObjectRule["mode"]} mode @param {Omit<ObjectRule, "mode">} [options] */
  async behave(mode, options = {}) {
    this.#mustBeWrapped();
    this.#rule = { mode, ...options };
    await this.#ask("/rule", { method: "POST", body: JSON.stringify(this.#rule) });
  }

  async heal() {
    await this.behave("ok");
  }

  /** @returns {Promise<Record<string, number>>} `Class.method` to the number of calls */
  async counts() {
    this.#mustBeWrapped();
    return (await this.#ask("/counts")).json();
  }

  /** @returns {Promise<Record<string, number>>} `Class rowsRead`, `Class rowsWritten` and `Class setAlarm` to how many */
  async storageCounts() {
    this.#mustBeWrapped();
    return (await this.#ask("/storage")).json();
  }

  async resetCounts() {
    this.#mustBeWrapped();
    await this.#ask("/counts", { method: "DELETE" });
  }

  /** Number of calls that a rule holds at this moment. */
  async inFlight() {
    this.#mustBeWrapped();
    return (await this.#ask("/in-flight")).json();
  }

  /** Tells objects that were started anew what holds. */
  async renew() {
    if (this.#wrapped && this.#rule.mode !== "ok") await this.behave(this.#rule.mode, this.#rule);
  }

  #mustBeWrapped() {
    if (!this.#wrapped) throw new Error("This world's Durable Objects are not wrapped: start it with wrapObjects.");
  }
}
