// What a build of Next.js tells of itself, and the pages that it rendered.
import { readFileSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { core } from "../engine/node.js";
import { pathOf } from "../paths.js";
import { toStored } from "./values.js";

const SEGMENT_SUFFIX = ".segment.rsc";

/** One build, found by the folder of its server files. */
export class Build {
  #server;
  #manifest;

  /** @param {string} server `<dist>/server`, as Next.js tells it @throws {Error} when no build is there */
  constructor(server) {
    this.#server = server;
    this.#manifest = this.#json("../prerender-manifest.json") ?? {};
    // With a deployment id Next.js makes the build id a constant (next 16.2, `build/index.js`).
    const { deploymentId, expireTime } = this.#json("../required-server-files.json")?.config ?? {};
    this.id = process.env.NEXT_DEPLOYMENT_ID || deploymentId || this.#text("../BUILD_ID")?.trim();
    /** How long a page may be used that says nothing of it itself, in seconds. */
    this.expireTime = expireTime;
    this.previewId = this.#manifest.preview?.previewModeId;
    if (!this.id) throw new Error(`there is no build id in ${join(server, "..")}: expected what "next build" makes; run it first`);
  }

  /** The keys of Next.js of all that the build rendered. */
  async keys() {
    const paths = Object.keys(this.#manifest.routes ?? {});
    return Promise.all(paths.map((path) => this.#keyOf(path)));
  }

  /** The build tells a key itself where it is not the path (next 15.5.27, 16.3.8, 16.4). */
  async #keyOf(path) {
    for (const router of ["app", "pages"]) {
      const meta = parsed(await readOrNone(`${join(this.#server, router, fileOf(path))}.meta`));
      if (meta?.routeCache?.key) return meta.routeCache.key;
    }
    return path === "/" || /^\/index(\/|$)/.test(path) ? `/index${path === "/" ? "" : path}` : path;
  }

  /** The frame of what the build rendered under a key of Next.js, or undefined. */
  async seed(key) {
    const path = pathOf(key);
    const page = this.#manifest.routes?.[path];
    if (!page) return undefined;
    const file = fileOf(path);
    const value = (await this.#appValue(file, key)) ?? (await this.#pagesValue(file));
    if (!value) return undefined;
    const builtAt = (await stat(join(this.#server, "../BUILD_ID"))).mtimeMs;
    const cacheControl = { revalidate: page.initialRevalidateSeconds, expire: page.initialExpireSeconds };
    return frameOf(toStored(value, { key, cacheControl }), builtAt);
  }

  async #appValue(file, key) {
    const base = join(this.#server, "app", file);
    const meta = parsed(await readOrNone(`${base}.meta`));
    if (!meta || (meta.routeCache && meta.routeCache.key !== key)) return undefined;
    const { headers, status, postponed } = meta;
    const body = await readOrNone(`${base}.body`);
    if (body) return { kind: "APP_ROUTE", body, status: status ?? 200, headers };
    const html = await readOrNone(`${base}.html`);
    if (!html) return undefined;
    const rscData = await readOrNone(`${base}.rsc`);
    const segmentData = meta.segmentPaths && (await segments(`${base}.segments`));
    return { kind: "APP_PAGE", html: html.toString("utf8"), rscData, headers, postponed, status, segmentData };
  }

  async #pagesValue(file) {
    const base = join(this.#server, "pages", file);
    const [html, data] = [await readOrNone(`${base}.html`), parsed(await readOrNone(`${base}.json`))];
    return html && data && { kind: "PAGES", html: html.toString("utf8"), pageData: data, headers: undefined, status: undefined };
  }

  /** Next.js's own map of lifetimes, which versions before 16.4 look into after they have asked the handler. */
  get lifetimes() {
    return moduleOfNext(this.#server, "shared-cache-controls.external.js")?.SharedCacheControls.cacheControls;
  }

  #text(name) {
    try {
      return readFileSync(join(this.#server, name), "utf8");
    } catch {
      return undefined;
    }
  }

  #json(name) {
    return parsed(this.#text(name));
  }
}

/**
 * One of the modules around Next.js's incremental cache, as the app has it installed; undefined where there is none.
 *
 * @param {string} server `<dist>/server`
 * @param {string} name a file in `next/dist/server/lib/incremental-cache`
 */
export function moduleOfNext(server, name) {
  try {
    return createRequire(join(server, "any.js"))(`next/dist/server/lib/incremental-cache/${name}`);
  } catch {
    return undefined;
  }
}

const fileOf = (path) => (path === "/" ? "index" : path.slice(1));

function frameOf({ shape, parts, tags, revalidate, expire }, builtAt) {
  const header = core.entry_header({
    g: 0,
    c: Math.floor(builtAt),
    r: revalidate,
    e: expire,
    t: tags,
    s: shape,
    b: parts.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength })),
  });
  return new Uint8Array(Buffer.concat([header, ...parts.map(({ bytes }) => bytes)]));
}

async function segments(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = found.filter((entry) => entry.isFile() && entry.name.endsWith(SEGMENT_SUFFIX)).map((entry) => join(entry.parentPath, entry.name));
  const named = async (file) => [`/${relative(folder, file).split(sep).join("/").slice(0, -SEGMENT_SUFFIX.length)}`, await readFile(file)];
  return new Map(await Promise.all(files.map(named)));
}

const readOrNone = (file) => readFile(file).catch(() => undefined);

function parsed(text) {
  try {
    return text === undefined ? undefined : JSON.parse(text.toString("utf8"));
  } catch {
    return undefined;
  }
}
