// Builds the fleet app for `next start`, with Onegen and with Next.js's own cache: `node tests/fleet/build.mjs [variant…]`.
//
// tests/.build/fleet/source/     a copy of the app and of pkg/, laid out as in the repository: builds happen here
// tests/.build/fleet/<variant>/  what a container image would hold; node_modules/ is a link to the source's

import { mkdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { copyBuild, copyTree, hash, hashTree, layFiles, run, stage } from "../e2e/stage.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const app = path.join(repository, "examples/fleet-app");
const pkg = path.join(repository, "pkg");
const output = path.join(repository, "tests/.build/fleet");
const source = path.join(output, "source");
const workingApp = path.join(source, "examples/fleet-app");
const workingPkg = path.join(source, "pkg");

/** A variant's files lie over the app's own. */
const variants = {
  onegen: {},
  next: { "next.config.mjs": "export default { turbopack: { root: import.meta.dirname } };\n" },
};

/** What processes are started from. */
const imageFiles = ["package.json", "next.config.mjs", ".next"];

/** What the processes of a variant are started from. */
export function imageOf(name) {
  if (!variants[name]) throw new Error(`There is no variant ${name}, only ${Object.keys(variants).join(", ")}`);
  return path.join(output, name);
}

/** Builds a variant, as far as its inputs have changed. */
export async function buildFleet(name) {
  const folder = imageOf(name);
  const files = variants[name];
  await copyTree(app, workingApp);
  await copyTree(pkg, workingPkg);
  const installed = await install();
  await copyTree(pkg, path.join(workingApp, "node_modules/onegen"));
  // Of Onegen the build holds nothing: processes load what is installed.
  await stage(`fleet ${name}`, folder, hash(installed, files, await hashTree(app)), async () => {
    await layFiles(workingApp, files);
    const dotNext = path.join(workingApp, ".next");
    await rm(dotNext, { recursive: true, force: true });
    await run(workingApp, { NEXT_TELEMETRY_DISABLED: "1" }, process.execPath, "node_modules/next/dist/bin/next", "build");
    // For the next build; a fleet of eight would copy it eight times.
    await rm(path.join(dotNext, "cache/turbopack"), { recursive: true });
    await mkdir(folder, { recursive: true });
    for (const file of imageFiles) await copyBuild(path.join(workingApp, file), path.join(folder, file));
    await symlink(path.join(workingApp, "node_modules"), path.join(folder, "node_modules"));
  });
}

async function install() {
  const isManifest = (file) => /^(package(-lock)?\.json|\.npmrc)$/.test(file);
  const inputs = hash(await hashTree(app, isManifest), await hashTree(pkg, isManifest));
  await stage("fleet npm ci", path.join(workingApp, "node_modules"), inputs, () => run(workingApp, {}, "npm", "ci"));
  return inputs;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  for (const name of names.length ? names : Object.keys(variants)) await buildFleet(name);
}
