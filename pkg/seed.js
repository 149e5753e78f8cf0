// Seeds: the entries that the build pre-rendered, as files among the Worker's assets.
//
// A Worker that finds nothing under a key takes the seed to the route's coordinator, which accepts it only while it has nothing
// itself. So seeding again, or deploying the same build again, never brings an old page back.
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { digest } from "./bindings.js";
import { core } from "./engine/node.js";
import { toStored } from "./opennext/values.js";
import { pathOf } from "./paths.js";

/** Where OpenNext's bundles find them: paths below `cdn-cgi` are not served to visitors. */
const FOLDER = "cdn-cgi/_onegen";
const SUFFIX = ".cache";

/**
 * @param {string} app the app's folder, after `opennextjs-cloudflare build`
 * @returns {Promise<{ written: number, skipped: { key: string, reason: string }[], target: string }>}
 */
export async function seedAssets(app) {
  const cache = join(app, ".open-next", "cache");
  const manifest = await readJson(join(app, ".next", "prerender-manifest.json"));
  const { mtimeMs: builtAt } = await ofBuild(join(app, ".next", "BUILD_ID"), stat);
  const builds = (await readdir(cache).catch(() => [])).filter((name) => name !== "__fetch");
  if (builds.length > 1) {
    throw new Error(`${cache} holds ${builds.length} builds: expected one; delete .open-next and build again`);
  }
  const target = join(app, ".open-next", "assets", FOLDER);
  await rm(target, { recursive: true, force: true });
  const skipped = [];
  let written = 0;
  for (const build of builds) {
    const folder = join(target, encodeURIComponent(build));
    await mkdir(folder, { recursive: true });
    for (const file of await files(join(cache, build))) {
      const key = `/${relative(join(cache, build), file).split(sep).join("/").slice(0, -SUFFIX.length)}`;
      const lifetime = lifetimeOf(manifest, key);
      if (!lifetime) {
        skipped.push({ key, reason: "the build's prerender manifest names no lifetime for it" });
        continue;
      }
      const seed = frame(pagesShell(await readJson(file)), key, lifetime, builtAt);
      await writeFile(join(folder, `${await digest(key)}.bin`), seed);
      written += 1;
    }
  }
  return { written, skipped, target };
}

/** OpenNext's build takes the shell of a page of the Pages Router (`fallback: true`) for a page of the App Router. */
function pagesShell(value) {
  const { owner, isFallback } = value.meta?.routeCache ?? {};
  if (owner?.kind !== "PAGES" || !isFallback) return value;
  return { type: "page", html: value.html, json: {} };
}

function frame(value, key, { revalidate, expire }, builtAt) {
  const stored = toStored({ ...value, revalidate }, key);
  const header = core.entry_header({
    g: 0,
    c: Math.floor(builtAt),
    r: stored.revalidate,
    e: expire,
    t: stored.tags,
    s: stored.shape,
    b: stored.parts.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength })),
  });
  return Buffer.concat([header, ...stored.parts.map(({ bytes }) => bytes)]);
}

/** The lifetime that the build gave to a key: of a page, or of a route's fallback shell. */
function lifetimeOf({ routes = {}, dynamicRoutes = {} }, key) {
  const route = pathOf(key);
  const page = routes[route];
  if (page) return { revalidate: page.initialRevalidateSeconds, expire: page.initialExpireSeconds };
  const shell = dynamicRoutes[route];
  if (shell) return { revalidate: shell.fallbackRevalidate ?? false, expire: shell.fallbackExpire };
  return undefined;
}

async function files(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith(SUFFIX))
    .map((entry) => join(entry.parentPath, entry.name));
}

const readJson = (file) => ofBuild(file, async () => JSON.parse(await readFile(file, "utf8")));

async function ofBuild(file, read) {
  try {
    return await read(file);
  } catch (error) {
    throw new Error(`${file} could not be read (${error.message}): expected what "opennextjs-cloudflare build" makes; run it first`);
  }
}
