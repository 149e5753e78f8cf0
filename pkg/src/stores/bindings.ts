// The engine's effects over Workers bindings: KV, Durable Objects, static assets.
import { pause } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import { SayOnce } from "../base/say-once.js";
import type { Abandon, Acquire, Append, Check, Invalidation, Publish, Published, Since, SinceQuestion } from "../engine/protocol.js";
import type { AcquireAnswer, SinceAnswer, Stores } from "../host/stores.js";
import type { Fetcher, KvNamespace, LedgerMethods, ObjectNamespace, RouteMethods } from "./cloudflare.js";
import { digest } from "./digest.js";
import { isLost } from "./lost.js";

/** A message to an object that is being started anew is sent again after so long, then ever more rarely. */
const PAUSES_MS = { first: 50, longest: 500 };

/** What a Worker is bound to, and the names it uses there. */
export interface BindingParts {
  readonly kv: KvNamespace;
  readonly routes: ObjectNamespace<RouteMethods>;
  readonly tags: ObjectNamespace<LedgerMethods>;
  readonly assets: Fetcher | undefined;
  /** The folder of the build's seeds among the assets. */
  readonly seeds: string;
  readonly ledgerName: string;
  readonly namespaceKey: string;
}

export class Bindings implements Stores {
  readonly #kv: KvNamespace;
  readonly #routes: ObjectNamespace<RouteMethods>;
  readonly #tags: ObjectNamespace<LedgerMethods>;
  readonly #assets: Fetcher | undefined;
  readonly #seeds: string;
  readonly #ledgerName: string;
  readonly #namespaceKey: string;
  #namespace: string | undefined;
  readonly #log = new SayOnce();

  constructor({ kv, routes, tags, assets, seeds, ledgerName, namespaceKey }: BindingParts) {
    this.#kv = kv;
    this.#routes = routes;
    this.#tags = tags;
    this.#assets = assets;
    this.#seeds = seeds;
    this.#ledgerName = ledgerName;
    this.#namespaceKey = namespaceKey;
  }

  read(key: string): Promise<ArrayBuffer | null> {
    return this.#kv.get(key, { type: "arrayBuffer" });
  }

  /** What the build left under a key of Next.js, or undefined. */
  async seed(key: string): Promise<Uint8Array | undefined> {
    if (!this.#assets) return undefined;
    const response = await this.#assets.fetch(`https://assets.local/${this.#seeds}/${await digest(key)}.bin`);
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  acquire(object: string, message: Acquire, limitMs: number): Promise<AcquireAnswer> {
    return this.#ask(this.#routes, object, limitMs, (stub, spentMs) =>
      stub.acquire(object, { ...message, wait_ms: Math.max(0, message.wait_ms - spentMs) }),
    );
  }

  publish(object: string, message: Publish, header: Uint8Array, body: Uint8Array, limitMs: number): Promise<Published> {
    return this.#ask(this.#routes, object, limitMs, (stub) => stub.publish(object, message, header, body));
  }

  abandon(object: string, message: Abandon, limitMs: number): Promise<void> {
    return this.#ask(this.#routes, object, limitMs, (stub) => stub.abandon(object, message));
  }

  /** Not worth a second attempt: the next reader sends another. */
  touch(object: string): Promise<void> {
    return this.#ask(this.#routes, object, 0, (stub) => stub.touch(object));
  }

  async since(message: SinceQuestion, limitMs: number): Promise<SinceAnswer> {
    const since = await this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.since(this.#ledgerName, message));
    this.#namespace = since.namespace;
    return since;
  }

  /** Whether the coordinators write where this Worker reads; undefined while nobody can tell. */
  async sharesNamespace(): Promise<boolean | undefined> {
    if (this.#namespace === undefined) return undefined;
    const found = await this.#kv.get(this.#namespaceKey);
    return found === null ? undefined : found === this.#namespace;
  }

  append(message: Append, limitMs: number): Promise<Since> {
    return this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.append(this.#ledgerName, message));
  }

  check(message: Check, limitMs: number): Promise<Invalidation> {
    return this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.check(this.#ledgerName, message));
  }

  failed(what: string, error: unknown): void {
    this.#log.warn(what, `${what} failed, the request goes on without it: ${messageOf(error)}`);
  }

  /**
   * A stub that failed is broken for good; its object may be well, or about to run again somewhere else. Where the runtime says
   * that this is safe, the message is sent again on a new stub, until `limitMs` have passed: every object takes the same message
   * twice for once. An overloaded object is left alone (developers.cloudflare.com/durable-objects/best-practices/error-handling).
   */
  async #ask<Methods, Answer>(
    namespace: ObjectNamespace<Methods>,
    name: string,
    limitMs: number,
    send: (stub: Methods, spentMs: number) => Promise<Answer>,
  ): Promise<Answer> {
    const begun = Date.now();
    for (let wait = PAUSES_MS.first; ; wait = Math.min(2 * wait, PAUSES_MS.longest)) {
      try {
        return await send(namespace.get(namespace.idFromName(name) as never), Date.now() - begun);
      } catch (error) {
        if (!isLost(error) || Date.now() - begun + wait >= limitMs) throw error;
        await pause(wait);
      }
    }
  }
}
