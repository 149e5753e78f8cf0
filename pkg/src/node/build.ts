// What a build of Next.js tells of itself, and the pages that it rendered.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { seedFrame } from "../next-format/frame.js";
import { type CacheControl, type NextValue, toStored } from "../next-format/next-values.js";
import { nameIn, nameOf, pathNamed } from "../next-format/paths.js";
import type { ValueHeaders } from "../next-format/tags.js";

/** Of Next.js's units of work (`server/app-render/work-unit-async-storage.external.js`) those whose results are stored. */
const STORED_UNITS = new Set(["cache", "private-cache", "unstable-cache", "prerender", "prerender-ppr", "prerender-legacy"]);
const SEGMENT_SUFFIX = ".segment.rsc";

/** Next.js's manifest of what was rendered (`build/index.d.ts`), as far as it is looked into. */
interface Manifest {
  readonly routes?: Record<string, { initialRevalidateSeconds?: number | false; initialExpireSeconds?: number; srcRoute?: string | null }>;
  readonly dynamicRoutes?: Record<
    string,
    { fallback?: string | null | false; fallbackRevalidate?: number | false; fallbackExpire?: number }
  >;
  readonly notFoundRoutes?: string[];
  readonly preview?: { previewModeId?: string };
}

/** The app's configuration, likewise. */
interface Config {
  readonly expireTime?: number;
  readonly deploymentId?: string;
  readonly experimental?: { runtimeServerDeploymentId?: boolean };
  readonly i18n?: { locales: string[] } | null;
}

/** What a build tells of a page beside its bytes. */
interface PageMeta {
  readonly headers?: ValueHeaders;
  readonly status?: number;
  readonly postponed?: string;
  readonly segmentPaths?: string[];
  readonly routeCache?: { key?: string };
}

/** One build, found by the folder of its server files. */
export class Build {
  readonly #server: string;
  readonly #manifest: Manifest;
  readonly #config: Config;
  /** Path → lifetime of what was rendered for it. */
  readonly #pages: Map<string, CacheControl>;
  #scoped: Promise<boolean> | undefined;
  readonly id: string;
  /** How long a page may be used that says nothing of it itself, in seconds. */
  readonly expireTime: number | undefined;
  readonly previewId: string | undefined;

  /** @param server `<dist>/server`, as Next.js tells it @throws {Error} when no build is there */
  constructor(server: string) {
    this.#server = server;
    this.#manifest = this.#json<Manifest>("../prerender-manifest.json") ?? {};
    this.#config = this.#json<{ config?: Config }>("../required-server-files.json")?.config ?? {};
    this.#pages = new Map([...this.#rendered(), ...this.#shells()]);
    this.id = this.#deploymentId() || (this.#text("../BUILD_ID")?.trim() ?? "");
    this.expireTime = this.#config.expireTime;
    this.previewId = this.#manifest.preview?.previewModeId;
    if (!this.id) throw new Error(`there is no build id in ${join(server, "..")}: expected what "next build" makes; run it first`);
  }

  /**
   * With a deployment id Next.js makes the build id a constant (next 16.2, `build/index.js`). What the environment says of it now may be
   * the same for two builds, or the configuration's, which Next.js puts there: it counts only where the build was to leave it open.
   */
  #deploymentId(): string | undefined {
    const { deploymentId, experimental } = this.#config;
    return deploymentId || (experimental?.runtimeServerDeploymentId ? process.env.NEXT_DEPLOYMENT_ID : undefined);
  }

  #rendered(): [path: string, lifetime: CacheControl][] {
    return Object.entries(this.#manifest.routes ?? {}).map(([path, page]) => [
      path,
      { revalidate: page.initialRevalidateSeconds, expire: page.initialExpireSeconds },
    ]);
  }

  /** What is served of a dynamic route while a page of it is rendered: one for each locale. */
  #shells(): [path: string, lifetime: CacheControl][] {
    const shells = Object.entries(this.#manifest.dynamicRoutes ?? {}).filter(([, { fallback }]) => typeof fallback === "string");
    const locales = this.#config.i18n?.locales.map((locale) => `/${locale}`) ?? [""];
    return shells.flatMap(([route, { fallbackRevalidate: revalidate = false, fallbackExpire: expire }]) =>
      locales.map((locale): [string, CacheControl] => [`${locale}${route}`, { revalidate, expire }]),
    );
  }

  #isShell(path: string): boolean {
    return this.#manifest.routes?.[path] === undefined;
  }

  /** The paths of all that the build rendered, and of shells that stand in for what it did not. */
  get paths(): string[] {
    return [...this.#pages.keys()];
  }

  /** The key of Next.js of what the build rendered for a path. */
  async keyOf(path: string): Promise<string> {
    const meta = await this.#metaOf(path);
    return meta ? (meta.routeCache?.key ?? nameOf(path)) : this.#notFoundKey(path);
  }

  /** Of what is not there the build leaves no file that would tell its key. Only pages of the Pages Router are remembered as such. */
  async #notFoundKey(path: string): Promise<string> {
    if (!(await this.#keysAreScoped())) return nameOf(path);
    const source = this.#manifest.routes?.[path]?.srcRoute ?? this.#withoutLocale(path);
    return `/route-cache/PAGES/${createHash("sha256").update(source).digest("hex")}/$${nameOf(path)}`;
  }

  /** Whether a build tells keys that are not the names (next 15.5.27, 16.3.8, 16.4) any file tells. */
  #keysAreScoped(): Promise<boolean> {
    this.#scoped ??= (async () => {
      for (const path of this.paths) {
        const meta = await this.#metaOf(path);
        if (meta) return meta.routeCache !== undefined;
      }
      return false;
    })();
    return this.#scoped;
  }

  #withoutLocale(path: string): string {
    const { locales = [] } = this.#config.i18n ?? {};
    const [, first = "", ...rest] = path.split("/");
    return locales.includes(first) ? `/${rest.join("/")}` : path;
  }

  /** Whether the build found that there is no page behind a key of Next.js. */
  async wasNotFound(key: string): Promise<boolean> {
    const path = pathNamed(nameIn(key));
    return this.#isNotFound(path) && (await this.keyOf(path)) === key;
  }

  #isNotFound(path: string): boolean {
    return this.#manifest.notFoundRoutes?.includes(path) ?? false;
  }

  /** The frame of what the build rendered under a key of Next.js, or undefined. */
  async seed(key: string): Promise<Uint8Array | undefined> {
    const path = pathNamed(nameIn(key));
    const cacheControl = this.#pages.get(path);
    if (!cacheControl || (await this.keyOf(path)) !== key) return undefined;
    const value = await this.#valueOf(path);
    if (value === undefined) return undefined;
    const builtAt = (await stat(join(this.#server, "../BUILD_ID"))).mtimeMs;
    return seedFrame(toStored(value, { key, cacheControl }), builtAt);
  }

  async #valueOf(path: string): Promise<NextValue | null | undefined> {
    if (this.#isNotFound(path)) return null;
    const meta = await this.#metaOf(path);
    return (meta && (await this.#appValue(path, meta))) ?? this.#pagesValue(path, meta ?? {});
  }

  /** As next does (`server/lib/incremental-cache/file-system-cache.js`). */
  async #appValue(path: string, { headers, status, postponed, segmentPaths }: PageMeta): Promise<NextValue | undefined> {
    const base = this.#file("app", path);
    const body = await readOrNone(`${base}.body`);
    if (body) return { kind: "APP_ROUTE", body, status: status ?? 200, headers };
    const html = await readOrNone(`${base}.html`);
    if (!html) return undefined;
    const rscData = postponed === undefined && !this.#isShell(path) ? await readOrNone(`${base}.rsc`) : undefined;
    const segmentData = segmentPaths && (await segments(`${base}.segments`));
    return { kind: "APP_PAGE", html: html.toString("utf8"), rscData, headers, postponed, status, segmentData };
  }

  async #pagesValue(path: string, { headers, status }: PageMeta): Promise<NextValue | undefined> {
    const base = this.#file("pages", path);
    const html = await readOrNone(`${base}.html`);
    const data = this.#isShell(path) ? {} : parsed<unknown>(await readOrNone(`${base}.json`));
    if (!html || !data) return undefined;
    return { kind: "PAGES", html: html.toString("utf8"), pageData: data, headers, status };
  }

  /** What the build tells of a page beside its bytes; nothing of pages of the Pages Router before it told their keys. */
  async #metaOf(path: string): Promise<PageMeta | undefined> {
    for (const router of ["app", "pages"]) {
      const meta = parsed<PageMeta>(await readOrNone(`${this.#file(router, path)}.meta`));
      if (meta) return meta;
    }
    return undefined;
  }

  #file(router: string, path: string): string {
    return join(this.#server, router, nameOf(path));
  }

  /** Next.js's own map of lifetimes, which versions before 16.4 look into after they have asked the handler. */
  get lifetimes(): Map<string, CacheControl> | undefined {
    const found = moduleOfNext(this.#server, "shared-cache-controls.external.js");
    return (found as { SharedCacheControls: { cacheControls: Map<string, CacheControl> } } | undefined)?.SharedCacheControls.cacheControls;
  }

  /** Whether what is read now becomes part of something that is stored; undefined where Next.js does not tell. */
  get nesting(): () => boolean | undefined {
    const found = moduleOfNext(this.#server, "../../app-render/work-unit-async-storage.external.js");
    const storage = (found as WorkUnits | undefined)?.workUnitAsyncStorage;
    return () => {
      const type = storage?.getStore()?.type;
      return type === undefined ? undefined : STORED_UNITS.has(type);
    };
  }

  #text(name: string): string | undefined {
    try {
      return readFileSync(join(this.#server, name), "utf8");
    } catch {
      return undefined;
    }
  }

  #json<Value>(name: string): Value | undefined {
    return parsed<Value>(this.#text(name));
  }
}

/**
 * One of the modules around Next.js's incremental cache, as the app has it installed; undefined where there is none.
 *
 * @param server `<dist>/server`
 * @param name a file in `next/dist/server/lib/incremental-cache`
 */
export function moduleOfNext(server: string | undefined, name: string): unknown {
  try {
    return createRequire(join(server as string, "any.js"))(`next/dist/server/lib/incremental-cache/${name}`) as unknown;
  } catch {
    return undefined;
  }
}

/** Next.js's units of work. */
interface WorkUnits {
  workUnitAsyncStorage?: { getStore(): { type?: string } | undefined };
}

async function segments(folder: string): Promise<Map<string, Uint8Array>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = found
    .filter((entry) => entry.isFile() && entry.name.endsWith(SEGMENT_SUFFIX))
    .map((entry) => join(entry.parentPath, entry.name));
  const named = async (file: string): Promise<[string, Uint8Array]> => [
    `/${relative(folder, file).split(sep).join("/").slice(0, -SEGMENT_SUFFIX.length)}`,
    await readFile(file),
  ];
  return new Map(await Promise.all(files.map(named)));
}

const readOrNone = (file: string) => readFile(file).catch(() => undefined);

/** What a file of the build holds, as what Next.js writes there. */
function parsed<Value>(text: string | Buffer | undefined): Value | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text.toString("utf8")) as Value);
  } catch {
    return undefined;
  }
}
