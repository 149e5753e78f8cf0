// The Durable Object class of a route. What it does, and in which order, is decided in wasm; here are held requests and bytes of bodies.
import { DurableObject } from "cloudflare:workers";
import { Put, RouteObject, generation_of, header_bytes } from "../../wasm/objects/objects.js";
import { joined } from "../base/bytes.js";
import { withinStrictly } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import { count } from "../base/options.js";
import type { Abandon, Acquire, Acquired, Publish, Published } from "../engine/protocol.js";
import type { AcquireAnswer } from "../host/stores.js";
import { Handle, type ObjectsEnv, hasNamespace, withOptions } from "./object-support.js";
import type { ObjectState } from "./runtime.js";

/** A row of SQLite storage may hold 2 MB; half of it leaves room for whatever the runtime adds. */
const ROW_BYTES = 1024 * 1024;
/** Below the time after which the lease machine gives a put up (`KV_PUT_LIMIT` in the crate's `route/kv.rs`). */
const PUT_LIMIT_MS = 25_000;
/** An alarm that failed rings again after so long. */
const ALARM_AGAIN_MS = 30_000;

/** Limits of a route's coordinator. Every one has a default. */
export interface RouteOptions {
  /** Lease for a route whose render times are not known yet. Default 10000. */
  firstLeaseMs?: number;
  /** Shortest lease. Default 3000. */
  minLeaseMs?: number;
  /** Longest lease. Default 60000. */
  maxLeaseMs?: number;
  /** Wait after a first failed render, doubled with each further one. Default 1000. */
  firstBackOffMs?: number;
  /** Longest wait after failed renders. Default 300000. */
  maxBackOffMs?: number;
  /** How long renders without a store make nobody wait, at first; doubled with each further one. Default 5000. */
  firstHitForMissMs?: number;
  /** Longest such time. Default 60000. */
  maxHitForMissMs?: number;
  /** Lifetime of a KV key that nobody touches, in seconds. Default 2592000 (30 days). */
  kvTtlSeconds?: number;
}

/** The limits of a coordinator, as its class's `options` name them. */
const LIMITS = {
  firstLeaseMs: count("milliseconds", "10000"),
  minLeaseMs: count("milliseconds", "3000"),
  maxLeaseMs: count("milliseconds", "60000"),
  firstBackOffMs: count("milliseconds", "1000"),
  maxBackOffMs: count("milliseconds", "300000"),
  firstHitForMissMs: count("milliseconds", "5000"),
  maxHitForMissMs: count("milliseconds", "60000"),
  kvTtlSeconds: count("seconds", "30 days"),
};

/** One thing to do, as the crate's `route/orders.rs` names it. */
type Order =
  | { readonly kind: "wake" | "delete_all" }
  | { readonly kind: "set_alarm"; readonly at: number }
  | { readonly kind: "put"; readonly generation: number; readonly ttl_seconds: number };

/** What a step of the route's state says. */
interface Told<Answer = undefined> {
  readonly answer: Answer;
  readonly effects: readonly Order[];
}

/** As the crate's `wire` module has it: `Next`. */
interface Asked extends Told<Acquired> {
  readonly next:
    | { readonly next: "answer" }
    | { readonly next: "hand_out"; readonly generation: number }
    | { readonly next: "wait"; readonly ms: number };
}

/** A stored entry in its two parts. */
interface Entry {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** Coordinates one route: grants leases, accepts publications, and is the only writer of the route's KV key. */
export class RouteCoordinator extends DurableObject<ObjectsEnv> {
  /** Limits: see docs/options.md. Subclass with another `static options` to change them. */
  static options: RouteOptions = {};

  readonly #waiters = new Set<() => void>();
  /** When the alarm rings, if it is set. */
  #alarmAt: number | undefined;
  readonly #handle: Handle<RouteObject> = new Handle(() => {
    const object = withOptions<RouteOptions, RouteObject>(
      this,
      "RouteCoordinator",
      LIMITS,
      (options) => new RouteObject(this.ctx, options, this.#alarmAt),
    );
    void this.#perform(object.restarted(Date.now()) as Told);
    return object;
  });

  constructor(ctx: ObjectState, env: ObjectsEnv) {
    super(ctx, env);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /** "May I render this route?" See `Acquire` in the crate's `wire` module; `newer` comes with header and body. */
  async acquire(name: string, message: Acquire): Promise<AcquireAnswer> {
    const begun = Date.now();
    for (let waited = false; ; waited = true) {
      const asked = this.#handle.call((object) => object.acquire(message, begun, Date.now()) as Asked);
      void this.#perform(asked);
      const { answer, next } = asked;
      if (next.next === "answer") return { answer };
      if (next.next === "wait") {
        await this.#woken(next.ms);
        continue;
      }
      const { generation } = next;
      const entry = await this.#entry(name, generation);
      if (entry) return { answer, waited, ...entry };
      void this.#step((object) => object.bytes_lost(generation, Date.now()));
    }
  }

  /** "Here is a render." */
  async publish(name: string, message: Publish, header: Uint8Array, body: Uint8Array): Promise<Published> {
    const told = this.#inTransaction((object) => {
      const publication = object.publish(name, message, header, body.byteLength, Date.now());
      if (publication.header) this.#keep(publication.header, body);
      return publication.told as Told<Published>;
    });
    void this.#perform(told);
    return told.answer;
  }

  /** "I shall not publish." */
  async abandon(_name: string, message: Abandon): Promise<void> {
    void this.#step((object) => object.abandon(message, Date.now()));
  }

  /** A reader found the KV key past half of its life. */
  async touch(_name: string): Promise<void> {
    void this.#step((object) => object.touch(Date.now()));
  }

  async alarm(): Promise<void> {
    try {
      this.#alarmAt = undefined;
      await this.#step((object) => object.alarm(Date.now()));
    } catch (error) {
      const name = this.#handle.call((object) => object.name());
      console.error(`onegen: an alarm of ${name ?? "a route"} failed and rings again: ${messageOf(error)}`);
      await this.ctx.storage.setAlarm(Date.now() + ALARM_AGAIN_MS);
    }
  }

  #inTransaction<Result>(run: (object: RouteObject) => Result): Result {
    try {
      return this.ctx.storage.transactionSync(() => this.#handle.call(run));
    } catch (error) {
      // What the state noted of its alarm was undone with the rest.
      this.#handle.call((object) => object.alarm_is_set(this.#alarmAt));
      throw error;
    }
  }

  #step(run: (object: RouteObject) => unknown): Promise<void> {
    return this.#perform(this.#handle.call(run) as Told);
  }

  /** Does what a step asks for, in order; settles when the put that it started has ended, if any. */
  async #perform({ effects }: Told<unknown>): Promise<void> {
    let putting: Promise<void> | undefined;
    for (const order of effects) {
      switch (order.kind) {
        case "wake":
          for (const wake of this.#waiters) wake();
          break;
        case "set_alarm":
          this.#alarmAt = order.at;
          this.ctx.waitUntil(this.ctx.storage.setAlarm(order.at));
          break;
        case "delete_all":
          this.#handle.forget();
          this.#alarmAt = undefined;
          this.ctx.waitUntil(this.ctx.storage.deleteAll());
          break;
        case "put":
          putting = this.#put(order.generation, order.ttl_seconds);
          this.ctx.waitUntil(putting);
          break;
      }
    }
    await putting;
  }

  async #put(generation: number, expirationTtl: number): Promise<void> {
    const name = this.#handle.call((object) => object.name());
    const how = name === undefined ? Put.Uncertain : await this.#written(name, generation, expirationTtl);
    void this.#step((object) => object.put_ended(generation, how, Date.now()));
  }

  /** Writes a generation to KV; how that ended. */
  async #written(name: string, generation: number, expirationTtl: number): Promise<Put> {
    try {
      const entry = await this.#entry(name, generation);
      if (entry === undefined) return Put.Lost;
      if (!hasNamespace(this.env)) return Put.Uncertain;
      const begun = this.#handle.call((object) => object.header_to_put(entry.header, Date.now()));
      await withinStrictly(PUT_LIMIT_MS, this.env.ONEGEN_KV.put(name, joined([begun, entry.body]), { expirationTtl }));
      return Put.Confirmed;
    } catch (error) {
      console.warn(`onegen: writing ${name} to Workers KV failed and is tried again: ${messageOf(error)}`);
      return Put.Uncertain;
    }
  }

  /** Resolves when the route's state changed, or after `ms`. */
  #woken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiters.add(wake);
    });
  }

  /** The entry of a generation: kept here, or, once that is long enough ago, in KV. */
  async #entry(name: string, generation: number): Promise<Entry | undefined> {
    const kept = this.#kept();
    if (kept) return kept;
    if (!hasNamespace(this.env)) return undefined;
    const value = await this.env.ONEGEN_KV.get(name, { type: "arrayBuffer" });
    if (value === null) return undefined;
    const entry = parted(new Uint8Array(value));
    const found = entry && generation_of(entry.header, value.byteLength);
    return found === generation ? entry : undefined;
  }

  /** As few rows as hold an entry, each of them in the place of one of the last entry's. */
  #keep(header: Uint8Array, body: Uint8Array): void {
    const inFirst = Math.max(0, ROW_BYTES - header.byteLength);
    const rows = [joined([header, body.subarray(0, inFirst)])];
    for (let at = inFirst; at < body.byteLength; at += ROW_BYTES) rows.push(body.slice(at, at + ROW_BYTES));
    for (const [seq, bytes] of rows.entries()) this.#sql("INSERT OR REPLACE INTO body (seq, bytes) VALUES (?, ?)", seq, bytes);
    this.#sql("DELETE FROM body WHERE seq >= ?", rows.length);
  }

  #kept(): Entry | undefined {
    const rows = this.#sql<{ bytes: ArrayBuffer }>("SELECT bytes FROM body ORDER BY seq").map(({ bytes }) => new Uint8Array(bytes));
    if (rows.length === 0) return undefined;
    return parted(joined(rows));
  }

  #sql<Row>(query: string, ...values: unknown[]): Row[] {
    return this.ctx.storage.sql.exec<Row>(query, ...values).toArray();
  }
}

/** A stored entry in its two parts; undefined when it is none. */
function parted(bytes: Uint8Array): Entry | undefined {
  const length = header_bytes(bytes);
  return length < 0 ? undefined : { header: bytes.subarray(0, length), body: bytes.subarray(length) };
}
