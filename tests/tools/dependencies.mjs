// Fails when the crate has a dependency that it does not use, or is without a package that it is to be built on:
// `node tests/tools/dependencies.mjs [FOLDER]`.
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { WASM_FEATURES } from "./features.mjs";

/** The packages that the project is to be built on. */
export const ORDERED = ["wasm-bindgen", "js-sys", "serde", "serde-wasm-bindgen", "worker", "futures"];

const WASM = ["--target", "wasm32-unknown-unknown"];

/** Every set of features and target that the library is built with: a dependency has to be of use wherever it is compiled. */
const BUILDS = [[], ...WASM_FEATURES.map((feature) => [...WASM, "--features", feature])];

/** What the crate in a folder is without: sentences. @returns {string[]} */
export function missingOf(folder) {
  const said = execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps", "--offline"], { cwd: folder, encoding: "utf8" });
  const { dependencies } = JSON.parse(said).packages.find(({ name }) => name === "onegen");
  const missing = ORDERED.filter((name) => !dependencies.some((one) => one.name === name && one.kind === null));
  return missing.map((name) => `${name} is no dependency in Cargo.toml: the crate is to be built on it`);
}

/** What it has and does not use: sentences. @returns {string[]} */
export const unusedOf = (folder) => BUILDS.flatMap((build) => unusedIn(folder, build));

function unusedIn(folder, build) {
  const args = ["clippy", "--quiet", "--lib", ...build, "--", "--deny", "unused_crate_dependencies"];
  const { status, stderr } = spawnSync("cargo", args, { cwd: folder, encoding: "utf8" });
  if (status === 0) return [];
  const names = [...stderr.matchAll(/extern crate `(\w+)` is unused/g)].map(([, name]) => name);
  const where = build.length ? build.join(" ") : "without features";
  return names.length > 0 ? names.map((name) => `${name} is compiled in (${where}) and not used: remove it from Cargo.toml, or make it a part of the feature that uses it`) : [stderr];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = path.resolve(process.argv[2] ?? ".");
  const faults = [...missingOf(folder), ...unusedOf(folder)];
  for (const fault of faults) console.error(fault);
  process.exit(faults.length > 0 ? 1 : 0);
}
