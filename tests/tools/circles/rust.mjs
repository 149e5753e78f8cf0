/**
 * Which modules of a crate use which. A parent and its children may use each other, as one `impl` in several files does; modules
 * that stand beside each other may not. Code under `#[cfg(test)]` does not count.
 */

import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { addEdge } from "./graph.mjs";

const ROOTS = ["lib.rs", "main.rs"];

export const isCrate = (folder) => ROOTS.some((root) => existsSync(path.join(folder, root)));

/** For each module with children, which of them use which. @param {string} folder @returns {import("./graph.mjs").Graph[]} */
export function usesOfCrate(folder) {
  const modules = modulesBelow(folder);
  const graphs = new Map();
  for (const [name, { paths }] of modules) {
    for (const used of paths.map((one) => moduleOf(modules, name, one))) {
      if (used === undefined) continue;
      const [from, to] = [name, used].map((one) => one.split("::"));
      const at = from.findIndex((segment, n) => segment !== to[n]);
      // One of them is the other, or above it.
      if (at < 0 || at >= to.length) continue;
      const parent = from.slice(0, at).join("::");
      if (!graphs.has(parent)) graphs.set(parent, new Map());
      addEdge(graphs.get(parent), from.slice(0, at + 1).join("::"), to.slice(0, at + 1).join("::"));
    }
  }
  return [...graphs.values()];
}

/** The module, `crate` or `crate::a::b`, that a path leads into, also by way of a `use` that hands a name on; undefined for other crates. */
function moduleOf(modules, from, segments, depth = 0) {
  const absolute = absoluteOf(modules, from, segments);
  if (absolute === undefined) return undefined;
  let length = absolute.length;
  while (!modules.has(absolute.slice(0, length).join("::"))) length -= 1;
  const module = absolute.slice(0, length).join("::");
  const handedOn = modules.get(module).names.get(absolute[length]);
  const further = handedOn && depth < 8 ? moduleOf(modules, module, [...handedOn, ...absolute.slice(length + 1)], depth + 1) : undefined;
  return further ?? module;
}

function absoluteOf(modules, from, segments) {
  if (segments[0] === "crate") return segments;
  const own = from.split("::");
  const supers = segments.findIndex((segment) => segment !== "super");
  if (supers > 0) return supers < own.length ? [...own.slice(0, own.length - supers), ...segments.slice(supers)] : undefined;
  const rest = segments[0] === "self" ? segments.slice(1) : segments;
  return modules.has([...own, rest[0]].join("::")) || segments[0] === "self" ? [...own, ...rest] : undefined;
}

/** Every module that has a file: the paths it names, and what its `use`s make of them. */
function modulesBelow(folder) {
  const modules = new Map();
  const visit = (below, name) => {
    for (const entry of readdirSync(path.join(folder, below), { withFileTypes: true })) {
      const file = path.join(below, entry.name);
      const stem = entry.name.replace(/\.rs$/, "");
      if (entry.isDirectory()) visit(file, `${name}::${stem}`);
      else if (entry.name.endsWith(".rs") && stem !== "tests") {
        const isRoot = stem === "mod" || (below === "" && ROOTS.includes(entry.name));
        modules.set(isRoot ? name : `${name}::${stem}`, read(readFileSync(path.join(folder, file), "utf8")));
      }
    }
  };
  visit("", "crate");
  for (const name of modules.keys()) if (name.split("::").includes("tests")) modules.delete(name);
  return modules;
}

const NOT_CODE = /\/\*[^]*?\*\/|\/\/.*|\bb?r(#*)"[^]*?"\1|b?"(?:\\[^]|[^"\\])*"|b?'(?:\\[^']+|[^'\\\n])'/g;
const TOKEN = /[A-Za-z_]\w*|::|[^\s]/g;

/** The paths that a source names, and the names that its `use`s bring in. @param {string} source */
export function read(source) {
  const tokens = source.replace(NOT_CODE, " ").match(TOKEN) ?? [];
  const paths = [];
  const names = new Map();
  /** For each block that is open, whether it is that of a module. */
  const blocks = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (isTestOnly(tokens, at)) at = endOfItem(tokens, at + 7);
    else if (token === "{") blocks.push(tokens[at - 2] === "mod");
    else if (token === "}") blocks.pop();
    else if (token === "use") at = takePaths(tokens, at + 1, [], (found, name) => take(found, name));
    else if (["crate", "super", "self"].includes(token) && tokens[at + 1] === "::") at = takePaths(tokens, at, [], (found) => take(found)) - 1;
  }
  return { paths, names };

  function take(found, name) {
    // Of a module within the file, `super` is the file's own.
    const inner = blocks.filter(Boolean).length;
    const segments = inner > 0 && found[0] === "super" ? ["self", ...found.slice(inner)] : found;
    paths.push(segments);
    if (name !== undefined && inner === 0) names.set(name, segments);
  }
}

const isTestOnly = (tokens, at) => tokens.slice(at, at + 7).join("") === "#[cfg(test)]";

/** Where the item that begins at a token ends: at its `;`, or with its block. */
function endOfItem(tokens, at) {
  for (let depth = 0; at < tokens.length; at += 1) {
    if (tokens[at] === "{") depth += 1;
    if (tokens[at] === "}") depth -= 1;
    if (depth === 0 && (tokens[at] === "}" || tokens[at] === ";")) return at;
  }
  return at;
}

/** Tells of each path of a tree as in `a::{b, c as d}`. The index of the token behind it. */
function takePaths(tokens, at, before, tell) {
  const segments = [...before];
  for (; ; at += 2) {
    if (tokens[at] === "{") {
      for (at += 1; tokens[at] !== "}" && at < tokens.length; ) {
        at = takePaths(tokens, at, segments, tell);
        if (tokens[at] === ",") at += 1;
      }
      return at + 1;
    }
    if (tokens[at] !== "*") segments.push(tokens[at]);
    if (tokens[at + 1] === "as") {
      tell(segments, tokens[at + 2]);
      return at + 3;
    }
    if (tokens[at + 1] !== "::" || tokens[at + 2] === "<") {
      tell(segments.at(-1) === "self" && segments.length > 1 ? segments.slice(0, -1) : segments, tokens[at] === "*" ? undefined : tokens[at]);
      return at + 1;
    }
  }
}
