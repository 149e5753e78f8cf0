/**
 * Bundles: what one Worker consists of, in a form that can be given to many services and sent to another process.
 *
 * @typedef {{ type: "ESModule" | "CompiledWasm" | "Text" | "Data", name: string, contents?: string | Uint8Array }} BundleModule
 *   `name` is what the other modules import, relative to `root`; without `contents` it is read from `root`.
 *
 * @typedef {object} Bundle
 * @property {string} root The folder that the modules' names are relative to (need not exist when all have contents).
 * @property {BundleModule[]} modules The first one is the entry.
 * @property {string} [compatibilityDate]
 * @property {string[]} [compatibilityFlags]
 * @property {Record<string, unknown>} [bindings] Plain values: strings and JSON.
 * @property {string[]} [kv] Names of the KV bindings. The name is the namespace's id too, so bundles share what they name alike.
 * @property {string[]} [r2] Names of the R2 bindings, and
 * @property {string[]} [d1] of the D1 bindings, likewise. They are counted, and only a world of one runtime has them.
 * @property {Record<string, string | { className: string, useSQLite?: boolean }>} [durableObjects] Binding name to class.
 * @property {string} [selfReference] Name of the binding to the app itself.
 * @property {AssetsFolder} [assets]
 *
 * @typedef {{ directory: string, binding?: string, runWorkerFirst?: boolean, htmlHandling?: string, notFoundHandling?: string }} AssetsFolder
 *   One folder per world: miniflare serves the assets of all services of one runtime from the first folder that it meets.
 */

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { supportedCompatibilityDate } from "miniflare";

const RUN_LIMIT_MS = 180_000;

/**
 * A bundle of plain text: `script` is an ES module with a default handler, and the names in `modules` can be imported by it.
 *
 * @param {string} script
 * @param {Omit<Partial<Bundle>, "modules" | "root"> & { modules?: Record<string, string> }} [options]
 * @returns {Bundle}
 */
export function inlineBundle(script, { modules = {}, ...rest } = {}) {
  const others = Object.entries(modules).map(([name, contents]) => ({ type: typeOf(name), name, contents }));
  return withDefaults({ root: "/bundle", modules: [{ type: "ESModule", name: "worker.js", contents: script }, ...others], ...rest });
}

/**
 * A bundle from a folder that `wrangler deploy --dry-run --outdir` made. With `config`, a wrangler file, its dates, flags,
 * variables and bindings are taken over; `options` win over it, and plain `bindings` are added to its own.
 *
 * @param {{ folder: string, main?: string, config?: string, env?: string } & Omit<Partial<Bundle>, "modules" | "root">} source
 * @returns {Promise<Bundle>}
 */
export async function folderBundle({ folder, main, config, env, ...options }) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && typeOf(file.name) !== undefined)
    .map((file) => path.relative(folder, path.join(file.parentPath, file.name)).split(path.sep).join("/"));
  const scripts = files.filter((name) => typeOf(name) === "ESModule");
  const entry = main ?? (scripts.length === 1 ? scripts[0] : scripts.find((name) => /^(worker|index)\.m?js$/.test(name)));
  if (entry === undefined || !files.includes(entry)) {
    throw new Error(`The folder ${folder} holds no entry module${main ? ` ${main}` : ""}; its scripts are: ${scripts.join(", ") || "none"}.`);
  }
  const names = [entry, ...files.filter((name) => name !== entry)];
  const settings = config ? await wranglerSettings(config, env) : {};
  return withDefaults({
    ...settings,
    ...options,
    bindings: { ...settings.bindings, ...options.bindings },
    root: path.resolve(folder),
    modules: names.map((name) => ({ type: typeOf(name), name })),
  });
}

/**
 * Runs `wrangler deploy --dry-run` for a wrangler file and gives the bundle of what it made.
 *
 * @param {{ config: string, outdir: string, env?: string } & Omit<Partial<Bundle>, "modules" | "root">} source
 * @returns {Promise<Bundle>}
 */
export async function wranglerBundle({ config, outdir, env, ...options }) {
  const wrangler = path.join(path.dirname(createRequire(import.meta.url).resolve("wrangler/package.json")), "bin", "wrangler.js");
  const args = [wrangler, "deploy", "--dry-run", "--outdir", outdir, "--config", config, ...(env ? ["--env", env] : [])];
  await run(process.execPath, args, { cwd: path.dirname(config), env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" } });
  return folderBundle({ folder: outdir, config, env, ...options });
}

/** What a wrangler file says, as the settings of a bundle. */
async function wranglerSettings(config, env) {
  const { unstable_readConfig } = await import("wrangler");
  const read = unstable_readConfig({ config, env });
  const sqliteClasses = new Set(read.migrations.flatMap((migration) => migration.new_sqlite_classes ?? []));
  const objects = read.durable_objects.bindings.map(({ name, class_name: className, script_name: scriptName }) => [
    name,
    { className, useSQLite: scriptName !== undefined || sqliteClasses.has(className) },
  ]);
  const self = read.services.find((service) => service.service === read.name);
  return {
    compatibilityDate: read.compatibility_date,
    compatibilityFlags: read.compatibility_flags,
    bindings: read.vars,
    kv: read.kv_namespaces.map((namespace) => namespace.binding),
    r2: read.r2_buckets.map((bucket) => bucket.binding),
    d1: read.d1_databases.map((database) => database.binding),
    durableObjects: Object.fromEntries(objects),
    ...(self && { selfReference: self.binding }),
    ...(read.assets?.directory && {
      assets: {
        directory: path.resolve(path.dirname(config), read.assets.directory),
        binding: read.assets.binding,
        runWorkerFirst: read.assets.run_worker_first === true,
        htmlHandling: read.assets.html_handling,
        notFoundHandling: read.assets.not_found_handling,
      },
    }),
  };
}

function withDefaults(bundle) {
  const asked = bundle.compatibilityDate ?? supportedCompatibilityDate;
  return {
    compatibilityFlags: ["nodejs_compat"],
    bindings: {},
    kv: [],
    r2: [],
    d1: [],
    durableObjects: {},
    selfReference: "WORKER_SELF_REFERENCE",
    ...bundle,
    // A date after that of the local runtime would keep it from starting.
    compatibilityDate: asked < supportedCompatibilityDate ? asked : supportedCompatibilityDate,
  };
}

/** The module types that wrangler's default rules give; other files (source maps, a README) are no modules. */
function typeOf(name) {
  if (/\.m?js$/.test(name)) return "ESModule";
  if (/\.wasm(\?module)?$/.test(name)) return "CompiledWasm";
  if (/\.(txt|html|sql)$/.test(name)) return "Text";
  if (/\.bin$/.test(name)) return "Data";
  return undefined;
}

function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"], timeout: RUN_LIMIT_MS, killSignal: "SIGKILL" });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`${path.basename(args[0])} ended with ${code}:\n${output}`))));
  });
}
