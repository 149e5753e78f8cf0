/**
 * Isolates inside the test's own process: an engine and the host over it, as an app has them.
 *
 * @typedef {object} Isolate
 * @property {import("../../../pkg/dist/host/host.js").Host} host
 * @property {import("../../../pkg/dist/engine/engine.js").Engine} engine
 * @property {() => RequestContext} request The context of a new request.
 */

import { registerHooks } from "node:module";
import { Engine as EngineOfNode } from "../../../pkg/dist/engine/node.js";
import { RequestContext } from "../../../pkg/dist/host/context.js";
import { Host } from "../../../pkg/dist/host/host.js";
import { Https } from "../../../pkg/dist/stores/https.js";
import { FakeStores } from "./stores.mjs";

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
 * An isolate over stores of the test. The engine is one per process: a new one takes the place of the one before, unless its class is
 * from a copy of the module.
 *
 * @param {object} [parts]
 * @param {object} [parts.stores]
 * @param {object} [parts.options] of the engine
 * @param {string} [parts.build] the build id
 * @param {typeof EngineOfNode} [parts.Engine]
 * @returns {Isolate}
 */
export function isolateOver({ stores = new FakeStores(), options = {}, build = "build", Engine = EngineOfNode } = {}) {
  const engine = new Engine(options, build, "secret");
  return { host: new Host({ engine, stores }), engine, request: newRequest };
}

/** The context of a request, as isolates begin one. @param {{ url: string }} [request] */
export function newRequest(request) {
  return new RequestContext(request, undefined, { waitUntil() {} });
}

/**
 * An isolate with an engine and a wasm memory of its own, which reaches a world of the Onegen Worker over its HTTPS API, as a process
 * of `next start` does.
 *
 * @param {object} parts
 * @param {string} parts.url where the Onegen Worker is
 * @param {string} parts.token
 * @param {string} parts.app whose token it is
 * @param {object} [parts.options] of the engine
 * @param {(stores: Https) => object} [parts.instead] stores' methods that take the place of their own
 * @returns {Promise<Isolate & { wasmBytes: () => number }>} and what its wasm memory takes
 */
export async function startIsolate({ url, token, app, options = {}, instead = () => ({}) }) {
  copies += 1;
  const { Engine, core } = await import(`../../../pkg/dist/engine/node.js?copy=${copies}`);
  const headerBytes = (prefix) => isolate.engine.call("header_bytes", prefix);
  const https = new Https({ url, token, headerBytes, readSeed: async () => undefined });
  const others = instead(https);
  const stores = new Proxy(https, {
    get: (target, name) => others[name] ?? (typeof target[name] === "function" ? target[name].bind(target) : target[name]),
  });
  const isolate = isolateOver({ stores, options: { app, ...options }, build: "b1", Engine });
  return { ...isolate, wasmBytes: () => core.stats().wasmBytes };
}
