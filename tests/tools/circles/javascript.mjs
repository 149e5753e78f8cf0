import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { addEdge } from "./graph.mjs";

/** Built or installed, not written. */
const SKIPPED = new Set(["node_modules", "dist", "wasm", ".build"]);
const SOURCE = /(?<!\.d)\.(m?js|m?ts)$/;
/** `import … from "…"`, `export … from "…"`, `import "…"`, `import("…")`. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.[^"']+)["']/g;
/** What is commented out; a `//` within an address stays. */
const COMMENT = /\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm;

/** The imports of the files below a folder, by their relative paths. @returns {import("./graph.mjs").Graph} */
export function importsOfFiles(folder) {
  const graph = new Map();
  const files = filesBelow(folder).filter((file) => SOURCE.test(file));
  for (const file of files) {
    const text = readFileSync(path.join(folder, file), "utf8").replace(COMMENT, "");
    for (const [, specifier] of text.matchAll(IMPORT)) {
      const imported = resolve(folder, path.join(path.dirname(file), specifier));
      if (imported !== undefined) addEdge(graph, file, imported);
    }
  }
  return graph;
}

/** The file that is imported: TypeScript names what a file is compiled to. */
function resolve(folder, file) {
  const candidates = [file, file.replace(/js$/, "ts")];
  return candidates.find((candidate) => SOURCE.test(candidate) && existsSync(path.join(folder, candidate)));
}

function filesBelow(folder, below = "") {
  return readdirSync(path.join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(folder, name);
    return [name];
  });
}
