// What is used of Cloudflare's bindings.
import type { Abandon, Acquire, Append, Check, Invalidation, Publish, Published, Since, SinceQuestion } from "../engine/protocol.js";
import type { AcquireAnswer, SinceAnswer } from "../host/stores.js";

/** A Workers KV namespace. */
export interface KvNamespace {
  get(key: string): Promise<string | null>;
  get(key: string, options: { type: "arrayBuffer" }): Promise<ArrayBuffer | null>;
  get(key: string, options: { type: "stream" }): Promise<ReadableStream<Uint8Array> | null>;
  put(key: string, value: string | ArrayBuffer | ArrayBufferView, options?: { expirationTtl?: number }): Promise<void>;
}

/** A namespace of Durable Objects with these methods. */
export interface ObjectNamespace<Methods = unknown> {
  // What an id is, and a stub beside its methods, is the runtime's: `never` takes the id of any.
  idFromName(name: string): unknown;
  get(id: never): Methods;
}

/** Static assets, or another Worker. */
export interface Fetcher {
  fetch(request: Request | string): Promise<Response>;
}

/** The methods of a `RouteCoordinator`. */
export interface RouteMethods {
  acquire(name: string, message: Acquire): Promise<AcquireAnswer>;
  publish(name: string, message: Publish, header: Uint8Array, body: Uint8Array): Promise<Published>;
  abandon(name: string, message: Abandon): Promise<void>;
  touch(name: string): Promise<void>;
}

/** The methods of a `TagLedger`. */
export interface LedgerMethods {
  since(name: string, message: SinceQuestion): Promise<SinceAnswer>;
  append(name: string, message: Append): Promise<Since>;
  check(name: string, message: Check): Promise<Invalidation>;
}
