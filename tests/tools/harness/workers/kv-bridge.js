/**
 * Stands between the readers and writers of a KV namespace and the namespace itself: counts what they do, and makes it slow,
 * failing or lagging when the test says so. The default handler is the test's side: it sets the rules, reads the counts, and
 * reaches the stored values themselves.
 *
 * All state is this isolate's: it lives as long as the world (or the process) does.
 */

import { WorkerEntrypoint } from "cloudflare:workers";

/** @type {{ lagMs: number, lagModel: "global" | "location", get: Fault, put: Fault, delete: Fault, list: Fault }} */
let rules = noFaults();
/** What a key held before a write, still shown to the others until the lag has passed: `binding key` to a list, oldest first. */
const earlier = new Map();
/** What each location has read, "not found" included, and keeps showing: `location binding key` to one copy. */
const cached = new Map();
/** @type {Record<string, Record<string, number>>} operation to location to count */
let counts = {};

/** @typedef {{ mode?: "throw" | "throwAfter" | "hang", delayMs?: number, times?: number, message?: string }} Fault */

export class Kv extends WorkerEntrypoint {
  get #namespace() {
    return this.env[this.ctx.props.binding];
  }

  async get(key, options) {
    return this.#guarded("get", async () => {
      if (rules.lagMs === 0) return this.#namespace.get(key, options);
      if (Array.isArray(key)) {
        const entries = key.map(async (one) => [one, as(await this.#shown(one), options)]);
        return new Map(await Promise.all(entries));
      }
      return as(await this.#shown(key), options);
    });
  }

  async getWithMetadata(key, options) {
    return this.#guarded("get", async () => {
      if (rules.lagMs === 0) return this.#namespace.getWithMetadata(key, options);
      const shown = await this.#shown(key);
      return { value: as(shown, options), metadata: shown.metadata, cacheStatus: null };
    });
  }

  async put(key, value, options) {
    return this.#guarded("put", async () => {
      if (rules.lagMs > 0) await this.#keepEarlier(key);
      await this.#namespace.put(key, value, options);
    });
  }

  async delete(key) {
    return this.#guarded("delete", async () => {
      if (rules.lagMs > 0) await this.#keepEarlier(key);
      await this.#namespace.delete(key);
    });
  }

  async list(options) {
    return this.#guarded("list", () => this.#namespace.list(options));
  }

  async #guarded(operation, perform) {
    const { location } = this.ctx.props;
    counts[operation] ??= {};
    counts[operation][location] = (counts[operation][location] ?? 0) + 1;
    const fault = take(rules[operation]);
    if (fault.delayMs) await scheduler.wait(fault.delayMs);
    if (fault.mode === "throw") throw new Error(fault.message ?? `KV ${operation.toUpperCase()} failed: 500 Internal Server Error`);
    while (fault.mode === "hang" && rules[operation].mode === "hang") await scheduler.wait(50);
    const result = await perform();
    if (fault.mode === "throwAfter") throw new Error(fault.message ?? `KV ${operation.toUpperCase()} failed: 500 Internal Server Error`);
    return result;
  }

  /** What this location sees of a key while the namespace lags. */
  async #shown(key) {
    const { binding, location } = this.ctx.props;
    const place = `${location} ${binding} ${key}`;
    const copy = cached.get(place);
    if (copy && copy.until > Date.now()) return copy.shown;
    const stored = await load(this.#namespace, key);
    const now = Date.now();
    const hidden = (earlier.get(`${binding} ${key}`) ?? []).find((change) => change.until > now && change.writer !== location);
    const shown = hidden ? hidden.shown : stored;
    if (rules.lagModel === "location") cached.set(place, { shown, until: now + rules.lagMs });
    return shown;
  }

  async #keepEarlier(key) {
    const { binding, location } = this.ctx.props;
    const shown = await load(this.#namespace, key);
    const now = Date.now();
    cached.delete(`${location} ${binding} ${key}`);
    if (rules.lagModel !== "global") return;
    const name = `${binding} ${key}`;
    const changes = (earlier.get(name) ?? []).filter((change) => change.until > now);
    earlier.set(name, [...changes, { shown, until: now + rules.lagMs, writer: location }]);
  }
}

/** The stored bytes and metadata; `bytes` is null for what is not there. */
async function load(namespace, key) {
  const { value, metadata } = await namespace.getWithMetadata(key, "arrayBuffer");
  return { bytes: value, metadata };
}

function as(shown, options) {
  const type = (typeof options === "string" ? options : options?.type) ?? "text";
  if (shown.bytes === null) return null;
  if (type === "arrayBuffer") return shown.bytes.slice(0);
  if (type === "stream") return new Response(shown.bytes.slice(0)).body;
  const text = new TextDecoder().decode(shown.bytes);
  return type === "json" ? JSON.parse(text) : text;
}

/** The fault that holds for this call; one with `times` is used up by as many calls. */
function take(fault) {
  if (fault.times === undefined) return fault;
  if (fault.times <= 0) return {};
  fault.times -= 1;
  return fault;
}

function noFaults() {
  return { lagMs: 0, lagModel: "global", get: {}, put: {}, delete: {}, list: {} };
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const namespace = env[url.searchParams.get("binding")];
    const key = url.searchParams.get("key");
    switch (`${request.method} ${url.pathname}`) {
      case "POST /rules":
        rules = { ...noFaults(), ...(await request.json()) };
        if (rules.lagMs === 0) {
          earlier.clear();
          cached.clear();
        }
        return new Response(null, { status: 204 });
      case "GET /counts":
        return Response.json(counts);
      case "DELETE /counts":
        counts = {};
        return new Response(null, { status: 204 });
      case "GET /value": {
        const { bytes, metadata } = await load(namespace, key);
        if (bytes === null) return new Response(null, { status: 404 });
        return new Response(bytes, { headers: { "x-metadata": encodeURIComponent(JSON.stringify(metadata)) } });
      }
      case "PUT /value": {
        const options = JSON.parse(decodeURIComponent(request.headers.get("x-options") ?? "%7B%7D"));
        await namespace.put(key, await request.arrayBuffer(), options);
        return new Response(null, { status: 204 });
      }
      case "DELETE /value":
        await namespace.delete(key);
        return new Response(null, { status: 204 });
      case "GET /boot":
        return Response.json(env.HARNESS_BOOT);
      case "GET /keys":
        return Response.json(await namespace.list({ prefix: url.searchParams.get("prefix") ?? "", cursor: url.searchParams.get("cursor") ?? undefined }));
      default:
        return new Response("unknown", { status: 404 });
    }
  },
};
