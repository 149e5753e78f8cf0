// What both Durable Object classes share: the wasm instance, their options, and handles that outlive a panic.
import module from "../../wasm/objects/objects_bg.wasm";
import { heal, initSync } from "../../wasm/objects/objects.js";
import { messageOf } from "../base/errors.js";
import { checkedOptions } from "../base/options.js";
import { SayOnce } from "../base/say-once.js";
import type { KvNamespace } from "../stores/cloudflare.js";

initSync({ module });

/** What the Worker that hosts the objects is bound to. */
export interface ObjectsEnv {
  readonly ONEGEN_KV: KvNamespace;
}

/** What this isolate complains of. */
const log = new SayOnce();

function complain(message: string): void {
  log.error(message, message);
}

/** Whether the Worker that hosts the objects can write entries at all. */
export function hasNamespace({ ONEGEN_KV: kv }: { readonly ONEGEN_KV?: KvNamespace }): boolean {
  if (typeof kv?.put === "function") return true;
  const what = kv === undefined ? "missing" : "of another kind";
  complain(
    `binding ONEGEN_KV of the Worker that hosts the Durable Objects is ${what}: expected a KV namespace: add { "binding": "ONEGEN_KV" } to its kv_namespaces (until then entries are kept by their coordinators alone)`,
  );
  return false;
}

/** A mistake in the options of a class costs those options, not the object: then the defaults hold. */
export function withOptions<Options extends object, Made>(
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
export class Handle<Held> {
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
