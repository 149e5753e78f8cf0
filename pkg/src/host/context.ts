// The request context: what the host knows of the request in progress.
import { AsyncLocalStorage } from "node:async_hooks";
import { TimeLimit } from "../base/deadline.js";
import type { AbandonReason, CallContext, CarriedLease, Kind, Lease, Position } from "../engine/protocol.js";
import type { EntryRead, Served } from "./reading.js";

/** A ledger position that every invalidation lies after. */
export const BEFORE_EVERYTHING: Position = Object.freeze({ epoch: 0, number: 0 });

/** What a runtime gives a request to go on with work after its response. */
export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void;
}

/** What the host has to know of a request itself. */
export interface AskedFor {
  readonly url?: string | undefined;
}

/** A response's head. */
export interface ResponseHead {
  readonly headers: { get(name: string): string | null };
}

/** A data entry that was handed out, as OpenNext's calls about it go on. */
export interface DataReading {
  readonly key: string;
  readonly position: Position;
  stale: boolean;
  readonly handed: { value: unknown; readonly lastModified: number };
}

/** What of `use cache` is being made: since when, and under which lease. */
export interface Generation {
  readonly lease: Lease | undefined;
  readonly since: number;
  readonly atOnce: boolean;
  readonly position: Position | undefined;
  readonly lowered: Position | undefined;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the request in progress, or undefined. */
export const currentContext = (): RequestContext | undefined => storage.getStore();

/** Runs `work` in a context. */
export const runInContext = <Result>(context: RequestContext, work: () => Result): Result => storage.run(context, work);

/** Makes a context that of all that follows from here. */
export const enterContext = (context: RequestContext): void => storage.enterWith(context);

export class RequestContext {
  /** Where the ledger copy stood when the request began, once it is known. */
  position: Position | undefined;
  /** The lease that the request carries, verified. */
  carried: CarriedLease | undefined;
  prefetch = false;
  onDemand = false;
  /** What was found under a key instead of a page: that there is none. */
  notFound: { readonly key: string; readonly entry: EntryRead } | undefined;
  /** Whether it is an on-demand regeneration of which nobody else has heard yet. */
  announces = false;
  /** Milliseconds spent waiting for renders of others. */
  waited = 0;
  /** Leases that this request has to use up or give back: entry key → lease. */
  leases = new Map<string, Lease>();
  /** Of those, the leases for pages of the Pages Router. */
  pagesLeases = new Set<Lease>();
  /** Keys that this request has just found absent from KV. */
  absent = new Set<string>();
  /** What the response is made of: the entry read for it, or why there was none. */
  served: Served | undefined;
  /** Next.js's key of that. */
  servedKey: string | undefined;
  /** Whether a regeneration of what was served has been seen to. */
  refreshed = false;
  /** Whether what it reads becomes part of a page that is stored. */
  nested = false;
  /** The position of the oldest part that it was given in spite of an invalidation. */
  lowered: Position | undefined;
  /** Data entries handed out, by the time that identifies them to the host. */
  data = new Map<number, DataReading>();
  /** What of `use cache` it makes: entry key → since when, and under which lease. */
  generations = new Map<string, Generation>();
  /** Entry key → the end of a `set` of this request. */
  pendingSets = new Map<string, Promise<void>>();
  /** When the request began. */
  startedAt = Date.now();
  /** Has the app answer a request in this isolate. */
  here: ((request: Request) => Promise<Response>) | undefined;
  /** Has the app answer a request in whatever isolate answers. */
  self: ((request: Request) => Promise<Response>) | undefined;

  readonly request: AskedFor | undefined;
  readonly #ctx: ExecutionContext;
  readonly #pending = new Set<Promise<void>>();
  readonly #response: Promise<ResponseHead>;
  #respond!: (response: ResponseHead) => void;

  constructor(request: AskedFor | undefined, _env: unknown, ctx: ExecutionContext) {
    this.#response = new Promise((resolve) => (this.#respond = resolve));
    this.request = request;
    this.#ctx = ctx;
  }

  /** So long for a render of others; a clock that was set back meanwhile tells nothing. */
  hasWaited(ms: number): void {
    this.waited += Math.max(0, ms);
  }

  /** What it stores from now on is no younger than a ledger position. */
  lower(position: Position): void {
    this.lowered = this.lowered === undefined ? position : lowerOf(this.lowered, position);
  }

  /** Keeps the isolate at work until `promise` has settled; its failure is nobody's. */
  waitUntil(promise: Promise<unknown>): void {
    const settled = Promise.resolve(promise).then(
      () => {},
      () => {},
    );
    this.#pending.add(settled);
    void settled.then(() => this.#pending.delete(settled));
    this.#ctx.waitUntil(settled);
  }

  /** As `waitUntil`, for work that itself waits until the request is idle. */
  waitUntilEnd(promise: Promise<unknown>): void {
    this.#ctx.waitUntil(promise.catch(() => {}));
  }

  /** The execution context as the app sees it: its background work is noticed. */
  get tracked(): ExecutionContext {
    return new Proxy(this.#ctx, {
      get: (target, property) => {
        if (property === "waitUntil") return (promise: Promise<unknown>) => this.waitUntil(promise);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** The response's status and headers, as soon as there are any. */
  get response(): Promise<ResponseHead> {
    return this.#response;
  }

  responded(response: ResponseHead): void {
    this.#respond(response);
  }

  /** Resolves once no background work of the request is left, or after `ms`. */
  async idle(ms: number): Promise<void> {
    const limit = new TimeLimit(ms, false);
    try {
      while (this.#pending.size > 0) await limit.of(Promise.all(this.#pending));
    } catch {
      // What is left goes on by itself.
    } finally {
      limit.lift();
    }
  }

  /**
   * Keeps what was read for the response. The page that says that there is none is read after the one that is not there; a shell
   * takes the place of its page.
   */
  serve(key: string, served: Served, isShell = false): void {
    this.servedKey ??= key;
    if (key === this.servedKey || isShell) this.served = served;
  }

  /** Why a lease is given back. With `fallback: true` a page of the Pages Router may be answered with its shell instead. */
  reasonOf(lease: Lease, failed: boolean): AbandonReason {
    if (failed) return "failed";
    return this.pagesLeases.has(lease) ? "unused" : "not_stored";
  }

  /** The context as the engine takes it. A response is part of nothing, whatever else its request renders. */
  forEngine({ kind, key, nested = this.nested }: { kind?: Kind; key?: string; nested?: boolean | undefined } = {}): CallContext {
    return {
      position: this.position,
      carried: this.carried,
      prefetch: this.prefetch,
      on_demand: this.onDemand,
      waited_ms: this.waited,
      absent: key !== undefined && this.absent.has(key),
      nested: kind !== "response" && nested,
      lowered: this.lowered,
    };
  }
}

/** The lower of two ledger positions; those of different epochs have no order. */
export function lowerOf(a: Position, b: Position): Position {
  if (a.epoch !== b.epoch) return BEFORE_EVERYTHING;
  return a.number < b.number ? a : b;
}
