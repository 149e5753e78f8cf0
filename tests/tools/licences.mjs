// The licences of what the package ships, which are checked: `node tests/tools/licences.mjs`; with `--notices FILE` their texts are
// written there, which the tarball holds.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WASM_FEATURES } from "./features.mjs";
import { compiledIn, standardLibrary } from "./licences/crates.mjs";
import { isAllowed } from "./licences/expression.mjs";
import { noticesOf } from "./licences/notices.mjs";
import { installedWith } from "./licences/npm.mjs";

/** Those that ask for no more than to be named. */
const ALLOWED = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "Unicode-3.0", "Unlicense", "Zlib"]);

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { notices: { type: "string" } } });

const crates = compiledIn(repository, WASM_FEATURES);
const packages = installedWith(path.join(repository, "pkg"));
const refused = [...crates, ...packages].filter(({ licence }) => !isAllowed(licence, ALLOWED));
for (const { name, version, licence } of refused) {
  console.error(`${name} ${version} is shipped under ${licence ?? "no licence"}, which is not allowed: replace it, or add the licence to ALLOWED in tests/tools/licences.mjs.`);
}
if (refused.length > 0) process.exit(1);
if (values.notices) writeFileSync(values.notices, noticesOf([...crates, standardLibrary()]));
console.log(`licences: ${crates.length} crates and ${packages.length} npm packages, all allowed`);
