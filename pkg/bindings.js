// The engine's effects over Workers bindings: KV, Durable Objects, static assets.

/** A message to an object that is being started anew is sent again after so long, then ever more rarely. */
const PAUSES_MS = { first: 50, longest: 500 };

export class Bindings {
  #kv;
  #routes;
  #tags;
  #assets;
  #seeds;
  #ledgerName;
  #namespaceKey;
  #namespace;
  #failed = new Set();

  constructor({ kv, routes, tags, assets, seeds, ledgerName, namespaceKey }) {
    this.#kv = kv;
    this.#routes = routes;
    this.#tags = tags;
    this.#assets = assets;
    this.#seeds = seeds;
    this.#ledgerName = ledgerName;
    this.#namespaceKey = namespaceKey;
  }

  read(key) {
    return this.#kv.get(key, { type: "arrayBuffer" });
  }

  /** What the build left under a key of Next.js, or undefined. */
  async seed(key) {
    if (!this.#assets) return undefined;
    const response = await this.#assets.fetch(`https://assets.local/${this.#seeds}/${await digest(key)}.bin`);
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  acquire(object, message, limitMs) {
    return this.#ask(this.#routes, object, limitMs, (stub, spentMs) =>
      stub.acquire(object, { ...message, wait_ms: Math.max(0, message.wait_ms - spentMs) }),
    );
  }

  publish(object, message, header, body, limitMs) {
    return this.#ask(this.#routes, object, limitMs, (stub) => stub.publish(object, message, header, body));
  }

  abandon(object, message, limitMs) {
    return this.#ask(this.#routes, object, limitMs, (stub) => stub.abandon(object, message));
  }

  /** Not worth a second attempt: the next reader sends another. */
  touch(object) {
    return this.#ask(this.#routes, object, 0, (stub) => stub.touch(object));
  }

  async since(message, limitMs) {
    const since = await this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.since(this.#ledgerName, message));
    this.#namespace = since.namespace;
    return since;
  }

  /** Whether the coordinators write where this Worker reads; undefined while nobody can tell. */
  async sharesNamespace() {
    if (this.#namespace === undefined) return undefined;
    const found = await this.#kv.get(this.#namespaceKey);
    return found === null ? undefined : found === this.#namespace;
  }

  append(message, limitMs) {
    return this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.append(this.#ledgerName, message));
  }

  check(message, limitMs) {
    return this.#ask(this.#tags, this.#ledgerName, limitMs, (stub) => stub.check(this.#ledgerName, message));
  }

  failed(what, error) {
    if (this.#failed.has(what)) return;
    this.#failed.add(what);
    console.warn(`onegen: ${what} failed, the request goes on without it: ${error?.message}`);
  }

  /**
   * A stub that failed is broken for good; its object may be well, or about to run again somewhere else. Where the runtime says
   * that this is safe, the message is sent again on a new stub, until `limitMs` have passed: every object takes the same message
   * twice for once. An overloaded object is left alone (developers.cloudflare.com/durable-objects/best-practices/error-handling).
   */
  async #ask(namespace, name, limitMs, send) {
    const begun = Date.now();
    for (let pause = PAUSES_MS.first; ; pause = Math.min(2 * pause, PAUSES_MS.longest)) {
      try {
        return await send(namespace.get(namespace.idFromName(name)), Date.now() - begun);
      } catch (error) {
        if (!isLost(error) || Date.now() - begun + pause >= limitMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}

/** Between two processes of a local runtime an error keeps its message, not its properties. */
function isLost(error) {
  return !error?.overloaded && (error?.retryable === true || /^Network connection lost/.test(error?.message));
}

/** SHA-256 of a text, in hexadecimal. */
export async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
