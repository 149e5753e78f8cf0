// What a build of Next.js tells of itself, and the pages that it rendered.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { core } from "../engine/node.js";
import { nameIn, nameOf, pathNamed } from "../paths.js";
import { toStored } from "./values.js";

/** Of Next.js's units of work (`server/app-render/work-unit-async-storage.external.js`) those whose results are stored. */
const STORED_UNITS = new Set(["cache", "private-cache", "unstable-cache", "prerender", "prerender-ppr", "prerender-legacy"]);
const SEGMENT_SUFFIX = ".segment.rsc";

/** One build, found by the folder of its server files. */
export class Build {
  #server;
  #manifest;
  #config;
  /** Path → lifetime of what was rendered for it. */
  #pages;
  #scoped;

  /** @param {string} server `<dist>/server`, as Next.js tells it @throws {Error} when no build is there */
  constructor(server) {
    this.#server = server;
    this.#manifest = this.#json("../prerender-manifest.json") ?? {};
    this.#config = this.#json("../required-server-files.json")?.config ?? {};
    this.#pages = new Map([...this.#rendered(), ...this.#shells()]);
    this.id = this.#deploymentId() || this.#text("../BUILD_ID")?.trim();
    /** How long a page may be used that says nothing of it itself, in seconds. */
    this.expireTime = this.#config.expireTime;
    this.previewId = this.#manifest.preview?.previewModeId;
    if (!this.id) throw new Error(`there is no build id in ${join(server, "..")}: expected what "next build" makes; run it first`);
  }

  /**
   * With a deployment id Next.js makes the build id a constant (next 16.2, `build/index.js`). What the environment says of it now may be
   * the same for two builds, or the configuration's, which Next.js puts there: it counts only where the build was to leave it open.
   */
  #deploymentId() {
    const { deploymentId, experimental } = this.#config;
    return deploymentId || (experimental?.runtimeServerDeploymentId && process.env.NEXT_DEPLOYMENT_ID);
  }

  #rendered() {
    const lifetime = ({ initialRevalidateSeconds: revalidate, initialExpireSeconds: expire }) => ({ revalidate, expire });
    return Object.entries(this.#manifest.routes ?? {}).map(([path, page]) => [path, lifetime(page)]);
  }

  /** What is served of a dynamic route while a page of it is rendered: one for each locale. */
  #shells() {
    const shells = Object.entries(this.#manifest.dynamicRoutes ?? {}).filter(([, { fallback }]) => typeof fallback === "string");
    const lifetime = ({ fallbackRevalidate: revalidate = false, fallbackExpire: expire }) => ({ revalidate, expire });
    const locales = this.#config.i18n?.locales.map((locale) => `/${locale}`) ?? [""];
    return shells.flatMap(([route, shell]) => locales.map((locale) => [`${locale}${route}`, lifetime(shell)]));
  }

  #isShell(path) {
    return this.#manifest.routes?.[path] === undefined;
  }

  /** The paths of all that the build rendered, and of shells that stand in for what it did not. */
  get paths() {
    return [...this.#pages.keys()];
  }

  /** The key of Next.js of what the build rendered for a path. */
  async keyOf(path) {
    const meta = await this.#metaOf(path);
    return meta ? (meta.routeCache?.key ?? nameOf(path)) : this.#notFoundKey(path);
  }

  /** Of what is not there the build leaves no file that would tell its key. Only pages of the Pages Router are remembered as such. */
  async #notFoundKey(path) {
    if (!(await this.#keysAreScoped())) return nameOf(path);
    const source = this.#manifest.routes?.[path]?.srcRoute ?? this.#withoutLocale(path);
    return `/route-cache/PAGES/${createHash("sha256").update(source).digest("hex")}/$${nameOf(path)}`;
  }

  /** Whether a build tells keys that are not the names (next 15.5.27, 16.3.8, 16.4) any file tells. */
  #keysAreScoped() {
    this.#scoped ??= (async () => {
      for (const path of this.paths) {
        const meta = await this.#metaOf(path);
        if (meta) return meta.routeCache !== undefined;
      }
      return false;
    })();
    return this.#scoped;
  }

  #withoutLocale(path) {
    const { locales = [] } = this.#config.i18n ?? {};
    const [, first, ...rest] = path.split("/");
    return locales.includes(first) ? `/${rest.join("/")}` : path;
  }

  /** Whether the build found that there is no page behind a key of Next.js. */
  async wasNotFound(key) {
    const path = pathNamed(nameIn(key));
    return this.#isNotFound(path) && (await this.keyOf(path)) === key;
  }

  #isNotFound(path) {
    return this.#manifest.notFoundRoutes?.includes(path) ?? false;
  }

  /** The frame of what the build rendered under a key of Next.js, or undefined. */
  async seed(key) {
    const path = pathNamed(nameIn(key));
    const cacheControl = this.#pages.get(path);
    if (!cacheControl || (await this.keyOf(path)) !== key) return undefined;
    const value = await this.#valueOf(path);
    if (value === undefined) return undefined;
    const builtAt = (await stat(join(this.#server, "../BUILD_ID"))).mtimeMs;
    return frameOf(toStored(value, { key, cacheControl }), builtAt);
  }

  async #valueOf(path) {
    if (this.#isNotFound(path)) return null;
    const meta = await this.#metaOf(path);
    return (meta && (await this.#appValue(path, meta))) ?? this.#pagesValue(path, meta ?? {});
  }

  /** As next does (`server/lib/incremental-cache/file-system-cache.js`). */
  async #appValue(path, { headers, status, postponed, segmentPaths }) {
    const base = this.#file("app", path);
    const body = await readOrNone(`${base}.body`);
    if (body) return { kind: "APP_ROUTE", body, status: status ?? 200, headers };
    const html = await readOrNone(`${base}.html`);
    if (!html) return undefined;
    const rscData = postponed === undefined && !this.#isShell(path) ? await readOrNone(`${base}.rsc`) : undefined;
    const segmentData = segmentPaths && (await segments(`${base}.segments`));
    return { kind: "APP_PAGE", html: html.toString("utf8"), rscData, headers, postponed, status, segmentData };
  }

  async #pagesValue(path, { headers, status }) {
    const base = this.#file("pages", path);
    const [html, data] = [await readOrNone(`${base}.html`), this.#isShell(path) ? {} : parsed(await readOrNone(`${base}.json`))];
    return html && data && { kind: "PAGES", html: html.toString("utf8"), pageData: data, headers, status };
  }

  /** What the build tells of a page beside its bytes; nothing of pages of the Pages Router before it told their keys. */
  async #metaOf(path) {
    for (const router of ["app", "pages"]) {
      const meta = parsed(await readOrNone(`${this.#file(router, path)}.meta`));
      if (meta) return meta;
    }
    return undefined;
  }

  #file(router, path) {
    return join(this.#server, router, nameOf(path));
  }

  /** Next.js's own map of lifetimes, which versions before 16.4 look into after they have asked the handler. */
  get lifetimes() {
    return moduleOfNext(this.#server, "shared-cache-controls.external.js")?.SharedCacheControls.cacheControls;
  }

  /** Whether what is read now becomes part of something that is stored; undefined where Next.js does not tell. */
  get nesting() {
    const storage = moduleOfNext(this.#server, "../../app-render/work-unit-async-storage.external.js")?.workUnitAsyncStorage;
    return () => {
      const type = storage?.getStore()?.type;
      return type === undefined ? undefined : STORED_UNITS.has(type);
    };
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
