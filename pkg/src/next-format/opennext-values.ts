// OpenNext's cache values as runs of bytes, and back.
//
// Large texts become runs of their own; everything else of a value travels in the run `rest`, as JSON. Binary route bodies, which
// OpenNext hands over as base64, are stored as the bytes they are.
import { type StoredEntry, type StoredPart, type StoredValue, lifetime } from "./stored-value.js";
import { type ValueHeaders, tagsOf } from "./tags.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const SEGMENT = "segment:";
/** A body of bytes, which OpenNext hands over, and takes back, as base64. */
const BASE64 = "body:base64";

/** A `CachedFile` of OpenNext. */
export interface OpenNextFile {
  type: string;
  html?: string;
  rsc?: string;
  body?: string;
  json?: unknown;
  segmentData?: Record<string, string>;
  meta?: { headers?: ValueHeaders; routeCache?: { owner?: { kind?: string }; isFallback?: boolean } };
  props?: unknown;
  revalidate?: number | false | undefined;
}

/** Next.js's `CachedFetchValue`: OpenNext tells no tags with it, but whenever it is read. */
export interface OpenNextData {
  data?: { body?: string };
  tags?: string[];
  revalidate?: number | false;
}

export function toStored(value: OpenNextFile, key: string): StoredValue {
  const { parts, rest } = splitFile(value);
  const isOfPagesRouter = value.type === "page" || value.type === "redirect";
  return {
    shape: value.type,
    parts: [{ name: "rest", bytes: encoder.encode(JSON.stringify(rest)) }, ...parts],
    tags: tagsOf({ isOfPagesRouter, headers: value.meta?.headers }, key),
    revalidate: lifetime(value.revalidate),
  };
}

export function toStoredData(value: OpenNextData): StoredValue {
  const { body, ...data } = value.data ?? {};
  const parts = typeof body === "string" ? [{ name: "data", bytes: encoder.encode(body) }] : [];
  return {
    shape: "fetch",
    parts: [{ name: "rest", bytes: encoder.encode(JSON.stringify({ ...value, data })) }, ...parts],
    tags: value.tags ?? [],
    revalidate: lifetime(value.revalidate),
  };
}

/** Back from bytes: every call makes a new value, because hosts write into what they are given. */
export function fromStored(entry: StoredEntry, body: Uint8Array): OpenNextFile {
  return valueOf(textsOf(entry, body));
}

/** Texts by their names. */
export type Texts = ReadonlyMap<string, string>;

/** What a stored value consists of, as texts. */
export function textsOf(entry: StoredEntry, body: Uint8Array): Texts {
  const texts = new Map<string, string>();
  let at = 0;
  for (const { name, bytes } of entry.parts) {
    const run = body.subarray(at, at + bytes);
    texts.set(name, name === BASE64 ? Buffer.from(run.buffer, run.byteOffset, bytes).toString("base64") : decoder.decode(run));
    at += bytes;
  }
  return texts;
}

/** A value as it is put together again: of which kind it is shows in its parts. */
type Rebuilt = OpenNextFile & { segmentData: Record<string, string>; data: { body?: string } } & Record<string, unknown>;

/** A new value of these texts. */
export function valueOf(texts: Texts): OpenNextFile {
  const value = JSON.parse(texts.get("rest") as string) as Rebuilt;
  for (const [name, text] of texts) {
    if (name.startsWith(SEGMENT)) value.segmentData[name.slice(SEGMENT.length)] = text;
    else if (name === BASE64) value.body = text;
    else if (name === "data") value.data.body = text;
    else if (name === "json") value.json = JSON.parse(text);
    else if (name !== "rest") (value as Record<string, unknown>)[name] = text;
  }
  return value;
}

function splitFile(value: OpenNextFile): { parts: StoredPart[]; rest: object } {
  const { html, rsc, body, json, segmentData, ...rest } = value;
  const parts: StoredPart[] = [];
  const add = (name: string, text: string | undefined) => {
    if (text !== undefined) parts.push({ name, bytes: encoder.encode(text) });
  };
  add("html", html);
  add("rsc", rsc);
  add("json", json === undefined ? undefined : JSON.stringify(json));
  if (body !== undefined) {
    const binary = fromBase64(body, value.meta?.headers?.["content-type"]);
    parts.push(binary ? { name: BASE64, bytes: binary } : { name: "body", bytes: encoder.encode(body) });
  }
  for (const [path, text] of Object.entries(segmentData ?? {})) add(`${SEGMENT}${path}`, text);
  return { parts, rest: segmentData === undefined ? rest : { ...rest, segmentData: {} } };
}

/** The bytes behind a base64 text, if it is exactly one: texts of textual types are never taken for base64. */
function fromBase64(text: string, contentType: unknown = ""): Uint8Array | undefined {
  if (/^text\/|json|xml|javascript|x-www-form-urlencoded/i.test(String(contentType))) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
