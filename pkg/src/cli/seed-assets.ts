// Seeds: the entries that the build pre-rendered, as files among the Worker's assets.
//
// A Worker that finds nothing under a key takes the seed to the route's coordinator, which accepts it only while it has nothing
// itself. So seeding again, or deploying the same build again, never brings an old page back.
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { messageOf } from "../base/errors.js";
import { seedFrame } from "../next-format/frame.js";
import { type OpenNextFile, toStored } from "../next-format/opennext-values.js";
import { pathOf } from "../next-format/paths.js";
import { digest } from "../stores/digest.js";

/** Where OpenNext's bundles find them: paths below `cdn-cgi` are not served to visitors. */
const FOLDER = "cdn-cgi/_onegen";
const SUFFIX = ".cache";

/** What became of the pages, and in which folder they are. */
export interface SeededAssets {
  readonly written: number;
  readonly skipped: { key: string; reason: string }[];
  readonly target: string;
}

/** Next.js's manifest of what was rendered (`build/index.d.ts`), as far as it is looked into. */
interface Manifest {
  readonly routes?: Record<string, { initialRevalidateSeconds: number | false; initialExpireSeconds?: number }>;
  readonly dynamicRoutes?: Record<string, { fallbackRevalidate?: number | false; fallbackExpire?: number }>;
}

interface Lifetime {
  readonly revalidate: number | false;
  readonly expire: number | undefined;
}

/** @param app the app's folder, after `opennextjs-cloudflare build` */
export async function seedAssets(app: string): Promise<SeededAssets> {
  const cache = join(app, ".open-next", "cache");
  const manifest = await readJson<Manifest>(join(app, ".next", "prerender-manifest.json"));
  const { mtimeMs: builtAt } = await ofBuild(join(app, ".next", "BUILD_ID"), (file) => stat(file));
  const builds = (await readdir(cache).catch(() => [])).filter((name) => name !== "__fetch");
  if (builds.length > 1) {
    throw new Error(`${cache} holds ${builds.length} builds: expected one; delete .open-next and build again`);
  }
  const target = join(app, ".open-next", "assets", FOLDER);
  await rm(target, { recursive: true, force: true });
  const skipped: SeededAssets["skipped"] = [];
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
      const stored = toStored({ ...pagesShell(await readJson<OpenNextFile>(file)), revalidate: lifetime.revalidate }, key);
      const seed = seedFrame({ ...stored, expire: lifetime.expire }, builtAt);
      await writeFile(join(folder, `${await digest(key)}.bin`), seed);
      written += 1;
    }
  }
  return { written, skipped, target };
}

/** OpenNext's build takes the shell of a page of the Pages Router (`fallback: true`) for a page of the App Router. */
function pagesShell(value: OpenNextFile): OpenNextFile {
  const { owner, isFallback } = value.meta?.routeCache ?? {};
  if (owner?.kind !== "PAGES" || !isFallback) return value;
  return { type: "page", ...(value.html !== undefined && { html: value.html }), json: {} };
}

/** The lifetime that the build gave to a key: of a page, or of a route's fallback shell. */
function lifetimeOf({ routes = {}, dynamicRoutes = {} }: Manifest, key: string): Lifetime | undefined {
  const route = pathOf(key);
  const page = routes[route];
  if (page) return { revalidate: page.initialRevalidateSeconds, expire: page.initialExpireSeconds };
  const shell = dynamicRoutes[route];
  if (shell) return { revalidate: shell.fallbackRevalidate ?? false, expire: shell.fallbackExpire };
  return undefined;
}

async function files(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile() && entry.name.endsWith(SUFFIX)).map((entry) => join(entry.parentPath, entry.name));
}

const readJson = <Value>(file: string) => ofBuild(file, async () => JSON.parse(await readFile(file, "utf8")) as Value);

async function ofBuild<Result>(file: string, read: (file: string) => Promise<Result>): Promise<Result> {
  try {
    return await read(file);
  } catch (error) {
    throw new Error(`${file} could not be read (${messageOf(error)}): expected what "opennextjs-cloudflare build" makes; run it first`, {
      cause: error,
    });
  }
}
