// Next.js's cache values as runs of bytes, and back: the same runs as OpenNext's values give, so that `next start` and Workers
// read each other's entries.
import { pathTags } from "./paths.js";
import { type StoredEntry, type StoredPart, type StoredValue, lifetime } from "./stored-value.js";
import { type ValueHeaders, tagsOf } from "./tags.js";

const encoder = new TextEncoder();
const SEGMENT = "segment:";
/** OpenNext keeps bodies of textual types as text, and of others as base64 (its `utils/binary.js`). */
const TEXTUAL = /^text\/|json|xml|javascript|x-www-form-urlencoded/i;

const SHAPES = { APP_PAGE: "app", APP_ROUTE: "route", PAGES: "page", REDIRECT: "redirect", IMAGE: "image", FETCH: "fetch" } as const;

/** What an `IncrementalCacheValue` of any kind tells beside its contents. */
interface Meta {
  status?: number | undefined;
  headers?: ValueHeaders | undefined;
  postponed?: string | undefined;
}

/** An `IncrementalCacheValue` (next, `server/response-cache/types.d.ts`), as far as it is looked into. */
export type NextValue =
  | (Meta & { kind: "APP_PAGE"; html: string; rscData?: Uint8Array | undefined; segmentData?: Map<string, Uint8Array> | undefined })
  | (Meta & { kind: "APP_ROUTE"; body: Uint8Array })
  | (Meta & { kind: "PAGES"; html: string; pageData: unknown })
  | (Meta & { kind: "REDIRECT"; props: unknown })
  | (Meta & { kind: "IMAGE"; buffer: Uint8Array })
  | (Meta & { kind: "FETCH"; data: { body: string }; tags?: string[] | undefined; revalidate?: number | false | undefined });

/** Lifetimes as Next.js tells them, in seconds. */
export interface CacheControl {
  revalidate?: number | false | undefined;
  expire?: number | undefined;
}

/** @param value null for a page that is not there */
export function toStored(
  value: NextValue | null,
  { key, tags, cacheControl }: { key: string; tags?: readonly string[] | undefined; cacheControl?: CacheControl | undefined },
): StoredValue {
  const limits = { revalidate: lifetime(cacheControl?.revalidate), expire: lifetime(cacheControl?.expire) };
  if (value === null) return { shape: "not-found", parts: [], tags: pathTags(key), ...limits };
  const { parts, rest } = split(value);
  const isOfPagesRouter = value.kind === "PAGES" || value.kind === "REDIRECT";
  return {
    shape: SHAPES[value.kind],
    parts: [{ name: "rest", bytes: encoder.encode(JSON.stringify(rest)) }, ...parts.filter((part) => part !== undefined)],
    tags: tags ?? tagsOf({ isOfPagesRouter, headers: value.headers }, key),
    ...limits,
  };
}

function split(value: NextValue): { parts: (StoredPart | undefined)[]; rest: object } {
  const meta: Meta = { status: value.status, headers: value.headers, postponed: value.postponed };
  const run = (name: string, bytes: Uint8Array | undefined) => bytes && { name, bytes };
  const text = (name: string, given: string | undefined) => (given === undefined ? undefined : { name, bytes: encoder.encode(given) });
  switch (value.kind) {
    case "APP_PAGE": {
      const segments = [...(value.segmentData ?? [])].map(([path, bytes]) => run(`${SEGMENT}${path}`, bytes));
      const rest = { type: "app", meta, ...(value.segmentData && { segmentData: {} }) };
      return { parts: [text("html", value.html), run("rsc", value.rscData), ...segments], rest };
    }
    case "APP_ROUTE": {
      const type = textOf(value.headers?.["content-type"]);
      const name = type === "" || TEXTUAL.test(type) ? "body" : "body:base64";
      return { parts: [run(name, value.body)], rest: { type: "route", meta } };
    }
    case "PAGES":
      return { parts: [text("html", value.html), text("json", JSON.stringify(value.pageData))], rest: { type: "page", meta } };
    case "REDIRECT":
      return { parts: [], rest: { type: "redirect", props: value.props } };
    case "IMAGE": {
      const { buffer, ...rest } = value;
      return { parts: [run("image", buffer)], rest };
    }
    case "FETCH": {
      const { body, ...data } = value.data;
      return { parts: [text("data", body)], rest: { ...value, data } };
    }
    default:
      throw new Error(
        `onegen: a value of kind ${(value as { kind: string }).kind} is not known: expected one of ${Object.keys(SHAPES).join(", ")}`,
      );
  }
}

/** A header's value as one text. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join() : typeof value === "string" ? value : "";
}

/** Back from bytes: every call makes a new value, because Next.js writes into what it is given. */
export function fromStored(entry: StoredEntry, body: Uint8Array): NextValue | null | undefined {
  const runs = new Map<string, Uint8Array>();
  let at = 0;
  for (const { name, bytes } of entry.parts) {
    runs.set(name, body.subarray(at, at + bytes));
    at += bytes;
  }
  const buffer = (name: string) => {
    const run = runs.get(name);
    return run && Buffer.from(run);
  };
  const text = (name: string) => buffer(name)?.toString("utf8");
  if (entry.shape === "not-found") return null;
  const rest = JSON.parse(text("rest") as string) as Rest;
  const { status, headers, postponed } = rest.meta ?? {};
  switch (entry.shape) {
    case "app": {
      const segments = [...runs].filter(([name]) => name.startsWith(SEGMENT));
      const segmentData = rest.segmentData && new Map(segments.map(([name, run]) => [name.slice(SEGMENT.length), Buffer.from(run)]));
      return { kind: "APP_PAGE", html: text("html") as string, rscData: buffer("rsc"), headers, postponed, status, segmentData };
    }
    case "route":
      return { kind: "APP_ROUTE", body: buffer("body:base64") ?? buffer("body") ?? Buffer.alloc(0), status, headers };
    case "page":
      return { kind: "PAGES", html: text("html") as string, pageData: JSON.parse(text("json") ?? "{}"), headers, status };
    case "redirect":
      return { kind: "REDIRECT", props: rest.props };
    case "image":
      return { ...rest, buffer: buffer("image") } as NextValue & { kind: "IMAGE" };
    case "fetch":
      return { ...rest, kind: "FETCH", data: { ...rest.data, body: text("data") as string } };
    default:
      return undefined;
  }
}

/** What travels in the run `rest`. */
interface Rest {
  kind?: string;
  meta?: Meta;
  segmentData?: object;
  props?: unknown;
  data?: object;
}
