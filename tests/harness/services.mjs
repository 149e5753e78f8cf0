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
 * @property {(from: number | "objects") => number} selfReference Which app service answers the self reference of a service.
 * @property {string} [probe] Where the probe listens: host and port.
 */

import { readFileSync } from "node:fs";
import path from "node:path";
import { supportedCompatibilityDate } from "miniflare";

export const KV_SERVICE = "kv";
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
    kvNamespaces: Object.fromEntries(namespacesOf(layout).map((binding) => [binding, binding])),
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
  return {
    name,
    modulesRoot: bundle.root,
    modules: wrapped ? wrappedModules(bundle, wrappedClasses(layout, bundle)) : modules(bundle),
    compatibilityDate: bundle.compatibilityDate,
    compatibilityFlags: bundle.compatibilityFlags,
    bindings: { ...bundle.bindings, ...(wrapped && { HARNESS_BOOT: boot ?? name }) },
    durableObjects: durableObjects(layout, bundle, name),
    ...(layout.kv === "native" && { kvNamespaces: Object.fromEntries(bundle.kv.map((binding) => [binding, binding])) }),
    serviceBindings: {
      [bundle.selfReference]: { name: appService(layout.selfReference(from)) },
      ...(layout.probe && { PROBE: probe(layout.probe, location) }),
      ...(layout.kv === "bridge" && bridges(bundle, location)),
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

function modules(bundle) {
  return bundle.modules.map(({ type, name, contents }) => ({ type, path: path.join(bundle.root, name), ...(contents !== undefined && { contents }) }));
}

/** The bundle behind an entry that exports everything it exports, with the Durable Object classes under the test's control. */
function wrappedModules(bundle, classes) {
  const entry = JSON.stringify(`./${bundle.modules[0].name}`);
  const subclasses = Object.entries(classes).map(
    ([className, methods]) =>
      `export class ${className} extends withFaults(original.${className}, "${className}", ${methods === true ? "undefined" : JSON.stringify(methods)}) {}`,
  );
  const source = [
    `import * as original from ${entry};`,
    `import { withFaults } from "./harness-object-faults.js";`,
    `export * from ${entry};`,
    `export { ${CONTROL_ENTRYPOINT} } from "./harness-object-faults.js";`,
    `export default original.default;`,
    ...subclasses,
  ].join("\n");
  return [
    { type: "ESModule", path: path.join(bundle.root, "harness-entry.js"), contents: source },
    { type: "ESModule", path: path.join(bundle.root, "harness-object-faults.js"), contents: workerSource("object-faults.js") },
    ...modules(bundle),
  ];
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
