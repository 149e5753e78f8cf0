/**
 * The Worker services of a world as miniflare options. They are plain data, so that the same description starts a service in
 * this process or in a child's.
 *
 * @typedef {import("./bundle.mjs").Bundle} Bundle
 *
 * @typedef {object} Layout What all services of one world have in common.
 * @property {Bundle} bundle The app.
 * @property {Bundle} [objects] What runs as the service "objects". Classes that it declares live there, the others in app 0.
 * @property {"native" | "bridge"} kv Whether services get the KV namespaces themselves, or the bridge in front of them.
 * @property {true | Record<string, string[] | true> | undefined} wrapObjects Which classes (and which methods) count and fail on demand.
 * @property {boolean} ownCaches Whether each isolate has a Cache API of its own.
 * @property {(from: number | "objects") => number} selfReference Which app service answers the self reference of a service.
 * @property {string} [probe] Where the probe listens: host and port.
 */

import { readFileSync } from "node:fs";
import path from "node:path";
import { supportedCompatibilityDate } from "miniflare";

export const KV_SERVICE = "kv";
export const STORES_SERVICE = "stores";
export const OBJECTS_SERVICE = "objects";
export const WITNESS_SERVICE = "witness";
export const CONTROL_ENTRYPOINT = "HarnessControl";

/** @param {number} index */
export const appService = (index) => `app-${index}`;

/**
 * One isolate of the app.
 *
 * @param {Layout} layout
 * @param {number} index
 */
export function app(layout, index) {
  const name = appService(index);
  return {
    ...userService(layout, { bundle: layout.bundle, name, location: String(index), from: index }),
    ...(layout.bundle.assets && { assets: assets(layout.bundle.assets) }),
  };
}

/**
 * The Worker that holds the Durable Objects.
 *
 * @param {Layout} layout
 * @param {string} boot tells one start of it from another
 */
export function objects(layout, boot) {
  return userService(layout, { bundle: layout.objects, name: OBJECTS_SERVICE, location: OBJECTS_SERVICE, from: OBJECTS_SERVICE, boot });
}

/**
 * The KV namespaces' own Worker: the bridge, and the test's way to the stored values.
 *
 * @param {Layout} layout
 * @param {string} boot
 */
export function kv(layout, boot) {
  return {
    ...harnessWorker(KV_SERVICE, "kv-bridge.js"),
    bindings: { HARNESS_BOOT: boot },
    kvNamespaces: named(namespacesOf(layout)),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}

/** Whether the app has stores that are counted. @param {Bundle} bundle */
export const hasStores = ({ r2, d1 }) => r2.length + d1.length > 0;

/** What counts operations of R2 and D1. @param {Layout} layout */
export function stores({ bundle }) {
  return {
    ...harnessWorker(STORES_SERVICE, "stores.js"),
    d1Databases: named(bundle.d1),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}

/** A Worker that tells which start of "kv" and "objects" its process reaches. */
export function witness(name) {
  return {
    ...harnessWorker(name, "witness.js"),
    serviceBindings: { [KV_SERVICE]: { name: KV_SERVICE }, [OBJECTS_SERVICE]: { name: OBJECTS_SERVICE, entrypoint: CONTROL_ENTRYPOINT } },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}

/** The service whose isolate holds the Durable Objects of this layout, and their test control. */
export function objectsHome(layout) {
  return layout.objects ? OBJECTS_SERVICE : appService(0);
}

function userService(layout, { bundle, name, location, from, boot }) {
  const isHome = name === objectsHome(layout);
  const wrapped = isHome && (layout.wrapObjects !== undefined || boot !== undefined);
  const counted = hasStores(bundle);
  const handlers = [...(counted ? [handlerIn("counted-stores.js", "withCountedStores")] : []), ...(layout.ownCaches ? [handlerIn("own-caches.js", "withOwnCaches")] : [])];
  return {
    name,
    modulesRoot: bundle.root,
    modules: modules(bundle, [...(wrapped ? [faultyObjects(wrappedClasses(layout, bundle))] : []), ...handlers]),
    compatibilityDate: bundle.compatibilityDate,
    compatibilityFlags: bundle.compatibilityFlags,
    bindings: {
      ...bundle.bindings,
      ...(wrapped && { HARNESS_BOOT: boot ?? name }),
      ...(counted && { HARNESS_COUNTED: { r2: bundle.r2, d1: bundle.d1 } }),
      ...(layout.ownCaches && { HARNESS_LOCATION: location }),
    },
    durableObjects: durableObjects(layout, bundle, name),
    ...(layout.kv === "native" && { kvNamespaces: named(bundle.kv) }),
    ...(counted && { r2Buckets: named(bundle.r2), d1Databases: named(bundle.d1) }),
    serviceBindings: {
      [bundle.selfReference]: { name: appService(layout.selfReference(from)) },
      ...(layout.probe && { PROBE: probe(layout.probe, location) }),
      ...(layout.kv === "bridge" && bridges(bundle, location)),
      ...(counted && { HARNESS_STORES: { name: STORES_SERVICE, entrypoint: "Stores" } }),
    },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }, ...(wrapped ? [{ host: "127.0.0.1", port: 0, entrypoint: CONTROL_ENTRYPOINT }] : [])],
  };
}

function durableObjects(layout, bundle, name) {
  const elsewhere = new Set(classNames(layout.objects));
  return Object.fromEntries(
    Object.entries(bundle.durableObjects).map(([binding, declared]) => {
      const { className, useSQLite = true } = typeof declared === "string" ? { className: declared } : declared;
      const home = elsewhere.has(className) ? OBJECTS_SERVICE : appService(0);
      return [binding, { className, useSQLite, ...(home !== name && { scriptName: home }) }];
    }),
  );
}

function classNames(bundle) {
  return Object.values(bundle?.durableObjects ?? {}).map((declared) => (typeof declared === "string" ? declared : declared.className));
}

function wrappedClasses(layout, bundle) {
  const wrap = layout.wrapObjects;
  if (wrap === undefined) return {};
  return wrap === true ? Object.fromEntries(classNames(bundle).map((className) => [className, true])) : wrap;
}

/** The probe as an outside address: the same for a service in this process and for one in a child's. */
function probe(address, location) {
  return { external: { address, http: { injectRequestHeaders: [{ name: "x-isolate", value: location }] } } };
}

function bridges(bundle, location) {
  return Object.fromEntries(bundle.kv.map((binding) => [binding, { name: KV_SERVICE, entrypoint: "Kv", props: { binding, location } }]));
}

function namespacesOf(layout) {
  return [...new Set([...layout.bundle.kv, ...(layout.objects?.kv ?? [])])];
}

function assets({ directory, binding = "ASSETS", runWorkerFirst = false, htmlHandling = "auto-trailing-slash", notFoundHandling = "none" }) {
  return {
    directory,
    binding,
    routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: runWorkerFirst },
    assetConfig: { html_handling: htmlHandling, not_found_handling: notFoundHandling },
  };
}

/** What a binding names is named like the binding. */
function named(bindings) {
  return Object.fromEntries(bindings.map((binding) => [binding, binding]));
}

/**
 * The bundle; with changes, behind an entry that exports everything it exports, changed.
 *
 * @typedef {{ file: string, lines: string[], handler?: string }} Change `lines` of the entry, which may import the harness's
 *   `file`; `handler` is a function of it that makes the default handler another.
 * @param {Bundle} bundle @param {Change[]} changes
 */
function modules(bundle, changes) {
  const own = bundle.modules.map(({ type, name, contents }) => ({ type, path: path.join(bundle.root, name), ...(contents !== undefined && { contents }) }));
  if (changes.length === 0) return own;
  const entry = JSON.stringify(`./${bundle.modules[0].name}`);
  const handler = changes.reduce((inner, change) => (change.handler ? `${change.handler}(${inner})` : inner), "original.default");
  const source = [`import * as original from ${entry};`, `export * from ${entry};`, ...changes.flatMap(({ lines }) => lines), `export default ${handler};`].join("\n");
  const module = (name, contents) => ({ type: "ESModule", path: path.join(bundle.root, name), contents });
  return [module("harness-entry.js", source), ...changes.map(({ file }) => module(`harness-${file}`, workerSource(file))), ...own];
}

/** The Durable Object classes under the test's control. */
function faultyObjects(classes) {
  const file = "object-faults.js";
  const subclasses = Object.entries(classes).map(
    ([className, methods]) =>
      `export class ${className} extends withFaults(original.${className}, "${className}", ${methods === true ? "undefined" : JSON.stringify(methods)}) {}`,
  );
  const lines = [`import { withFaults } from "./harness-${file}";`, `export { ${CONTROL_ENTRYPOINT} } from "./harness-${file}";`, ...subclasses];
  return { file, lines };
}

function handlerIn(file, handler) {
  return { file, lines: [`import { ${handler} } from "./harness-${file}";`], handler };
}

function harnessWorker(name, file) {
  return {
    name,
    modulesRoot: "/harness",
    modules: [{ type: "ESModule", path: `/harness/${file}`, contents: workerSource(file) }],
    compatibilityDate: supportedCompatibilityDate,
  };
}

function workerSource(file) {
  return readFileSync(new URL(`./workers/${file}`, import.meta.url), "utf8");
}
