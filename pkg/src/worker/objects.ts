// The Durable Object classes. State and decisions are in wasm; here are held requests, body bytes and promises.
import { DurableObject } from "cloudflare:workers";
import module from "../../wasm/objects/objects_bg.wasm";
import { LedgerObject, RouteObject, generation_of, heal, header_bytes, initSync, namespace_id_key } from "../../wasm/objects/objects.js";
import { joined } from "../base/bytes.js";
import { withinStrictly } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import { checkedOptions, count } from "../base/options.js";
import { SayOnce } from "../base/say-once.js";
import { prefixBytes } from "../engine/prefix.js";
import type {
  Abandon,
  Acquire,
  Acquired,
  Append,
  Check,
  Invalidation,
  Publish,
  Published,
  Since,
  SinceQuestion,
} from "../engine/protocol.js";
import type { AcquireAnswer, SinceAnswer } from "../host/stores.js";
import type { KvNamespace } from "../stores/cloudflare.js";
import type { ObjectState } from "./runtime.js";

initSync({ module });

/** A row of SQLite storage may hold 2 MB; half of it leaves room for whatever the runtime adds. */
const ROW_BYTES = 1024 * 1024;
/** Below the time after which the lease machine gives a put up (`KV_PUT_LIMIT` in the crate's `lease` module). */
const PUT_LIMIT_MS = 25_000;

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

/** Limits of an app's ledger. Every one has a default. */
export interface LedgerOptions {
  /** Above so many bytes of storage it forgets what was invalidated longest ago. Default 4294967296 (4 GiB). */
  storageBytes?: number;
}

/** What the Worker that hosts the objects is bound to. */
interface ObjectsEnv {
  readonly ONEGEN_KV: KvNamespace;
}

/** What an outcome of a route's state asks for. */
interface Orders<Answer = unknown> {
  readonly answer: Answer;
  readonly keepBytes: boolean;
  readonly dropBytes: boolean;
  readonly wake: boolean;
  readonly put?: number | undefined;
  readonly deleteAll: boolean;
  readonly alarmAt: number;
}

/** A stored entry in its two parts. */
interface Entry {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
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

/** The limits of a ledger, likewise. */
const LEDGER_LIMITS = { storageBytes: count("bytes", "4 GiB") };

/** What this isolate complains of. */
const log = new SayOnce();

function complain(message: string): void {
  log.error(message, message);
}

/** Whether the Worker that hosts the objects can write entries at all. */
function hasNamespace({ ONEGEN_KV: kv }: { readonly ONEGEN_KV?: KvNamespace }): boolean {
  if (typeof kv?.put === "function") return true;
  const what = kv === undefined ? "missing" : "of another kind";
  complain(
    `binding ONEGEN_KV of the Worker that hosts the Durable Objects is ${what}: expected a KV namespace: add { "binding": "ONEGEN_KV" } to its kv_namespaces (until then entries are kept by their coordinators alone)`,
  );
  return false;
}

/** A mistake in the options of a class costs those options, not the object: then the defaults hold. */
function withOptions<Options extends object, Made>(
  object: object,
  className: string,
  limits: Parameters<typeof checkedOptions<Options>>[1],
  make: (options: Options) => Made,
): Made {
  const { options } = object.constructor as { options?: unknown };
  try {
    return make(checkedOptions<Options>(options, limits));
  } catch (error) {
    if (!messageOf(error).startsWith("option")) throw error;
    complain(`${messageOf(error)} (in the static options of ${className}; until then its defaults hold)`);
    return make({} as Options);
  }
}

/** A handle to an object of the wasm instance. After a panic it is made anew, over the same storage. */
class Handle<Held> {
  readonly #make: () => Held;
  #object: Held | undefined;

  constructor(make: () => Held) {
    this.#make = make;
  }

  call<Result>(run: (object: Held) => Result): Result {
    try {
      this.#object ??= this.#make();
      return run(this.#object);
    } catch (error) {
      if ((error as { code?: unknown } | undefined)?.code === "object-failed") throw error;
      // The instance may be broken, or this handle may belong to one that was: the second attempt has a fresh one.
      heal();
      this.#object = this.#make();
      return run(this.#object);
    }
  }

  forget(): void {
    this.#object = undefined;
  }
}

/** Coordinates one route: grants leases, accepts publications, and is the only writer of the route's KV key. */
export class RouteCoordinator extends DurableObject<ObjectsEnv> {
  /** Limits: see docs/options.md. Subclass with another `static options` to change them. */
  static options: RouteOptions = {};

  readonly #waiters = new Set<() => void>();
  /** When the alarm rings, if it is set. */
  #alarmAt: number | undefined;
  readonly #handle: Handle<RouteObject> = new Handle(() => {
    this.#sql("CREATE TABLE IF NOT EXISTS body (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
    this.#sql("CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
    const object = withOptions<RouteOptions, RouteObject>(
      this,
      "RouteCoordinator",
      LIMITS,
      (options) => new RouteObject(this.ctx, options),
    );
    void this.#obey(object.restarted(Date.now()) as Orders);
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
    const until = Date.now() + ((message as Partial<Acquire>).wait_ms ?? 0);
    for (let waited = false; ; waited = true) {
      const { answer } = this.#step<Acquired>((object) => object.acquire(message, Date.now()) as Orders<Acquired>);
      if (answer.newer) {
        const { generation } = answer.newer;
        const entry = await this.#entry(name, generation);
        if (entry) return { answer, waited, ...entry };
        this.#step((object) => object.bytes_lost(generation, Date.now()) as Orders);
        continue;
      }
      const left = until - Date.now();
      if (!answer.hold || left <= 0) return { answer };
      await this.#woken(Math.min(left, answer.hold.recheck_ms + 1));
    }
  }

  /** "Here is a render." */
  async publish(name: string, message: Publish, header: Uint8Array, body: Uint8Array): Promise<Published> {
    const orders = this.ctx.storage.transactionSync(() =>
      this.#handle.call((object) => {
        const publication = object.publish(message, header, body.byteLength, Date.now());
        const given = publication.orders as Orders<Published>;
        if (given.keepBytes && publication.header) {
          if (this.#name() === undefined) this.#sql("INSERT INTO name (id, name) VALUES (1, ?)", name);
          this.#keep(publication.header, body);
        }
        return given;
      }),
    );
    void this.#obey(orders);
    return orders.answer;
  }

  /** "I shall not publish." */
  async abandon(_name: string, message: Abandon): Promise<void> {
    this.#step((object) => object.abandon(message, Date.now()) as Orders);
  }

  /** A reader found the KV key past half of its life. */
  async touch(_name: string): Promise<void> {
    this.#step((object) => object.touch(Date.now()) as Orders);
  }

  async alarm(): Promise<void> {
    try {
      this.#alarmAt = undefined;
      await this.#step((object) => object.alarm(Date.now()) as Orders).putting;
    } catch (error) {
      console.error(`onegen: an alarm of ${this.#name() ?? "a route"} failed and rings again: ${messageOf(error)}`);
      await this.ctx.storage.setAlarm(Date.now() + 30_000);
    }
  }

  #step<Answer>(run: (object: RouteObject) => Orders<Answer>): { answer: Answer; putting: Promise<void> | undefined } {
    const orders = this.#handle.call(run);
    const putting = this.#obey(orders);
    return { answer: orders.answer, putting };
  }

  /** Does what an outcome asks for; returns the put it started, if any. */
  #obey(orders: Orders): Promise<void> | undefined {
    if (orders.dropBytes) this.#sql("DELETE FROM body");
    if (orders.deleteAll) {
      this.#handle.forget();
      this.#alarmAt = undefined;
      this.ctx.waitUntil(this.ctx.storage.deleteAll());
      return undefined;
    }
    if (orders.wake) {
      for (const wake of this.#waiters) wake();
    }
    // How a put ends says when the alarm is to ring; one that is set wakes whoever comes after an instance that does not live to see it.
    if (orders.put === undefined || this.#alarmAt === undefined) this.#ringBy(orders.alarmAt);
    if (orders.put === undefined) return undefined;
    const putting = this.#put(orders.put);
    this.ctx.waitUntil(putting);
    return putting;
  }

  /** An alarm that is set counts as a row written; one that rings too early costs a seventh of that, and is set anew. */
  #ringBy(at: number): void {
    if (this.#alarmAt !== undefined && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Math.max(at, Date.now())));
  }

  async #put(generation: number): Promise<void> {
    const name = this.#name();
    const confirmed = name === undefined ? false : await this.#written(name, generation);
    this.#step((object) => object.put_ended(generation, confirmed === true, Date.now()) as Orders);
    // Neither here nor in KV any more: the next reader is granted a lease.
    if (confirmed === undefined) this.#step((object) => object.bytes_lost(generation, Date.now()) as Orders);
  }

  /** Writes a generation to KV; whether that is known to have happened, or undefined when its bytes are nowhere. */
  async #written(name: string, generation: number): Promise<boolean | undefined> {
    try {
      const entry = await this.#entry(name, generation);
      if (entry === undefined) return undefined;
      if (!hasNamespace(this.env)) return false;
      const { header, body } = entry;
      const begun = this.#handle.call((object) => object.header_to_put(header, Date.now()));
      const expirationTtl = this.#handle.call((object) => object.kv_ttl_seconds());
      await withinStrictly(PUT_LIMIT_MS, this.env.ONEGEN_KV.put(name, joined([begun, body]), { expirationTtl }));
      return true;
    } catch (error) {
      console.warn(`onegen: writing ${name} to Workers KV failed and is tried again: ${messageOf(error)}`);
      return false;
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

  #name(): string | undefined {
    return this.#sql<{ name: string }>("SELECT name FROM name WHERE id = 1")[0]?.name;
  }

  #sql<Row>(query: string, ...values: unknown[]): Row[] {
    return this.ctx.storage.sql.exec<Row>(query, ...values).toArray();
  }
}

/** A stored entry in its two parts; undefined when it is none. */
function parted(bytes: Uint8Array): Entry | undefined {
  const length = header_bytes(bytes.subarray(0, prefixBytes()));
  return length < 0 ? undefined : { header: bytes.subarray(0, length), body: bytes.subarray(length) };
}

/** An app's ordered log of tag invalidations. */
export class TagLedger extends DurableObject<ObjectsEnv> {
  /** Limits: see docs/options.md. Subclass with another `static options` to change them. */
  static options: LedgerOptions = {};

  #namespace: string | undefined;
  #window = 0;
  readonly #handle: Handle<LedgerObject> = new Handle(() =>
    withOptions<LedgerOptions, LedgerObject>(this, "TagLedger", LEDGER_LIMITS, (options) => new LedgerObject(this.ctx, options)),
  );

  /** "What have I missed?" */
  async since(name: string, message: SinceQuestion): Promise<SinceAnswer> {
    const since = this.#handle.call((object) => object.since(message, Date.now()) as Since);
    this.#tellWindow(name, since);
    return { ...since, namespace: this.#namespaceId(name) };
  }

  /** "These tags are invalidated." Answered as `since`, own rows included. */
  async append(name: string, message: Append): Promise<Since> {
    const append = () => this.#handle.call((object) => object.append(message, Date.now()) as Since);
    const since = this.ctx.storage.transactionSync(append);
    this.#tellWindow(name, since);
    return since;
  }

  /** "Was any of these tags invalidated after that position?" */
  async check(_name: string, message: Check): Promise<Invalidation> {
    return this.#handle.call((object) => object.check(message, Date.now()) as Invalidation);
  }

  /** Says once, each time that the window is lengthened, what that means. */
  #tellWindow(name: string, { window_ms: window }: Since): void {
    if (window > this.#window) {
      console.warn(
        `onegen: ${name} takes more than 500 requests a second: for now every isolate asks it at most every ${window / 1000} s, and sees the invalidations of others as late`,
      );
    }
    this.#window = window;
  }

  /**
   * A random id, left in the KV namespace that this Worker sees. An app that does not find it in its own is looking at
   * another namespace, and would never see what the coordinators write.
   */
  #namespaceId(name: string): string {
    if (this.#namespace !== undefined) return this.#namespace;
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS namespace (id INTEGER PRIMARY KEY, value TEXT NOT NULL)");
    sql.exec("INSERT OR IGNORE INTO namespace (id, value) VALUES (1, ?)", crypto.randomUUID());
    const { value } = sql.exec<{ value: string }>("SELECT value FROM namespace WHERE id = 1").one();
    this.#namespace = value;
    if (hasNamespace(this.env)) {
      this.ctx.waitUntil(this.env.ONEGEN_KV.put(namespace_id_key(name), value).catch(() => {}));
    }
    return value;
  }
}
