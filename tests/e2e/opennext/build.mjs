// Builds the example app into Workers that miniflare can load: `node tests/e2e/opennext/build.mjs [variant…]`; without names, those of tests and scenes, with
// `--tests` those of `make test`, with `--bench` those of `make bench` and `make bill`.
//
// tests/.build/source*/    a copy of the example app, in the configuration for Workers, and of pkg/ for each version of Next.js, laid out as in the repository: builds happen here
// tests/.build/next/       the Next.js builds, which several variants share
// tests/.build/<variant>/  the Worker: bundle/, assets/, seeds/, its wrangler.json, and variant.json, which says what is what;
//                          for some also image/, what `next start` is started from

import { createHash } from "node:crypto";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { copyBuild, copyImage, copyTree, exampleApp, filesOf, hash, hashTree, layFiles, listFiles, run, stage } from "../stage.mjs";
import { benchVariants, nextBuilds, testVariants, variants } from "./variants.mjs";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const pkg = path.join(repository, "pkg");
const output = path.join(repository, "tests/.build");
const app = await exampleApp("workers");

/** What `onegen seed` leaves among the assets. */
const SEED = /^cdn-cgi\/_onegen\/.*\.bin$/;

/** Where builds with a version of Next.js happen: `version` is a folder of `versions/`, undefined stands for the app's own. */
function sourceOf(version) {
  const folder = path.join(output, version === undefined ? "source" : `source-${version}`);
  const workingApp = path.join(folder, "examples/app");
  const toolEnvironment = {
    // The tools need a newer Node than the system may have; the app brings it as a package.
    PATH: `${path.join(workingApp, "node_modules/.bin")}${path.delimiter}${process.env.PATH}`,
    NEXT_TELEMETRY_DISABLED: "1",
    WRANGLER_SEND_METRICS: "false",
  };
  const versionFolder = version && fileURLToPath(new URL(`versions/${version}`, import.meta.url));
  return { version, workingApp, workingPkg: path.join(folder, "pkg"), toolEnvironment, versionFolder };
}

// `next build` does not read these.
const hostFiles = new Set(["open-next.config.ts", "worker.js", "wrangler.jsonc", ".gitignore"]);

/** Builds a variant, as far as its inputs have changed, and returns what its variant.json holds. */
export async function buildVariant(name) {
  const known = { ...variants, ...benchVariants };
  const variant = known[name];
  if (!variant) throw new Error(`There is no variant ${name}, only ${Object.keys(known).join(", ")}`);
  const nextBuild = variant.next ?? "default";
  const dir = path.join(output, name);

  const source = await copySources(nextBuilds[nextBuild]);
  const { workingApp } = source;
  const installed = await install(source);
  const built = await buildNext(source, nextBuild, installed);
  const thisFile = await readFile(fileURLToPath(import.meta.url), "utf8");
  const compiled = await compile(source, name, variant, nextBuild, hash(built, thisFile));
  const inputs = hash(compiled, await hashTree(app), variant.usesOnegen && (await hashTree(pkg)));
  await stage(`variant ${name}`, dir, inputs, async () => {
    await layFiles(workingApp, variant.files);
    await bundle(source, name, nextBuild, dir);
    await cp(path.join(workingApp, ".open-next/assets"), path.join(dir, "assets"), { recursive: true });
    await cp(path.join(workingApp, ".open-next/cache"), path.join(dir, "seeds"), { recursive: true });
    await writeJson(path.join(dir, "wrangler.json"), await wranglerConfig(source));
    if (variant.image) await copyImage(workingApp, path.join(dir, "image"), variant.image);
    await writeJson(path.join(dir, "variant.json"), await describe(name, nextBuild, dir));
  });
  await renewSeeds(path.join(dir, "assets"));
  return JSON.parse(await readFile(path.join(dir, "variant.json"), "utf8"));
}

/** A kept build is as old as a copy of it would be: after an hour it would be one of stale pages. */
async function renewSeeds(assets) {
  for (const file of (await listFiles(assets)).filter((name) => SEED.test(name))) {
    const frame = await readFile(path.join(assets, file));
    const end = 12 + frame.readUInt32BE(8);
    const header = frame.toString("latin1", 12, end).replace(/"c":\d+/, `"c":${Date.now()}`);
    if (header.length !== end - 12) throw new Error(`${file} does not tell when it was made as expected`);
    frame.write(header, 12, "latin1");
    await writeFile(path.join(assets, file), frame);
  }
}

/** The app's files, then those of the version of Next.js, then those of the build. */
async function copySources({ version, files = {} }) {
  const source = sourceOf(version);
  await copyTree(app, source.workingApp);
  await copyTree(pkg, source.workingPkg);
  if (source.versionFolder) await layFiles(source.workingApp, await filesOf(source.versionFolder));
  await layFiles(source.workingApp, files);
  return source;
}

async function install({ workingApp, version = "" }) {
  const isManifest = (file) => /^package(-lock)?\.json$/.test(file);
  const inputs = hash(await hashTree(workingApp, isManifest), await hashTree(pkg, isManifest));
  await stage(`npm ci ${version}`, path.join(workingApp, "node_modules"), inputs, () => run(workingApp, {}, "npm", "ci"));
  // npm makes a link of the package, and Turbopack refuses a cacheHandler outside of the app.
  const installed = path.join(workingApp, "node_modules/onegen");
  await rm(installed, { recursive: true, force: true });
  await copyTree(pkg, installed);
  return inputs;
}

async function buildNext({ workingApp, toolEnvironment }, name, installed) {
  const dir = path.join(output, "next", name);
  const { env = {}, files = {} } = nextBuilds[name];
  const inputs = hash(installed, env, files, await hashTree(app, (file) => !hostFiles.has(file)));
  await stage(`next build (${name})`, dir, inputs, async () => {
    const dotNext = path.join(workingApp, ".next");
    await rm(dotNext, { recursive: true, force: true });
    // What `opennextjs-cloudflare build` sets for the `next build` that it would run.
    const standalone = { NEXT_PRIVATE_STANDALONE: "true", NEXT_PRIVATE_OUTPUT_TRACE_ROOT: workingApp };
    await run(workingApp, { ...toolEnvironment, ...standalone, ...env }, "next", "build");
    await copyBuild(dotNext, dir);
  });
  return inputs;
}

/** What OpenNext makes of the build: of Onegen it compiles in the configuration's side only. */
async function compile(source, name, variant, nextBuild, built) {
  const { workingApp, toolEnvironment } = source;
  const dir = path.join(output, "open-next", name);
  const config = variant.usesOnegen && (await readFile(path.join(pkg, "dist/opennext/config.js"), "utf8"));
  const inputs = hash(built, variant, config, await hashTree(app));
  await stage(`opennext build ${name}`, dir, inputs, async () => {
    await layFiles(workingApp, variant.files);
    await takeNext(source, nextBuild);
    await rm(path.join(workingApp, ".open-next"), { recursive: true, force: true });
    await run(workingApp, toolEnvironment, "opennextjs-cloudflare", "build", "--skipNextBuild");
    await copyBuild(path.join(workingApp, ".open-next"), dir);
  });
  return inputs;
}

/** What `wrangler deploy` would upload. The configuration's build command puts the seeds among the assets. */
async function bundle(source, name, nextBuild, dir) {
  const { workingApp, toolEnvironment } = source;
  const openNext = path.join(workingApp, ".open-next");
  await takeNext(source, nextBuild);
  await rm(openNext, { recursive: true, force: true });
  await copyBuild(path.join(output, "open-next", name), openNext);
  await run(workingApp, toolEnvironment, "wrangler", "deploy", "--dry-run", "--outdir", path.join(dir, "bundle"));
}

async function takeNext({ workingApp }, nextBuild) {
  const dotNext = path.join(workingApp, ".next");
  await rm(dotNext, { recursive: true, force: true });
  await copyBuild(path.join(output, "next", nextBuild), dotNext);
}

/** The wrangler file of the finished Worker. */
async function wranglerConfig({ workingApp }) {
  const text = await readFile(path.join(workingApp, "wrangler.jsonc"), "utf8");
  const config = JSON.parse(text.replace(/^\s*\/\/.*$/gm, ""));
  const { build, ...rest } = config;
  return { ...rest, main: "bundle/worker.js", assets: { ...rest.assets, directory: "assets" } };
}

async function describe(name, nextBuild, dir) {
  return {
    name,
    nextBuild,
    buildId: (await readFile(path.join(dir, "assets/BUILD_ID"), "utf8")).trim(),
    config: "wrangler.json",
    bundle: "bundle",
    main: "worker.js",
    modules: (await listFiles(path.join(dir, "bundle"))).filter((file) => /\.(js|mjs|wasm|bin)$/.test(file)),
    assets: "assets",
    seeds: (await listFiles(path.join(dir, "seeds"))).map(seedOf),
  };
}

/**
 * `<build id>/<key>.cache` is a page's or a route handler's entry, `__fetch/<build id>/<key>` one of the data cache.
 * `kvKey` is where OpenNext's KV cache looks for it, with the file's text as the value.
 */
function seedOf(file) {
  const isFetch = file.startsWith("__fetch/");
  const [buildId, ...rest] = file.replace(/^__fetch\//, "").split("/");
  const key = `/${rest.join("/")}`.replace(/\.cache$/, "");
  const type = isFetch ? "fetch" : "cache";
  const digest = createHash("sha256").update(key).digest("hex");
  return { file: `seeds/${file}`, key, type, kvKey: `incremental-cache/${buildId}/${digest}.${type}` };
}

function writeJson(file, value) {
  return writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ options: { bench: { type: "boolean" }, tests: { type: "boolean" } }, allowPositionals: true });
  const all = values.tests ? testVariants : Object.keys(values.bench ? benchVariants : variants);
  for (const name of positionals.length ? positionals : all) await buildVariant(name);
}
