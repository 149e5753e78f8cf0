// Builds the example app for `next start`: `node tests/e2e/fleet/build.mjs [variant…]`; without names, all variants of tests and scenes, with
// `--tests` those of `make test`.
//
// tests/.build/fleet/source*/    a copy of the app, in the configuration for fleets, and of pkg/ for each version of Next.js, laid out as in the repository: builds happen here
// tests/.build/fleet/<variant>/  what a container image would hold; node_modules/ is a link to the source's

import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { copyBuild, copyImage, copyTree, exampleApp, hash, hashTree, layFiles, run, stage } from "../stage.mjs";
import { testVariants, variants } from "./variants.mjs";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const pkg = path.join(repository, "pkg");
const output = path.join(repository, "tests/.build/fleet");
const app = await exampleApp("fleet");

/** What the processes of a variant are started from, and how: `command` is one of Next.js's, or a script of the image. */
export function imageOf(name) {
  const variant = variants[name];
  if (!variant) throw new Error(`There is no variant ${name}, only ${Object.keys(variants).join(", ")}`);
  if (variant.dev) return { folder: sourceFolder(variant.version), command: "dev" };
  return { folder: path.join(output, name), command: variant.standalone ? "server.js" : "start" };
}

/** What makes a request an on-demand regeneration, as `res.revalidate` knows it. */
export async function previewIdOf(name) {
  return JSON.parse(await readFile(path.join(imageOf(name).folder, ".next/prerender-manifest.json"), "utf8")).preview.previewModeId;
}

/** Builds a variant, as far as its inputs have changed. */
export async function buildFleet(name) {
  const { folder: image } = imageOf(name);
  const { version, files = {}, env = {}, args = [], standalone = false, compiled = false, dev = false } = variants[name];
  const source = await sourceOf(version);
  if (dev) return;
  // Of Onegen a build holds nothing, unless it is standalone or compiles the handler in: processes load what is installed.
  const inputs = hash(source.installed, files, env, args, await hashTree(app), (standalone || compiled) && (await hashTree(pkg)));
  await stage(`fleet ${name}`, image, inputs, async () => {
    await rm(source.dotNext, { recursive: true, force: true });
    await nextBuild(source, files, env, args);
    if (standalone) {
      await copyBuild(path.join(source.dotNext, "standalone"), image);
      await copyBuild(path.join(source.dotNext, "static"), path.join(image, ".next/static"));
      return;
    }
    await copyImage(source.app, image, ["app.config.mjs", ...Object.keys(files)]);
  });
}

const sourceFolder = (version) => path.join(output, version === undefined ? "source" : `source-${version}`, "examples/app");

/**
 * Builds a variant several times, each time over what the build before left, and keeps nothing of it. Rejects when a build fails.
 *
 * @param {string} name
 * @param {{ files: Record<string, string>, envs: Record<string, string>[] }} options `files` lie over the variant's own; each build
 *   gets one of `envs`
 */
export async function buildInVain(name, { files, envs }) {
  const { version, files: own } = variants[name];
  const source = await sourceOf(version);
  await rm(source.dotNext, { recursive: true, force: true });
  for (const env of envs) await nextBuild(source, { ...own, ...files }, env);
  await rm(source.dotNext, { recursive: true });
}

async function nextBuild(source, files, env, args = []) {
  await layFiles(source.app, { ...source.files, ...files });
  await run(source.app, { NEXT_TELEMETRY_DISABLED: "1", ...env }, process.execPath, "node_modules/next/dist/bin/next", "build", ...args);
}

/** The app with what one of the folders of `versions/` has installed, mostly another Next.js; undefined stands for the app's own. */
async function sourceOf(version) {
  const folder = sourceFolder(version);
  const source = { app: folder, dotNext: path.join(folder, ".next") };
  await copyTree(app, source.app);
  await copyTree(pkg, path.join(source.app, "../../pkg"));
  source.files = { "app.config.mjs": await readFile(app.get("next.config.mjs"), "utf8"), ...(await manifestsOf(version)) };
  await layFiles(source.app, source.files);
  const isManifest = (file) => /^(package(-lock)?\.json|\.npmrc)$/.test(file);
  source.installed = hash(await hashTree(source.app, isManifest), await hashTree(pkg, isManifest));
  const modules = path.join(source.app, "node_modules");
  await stage(`fleet npm ci ${version ?? ""}`, modules, source.installed, () => run(source.app, {}, "npm", "ci"));
  await copyTree(pkg, path.join(modules, "onegen"));
  return source;
}

async function manifestsOf(version) {
  if (version === undefined) return {};
  const folder = new URL(`versions/${version}/`, import.meta.url);
  const read = async (file) => [file, await readFile(new URL(file, folder), "utf8")];
  return Object.fromEntries(await Promise.all(["package.json", "package-lock.json"].map(read)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ options: { tests: { type: "boolean" } }, allowPositionals: true });
  const all = values.tests ? testVariants : Object.keys(variants).filter((name) => !variants[name].compared);
  for (const name of positionals.length ? positionals : all) await buildFleet(name);
}
