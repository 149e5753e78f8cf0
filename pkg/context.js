// The request context: what the host knows of the request in progress.
import { AsyncLocalStorage } from "node:async_hooks";

/** A ledger position that every invalidation lies after. */
export const BEFORE_EVERYTHING = Object.freeze({ epoch: 0, number: 0 });

const storage = new AsyncLocalStorage();

/** The context of the request in progress, or undefined. */
export const currentContext = () => storage.getStore();

/** Runs `work` in a context. */
export const runInContext = (context, work) => storage.run(context, work);

/** Makes a context that of all that follows from here. */
export const enterContext = (context) => storage.enterWith(context);

export class RequestContext {
  /** Where the ledger copy stood when the request began, once it is known. */
  position;
  /** The lease that the request carries, verified. */
  carried;
  prefetch = false;
  onDemand = false;
  /** What was found under a key instead of a page: that there is none. */
  notFound;
  /** Whether it is an on-demand regeneration of which nobody else has heard yet. */
  announces = false;
  /** Milliseconds spent waiting for renders of others. */
  waited = 0;
  /** Leases that this request has to use up or give back: entry key → lease. */
  leases = new Map();
  /** Of those, the leases for pages of the Pages Router. */
  pagesLeases = new Set();
  /** Keys that this request has just found absent from KV. */
  absent = new Set();
  /** What the response is made of: the entry read for it, or why there was none. */
  served;
  /** Next.js's key of that. */
  servedKey;
  /** Whether a regeneration of what was served has been seen to. */
  refreshed = false;
  /** Whether what it reads becomes part of a page that is stored. */
  nested = false;
  /** The position of the oldest part that it was given in spite of an invalidation. */
  lowered;
  /** Data entries handed out, by the time that identifies them to the host. */
  data = new Map();
  /** What of `use cache` it makes: entry key → since when, and under which lease. */
  generations = new Map();
  /** Entry key → the end of a `set` of this request. */
  pendingSets = new Map();
  /** When the request began. */
  startedAt = Date.now();

  #ctx;
  #pending = new Set();
  #response;
  #respond;

  constructor(request, env, ctx) {
    this.#response = new Promise((resolve) => (this.#respond = resolve));
    this.request = request;
    this.env = env;
    this.#ctx = ctx;
  }

  /** So long for a render of others; a clock that was set back meanwhile tells nothing. */
  hasWaited(ms) {
    this.waited += Math.max(0, ms);
  }

  /** What it stores from now on is no younger than a ledger position. */
  lower(position) {
    this.lowered = this.lowered === undefined ? position : lowerOf(this.lowered, position);
  }

  /** Keeps the isolate at work until `promise` has settled; its failure is nobody's. */
  waitUntil(promise) {
    const settled = Promise.resolve(promise).then(
      () => {},
      () => {},
    );
    this.#pending.add(settled);
    settled.then(() => this.#pending.delete(settled));
    this.#ctx.waitUntil(settled);
  }

  /** As `waitUntil`, for work that itself waits until the request is idle. */
  waitUntilEnd(promise) {
    this.#ctx.waitUntil(promise.catch(() => {}));
  }

  /** The execution context as the app sees it: its background work is noticed. */
  get tracked() {
    const context = this;
    return new Proxy(this.#ctx, {
      get(target, property) {
        if (property === "waitUntil") return (promise) => context.waitUntil(promise);
        const value = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** The response's status and headers, as soon as there are any. */
  get response() {
    return this.#response;
  }

  responded(response) {
    this.#respond(response);
  }

  /** Resolves once no background work of the request is left, or after `ms`. */
  async idle(ms) {
    let waiting = true;
    let timer;
    const limit = new Promise((resolve) => {
      timer = setTimeout(() => {
        waiting = false;
        resolve();
      }, ms);
    });
    while (waiting && this.#pending.size > 0) await Promise.race([Promise.all(this.#pending), limit]);
    clearTimeout(timer);
  }

  /**
   * Keeps what was read for the response. The page that says that there is none is read after the one that is not there; a shell
   * takes the place of its page.
   */
  serve(key, served, isShell = false) {
    this.servedKey ??= key;
    if (key === this.servedKey || isShell) this.served = served;
  }

  /** Why a lease is given back. With `fallback: true` a page of the Pages Router may be answered with its shell instead. */
  reasonOf(lease, failed) {
    if (failed) return "failed";
    return this.pagesLeases.has(lease) ? "unused" : "not_stored";
  }

  /** The context as the engine takes it. A response is part of nothing, whatever else its request renders. */
  forEngine({ kind, key, nested = this.nested } = {}) {
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
export function lowerOf(a, b) {
  if (a.epoch !== b.epoch) return BEFORE_EVERYTHING;
  return a.number < b.number ? a : b;
}
