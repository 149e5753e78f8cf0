// Next.js's cache values as runs of bytes, and back: the same runs as OpenNext's values give, so that `next start` and Workers
// read each other's entries.
import { lifetime } from "../opennext/values.js";
import { pathTags } from "../paths.js";

const encoder = new TextEncoder();
const TAGS_HEADER = "x-next-cache-tags";
const SEGMENT = "segment:";
/** OpenNext keeps bodies of textual types as text, and of others as base64 (its `utils/binary.js`). */
const TEXTUAL = /^text\/|json|xml|javascript|x-www-form-urlencoded/i;

const SHAPES = { APP_PAGE: "app", APP_ROUTE: "route", PAGES: "page", REDIRECT: "redirect", IMAGE: "image", FETCH: "fetch" };

/**
 * @param {object | null} value an `IncrementalCacheValue` (next, `server/response-cache/types.d.ts`); null for a page that is not there
 * @param {{ key: string, tags?: string[], cacheControl?: { revalidate: number | false, expire?: number } }} about
 * @returns what `Host.store` takes
 */
export function toStored(value, { key, tags, cacheControl }) {
  const limits = { revalidate: lifetime(cacheControl?.revalidate), expire: lifetime(cacheControl?.expire) };
  if (value === null) return { shape: "not-found", parts: [], tags: pathTags(key), ...limits };
  const { parts, rest } = split(value);
  return {
    shape: SHAPES[value.kind],
    parts: [{ name: "rest", bytes: encoder.encode(JSON.stringify(rest)) }, ...parts.filter(({ bytes }) => bytes !== undefined)],
    tags: tags ?? tagsOf(value, key),
    ...limits,
  };
}

function split(value) {
  const meta = { status: value.status, headers: value.headers, postponed: value.postponed };
  const text = (name, given) => ({ name, bytes: given === undefined ? undefined : encoder.encode(given) });
  switch (value.kind) {
    case "APP_PAGE": {
      const segments = [...(value.segmentData ?? [])].map(([path, bytes]) => ({ name: `${SEGMENT}${path}`, bytes }));
      const rest = { type: "app", meta, ...(value.segmentData && { segmentData: {} }) };
      return { parts: [text("html", value.html), { name: "rsc", bytes: value.rscData }, ...segments], rest };
    }
    case "APP_ROUTE": {
      const type = String(value.headers?.["content-type"] ?? "");
      const name = type === "" || TEXTUAL.test(type) ? "body" : "body:base64";
      return { parts: [{ name, bytes: value.body }], rest: { type: "route", meta } };
    }
    case "PAGES":
      return { parts: [text("html", value.html), text("json", JSON.stringify(value.pageData))], rest: { type: "page", meta } };
    case "REDIRECT":
      return { parts: [], rest: { type: "redirect", props: value.props } };
    case "IMAGE": {
      const { buffer, ...rest } = value;
      return { parts: [{ name: "image", bytes: buffer }], rest };
    }
    case "FETCH": {
      const { body, ...data } = value.data;
      return { parts: [text("data", body)], rest: { ...value, data } };
    }
    default:
      throw new Error(`onegen: a value of kind ${value.kind} is not known: expected one of ${Object.keys(SHAPES).join(", ")}`);
  }
}

/** Back from bytes: every call makes a new value, because Next.js writes into what it is given. */
export function fromStored(entry, body) {
  const runs = new Map();
  let at = 0;
  for (const { name, bytes } of entry.parts) {
    runs.set(name, body.subarray(at, at + bytes));
    at += bytes;
  }
  const buffer = (name) => (runs.has(name) ? Buffer.from(runs.get(name)) : undefined);
  const text = (name) => buffer(name)?.toString("utf8");
  if (entry.shape === "not-found") return null;
  const rest = JSON.parse(text("rest"));
  const { status, headers, postponed } = rest.meta ?? {};
  switch (entry.shape) {
    case "app": {
      const segments = [...runs.keys()].filter((name) => name.startsWith(SEGMENT)).map((name) => [name.slice(SEGMENT.length), buffer(name)]);
      const segmentData = rest.segmentData && new Map(segments);
      return { kind: "APP_PAGE", html: text("html"), rscData: buffer("rsc"), headers, postponed, status, segmentData };
    }
    case "route":
      return { kind: "APP_ROUTE", body: buffer("body:base64") ?? buffer("body") ?? Buffer.alloc(0), status, headers };
    case "page":
      return { kind: "PAGES", html: text("html"), pageData: JSON.parse(text("json") ?? "{}"), headers, status };
    case "redirect":
      return { kind: "REDIRECT", props: rest.props };
    case "image":
      return { ...rest, buffer: buffer("image") };
    case "fetch":
      return { ...rest, kind: "FETCH", data: { ...rest.data, body: text("data") } };
    default:
      return undefined;
  }
}

/** Next.js tells the tags of pages and routes of the App Router in a header; the Pages Router's have none but their path. */
function tagsOf({ kind, headers }, key) {
  if (kind === "PAGES" || kind === "REDIRECT") return pathTags(key);
  const header = headers?.[TAGS_HEADER];
  return typeof header === "string" && header !== "" ? header.split(",") : [];
}
