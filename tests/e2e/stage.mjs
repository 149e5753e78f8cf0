import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, readdir, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const stamps = new URL("../.build/stamps/", import.meta.url);
const example = fileURLToPath(new URL("../../examples/app", import.meta.url));

/** Does `work`, unless it was already done for the same inputs. What it makes is `made`, which is removed beforehand. */
export async function stage(name, made, inputs, work) {
  const stamp = new URL(`${encodeURIComponent(name)}`, stamps);
  if (existsSync(made) && (await readFile(stamp, "utf8").catch(() => null)) === inputs) return;
  const start = performance.now();
  await rm(stamp, { force: true });
  await rm(made, { recursive: true, force: true });
  await work();
  await mkdir(stamps, { recursive: true });
  await writeFile(stamp, inputs);
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

export function hash(...values) {
  return createHash("sha256").update(JSON.stringify(values)).digest("hex");
}

/**
 * The files of the example app: those of a configuration lie over the shared ones.
 *
 * @param {"workers" | "fleet"} configuration a folder of its `configs/`
 * @returns {Promise<Map<string, string>>} where each file is, by its name in the app
 */
export async function exampleApp(configuration) {
  const shared = await treeOf(example);
  for (const file of shared.keys()) if (file.startsWith("configs/")) shared.delete(file);
  return new Map([...shared, ...(await treeOf(path.join(example, "configs", configuration)))]);
}

/** Where each file below a folder is, by its relative path. */
async function treeOf(root) {
  return new Map((await listFiles(root)).map((file) => [file, path.join(root, file)]));
}

/** A hash of all files of a tree, or below a folder, of which `keep` says yes to the relative path. */
export async function hashTree(from, keep = () => true) {
  const tree = typeof from === "string" ? await treeOf(from) : from;
  const digest = createHash("sha256");
  for (const file of [...tree.keys()].filter(keep).sort()) {
    digest.update(`${file}\0`).update(createHash("sha256").update(await readFile(tree.get(file))).digest());
  }
  return digest.digest("hex");
}

/** The relative paths of all files below `root`, sorted. Installed packages and build output are left out. */
export async function listFiles(root) {
  const skipped = new Set(["node_modules", ".next", ".open-next", ".wrangler"]);
  const found = [];
  const visit = async (dir) => {
    for (const entry of await readdir(path.join(root, dir), { withFileTypes: true })) {
      const relative = path.posix.join(dir, entry.name);
      if (entry.isDirectory() && !skipped.has(entry.name)) await visit(relative);
      else if (entry.isFile()) found.push(relative);
    }
  };
  await visit("");
  return found.sort();
}

/** Makes `to` hold the same source files as `from`, a tree or a folder; what was installed or built there stays. */
export async function copyTree(from, to) {
  await mkdir(to, { recursive: true });
  const wanted = typeof from === "string" ? await treeOf(from) : from;
  const unwanted = (await listFiles(to)).filter((file) => !wanted.has(file));
  for (const file of unwanted) {
    await rm(path.join(to, file));
    // An empty folder may mean something to a build, as `pages` does. One that is not empty stays.
    for (let folder = path.dirname(file); folder !== "."; folder = path.dirname(folder)) {
      if (!(await rmdir(path.join(to, folder)).then(() => true, () => false))) break;
    }
  }
  for (const [file, source] of wanted) await cp(source, path.join(to, file));
}

/** The files below a folder, by their names there, as `layFiles` takes them. */
export async function filesOf(folder) {
  const names = await listFiles(folder);
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
  return Object.fromEntries(names.map((name, at) => [name, texts[at]]));
}

/** Lays files, by their names, over those of an app. */
export async function layFiles(app, files) {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.join(app, path.dirname(file)), { recursive: true });
    await writeFile(path.join(app, file), text);
  }
}

/** A copy of what was built, links and times included. */
export function copyBuild(from, to) {
  return cp(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
}

/** Of `.next`: what only the next build, or another way to deploy, has a use for. A fleet of eight would copy it eight times. */
const NOT_STARTED = [".next/cache/turbopack", ".next/cache/webpack", ".next/standalone"];

/** What a container image would hold of a built app: what `next start` needs; `node_modules` is a link. `files` are further ones. */
export async function copyImage(app, image, files = []) {
  await mkdir(image, { recursive: true });
  const filter = (file) => !NOT_STARTED.includes(path.relative(app, file));
  for (const file of new Set(["package.json", "next.config.mjs", ".next", ...files])) {
    await cp(path.join(app, file), path.join(image, file), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter });
  }
  await symlink(path.join(app, "node_modules"), path.join(image, "node_modules"));
}

/** Runs a command; its output is shown only when it fails. */
export async function run(cwd, env, command, ...args) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => output.push(chunk));
  const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (code === 0) return;
  process.stderr.write(Buffer.concat(output));
  throw new Error(`${[command, ...args].join(" ")} ended with ${code}`);
}
