/**
 * Isolates of a fleet inside the test's own process: each has an engine and a wasm memory of its own, and reaches a world of the
 * Onegen Worker over its HTTPS API, as a process of `next start` does.
 *
 * @typedef {object} Isolate
 * @property {import("../../../pkg/dist/host/host.js").Host} host
 * @property {import("../../../pkg/dist/engine/engine.js").Engine} engine
 * @property {() => number} wasmBytes What its wasm memory takes.
 * @property {() => RequestContext} request The context of a new request.
 */

import { registerHooks } from "node:module";
import { RequestContext } from "../../../pkg/dist/host/context.js";
import { Host } from "../../../pkg/dist/host/host.js";
import { Https } from "../../../pkg/dist/stores/https.js";

let copies = 0;

// What is imported by a copy of a module is a copy too.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [copy] = /\?copy=\d+$/.exec(context.parentURL ?? "") ?? [];
    return copy && resolved.url.startsWith("file:") ? { ...resolved, url: resolved.url + copy } : resolved;
  },
});

/**
 * @param {object} parts
 * @param {string} parts.url where the Onegen Worker is
 * @param {string} parts.token
 * @param {string} parts.app whose token it is
 * @param {object} [parts.options] of the engine
 * @param {(stores: Https) => object} [parts.instead] stores' methods that take the place of their own
 * @returns {Promise<Isolate>}
 */
export async function startIsolate({ url, token, app, options = {}, instead = () => ({}) }) {
  copies += 1;
  const { Engine, core } = await import(`../../../pkg/dist/engine/node.js?copy=${copies}`);
  const engine = new Engine({ app, ...options }, "b1", "secret");
  const headerBytes = (prefix) => engine.call("header_bytes", prefix);
  const https = new Https({ url, token, headerBytes, readSeed: async () => undefined });
  const others = instead(https);
  const stores = new Proxy(https, {
    get: (target, name) => others[name] ?? (typeof target[name] === "function" ? target[name].bind(target) : target[name]),
  });
  return {
    host: new Host({ engine, stores }),
    engine,
    wasmBytes: () => core.stats().wasmBytes,
    request: () => new RequestContext(undefined, undefined, { waitUntil() {} }),
  };
}
