import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

/** @typedef {{ name: string, version: string, licence: string | null, texts: string[] }} Shipped */

const TEXT = /^(licen[cs]e|copying|notice|unlicense)/i;

/** The crates that are compiled into the wasm files, of each what it is licensed under. @returns {Shipped[]} */
export function compiledIn(repository, features) {
  const found = new Map();
  for (const feature of features) for (const one of reached(metadata(repository, feature))) found.set(`${one.name} ${one.version}`, one);
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function metadata(repository, feature) {
  const args = ["metadata", "--format-version", "1", "--locked", "--filter-platform", "wasm32-unknown-unknown", "--features", feature];
  return JSON.parse(execFileSync("cargo", args, { cwd: repository, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] }));
}

/** Macros, build scripts and what they need run on the machine that builds: nothing of them is in the file. */
function reached({ resolve, packages }) {
  const packageOf = new Map(packages.map((one) => [one.id, one]));
  const nodeOf = new Map(resolve.nodes.map((node) => [node.id, node]));
  const seen = new Set();
  const visit = (id) => {
    if (seen.has(id) || packageOf.get(id).targets.some(({ kind }) => kind.includes("proc-macro"))) return;
    seen.add(id);
    for (const { pkg, dep_kinds: kinds } of nodeOf.get(id).deps) if (kinds.some(({ kind }) => kind === null)) visit(pkg);
  };
  visit(resolve.root);
  seen.delete(resolve.root);
  return [...seen].map((id) => described(packageOf.get(id)));
}

function described({ name, version, license: licence, manifest_path: manifest }) {
  const folder = path.dirname(manifest);
  return { name, version, licence, texts: chosen(readdirSync(folder).filter((file) => TEXT.test(file))).map((file) => readFileSync(path.join(folder, file), "utf8")) };
}

/** Where there is a choice, MIT: its text alone says all that it asks for. Other licences beside it, as Unicode's, may stand for parts. */
function chosen(files) {
  const mit = files.find((file) => /MIT/i.test(file));
  return mit === undefined ? files : files.filter((file) => !/APACHE|COPYING|UNLICENSE|^LICENSE$/i.test(file));
}

/** Rust's own, which is in every file that is compiled. @returns {Shipped} */
export function standardLibrary() {
  const ask = (...args) => execFileSync("rustc", args, { encoding: "utf8" }).trim();
  const folder = path.join(ask("--print", "sysroot"), "share/doc/rust/licenses");
  const texts = ["MIT.txt", "Unicode-3.0.txt"].map((file) => path.join(folder, file)).filter(existsSync);
  if (texts.length < 2) throw new Error(`The licences of Rust's standard library are not in ${folder}: reinstall the toolchain with rustup.`);
  const licence = "(MIT OR Apache-2.0) AND Unicode-3.0, copyright The Rust Project Developers";
  return { name: "Rust's standard library", version: ask("--version").split(" ")[1], licence, texts: texts.map((file) => readFileSync(file, "utf8")) };
}
