// The Durable Object class of an app's ledger. State and decisions are in wasm.
import { DurableObject } from "cloudflare:workers";
import { LedgerObject, namespace_id_key } from "../../wasm/objects/objects.js";
import { count } from "../base/options.js";
import type { Append, Check, Invalidation, Since, SinceQuestion } from "../engine/protocol.js";
import type { SinceAnswer } from "../host/stores.js";
import { Handle, type ObjectsEnv, hasNamespace, withOptions } from "./object-support.js";

/** Limits of an app's ledger. Every one has a default. */
export interface LedgerOptions {
  /** Above so many bytes of storage it forgets what was invalidated longest ago. Default 4294967296 (4 GiB). */
  storageBytes?: number;
}

/** The limits of a ledger, as its class's `options` name them. */
const LEDGER_LIMITS = { storageBytes: count("bytes", "4 GiB") };

/** An app's ordered log of tag invalidations. */
export class TagLedger extends DurableObject<ObjectsEnv> {
  /** Limits: see docs/options.md. Subclass with another `static options` to change them. */
  static options: LedgerOptions = {};

  #namespace: string | undefined;
  readonly #handle: Handle<LedgerObject> = new Handle(() =>
    withOptions<LedgerOptions, LedgerObject>(this, "TagLedger", LEDGER_LIMITS, (options) => new LedgerObject(this.ctx, options)),
  );

  /** "What have I missed?" */
  async since(name: string, message: SinceQuestion): Promise<SinceAnswer> {
    const since = this.#handle.call((object) => object.since(message, Date.now()) as Since);
    this.#tellWindow(name);
    return { ...since, namespace: this.#namespaceId(name) };
  }

  /** "These tags are invalidated." Answered as `since`, own rows included. */
  async append(name: string, message: Append): Promise<Since> {
    const append = () => this.#handle.call((object) => object.append(message, Date.now()) as Since);
    const since = this.ctx.storage.transactionSync(append);
    this.#tellWindow(name);
    return since;
  }

  /** "Was any of these tags invalidated after that position?" */
  async check(_name: string, message: Check): Promise<Invalidation> {
    return this.#handle.call((object) => object.check(message, Date.now()) as Invalidation);
  }

  /** Says once, each time that the window is lengthened, what that means. */
  #tellWindow(name: string): void {
    const window = this.#handle.call((object) => object.lengthened_window());
    if (window === undefined) return;
    console.warn(
      `onegen: ${name} takes more than 500 requests a second: for now every isolate asks it at most every ${window / 1000} s, and sees the invalidations of others as late`,
    );
  }

  /**
   * A random id, left in the KV namespace that this Worker sees. An app that does not find it in its own is looking at
   * another namespace, and would never see what the coordinators write.
   */
  #namespaceId(name: string): string {
    if (this.#namespace !== undefined) return this.#namespace;
    const value = this.#handle.call((object) => object.namespace(crypto.randomUUID()));
    this.#namespace = value;
    if (hasNamespace(this.env)) {
      this.ctx.waitUntil(this.env.ONEGEN_KV.put(namespace_id_key(name), value).catch(() => {}));
    }
    return value;
  }
}
