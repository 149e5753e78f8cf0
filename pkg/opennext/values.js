// OpenNext's cache values as runs of bytes, and back.
//
// Large texts become runs of their own; everything else of a value travels in the run `rest`, as JSON. Binary route bodies, which
// OpenNext hands over as base64, are stored as the bytes they are.
import { pathTags } from "../paths.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const TAGS_HEADER = "x-next-cache-tags";
const SEGMENT = "segment:";
/** A body of bytes, which OpenNext hands over, and takes back, as base64. */
const BASE64 = "body:base64";

/**
 * @param {object} value a `CachedFile` of OpenNext
 * @param {string} key
 * @returns what `Host.store` takes
 */
export function toStored(value, key) {
  const { parts, rest } = splitFile(value);
  return {
    shape: value.type,
    parts: [{ name: "rest", bytes: encoder.encode(JSON.stringify(rest)) }, ...parts],
    tags: tagsOf(value, key),
    revalidate: lifetime(value.revalidate),
  };
}

/** @param {object} value Next.js's `CachedFetchValue`: OpenNext tells no tags with it, but whenever it is read */
export function toStoredData(value) {
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
export function fromStored(entry, body) {
  return valueOf(textsOf(entry, body));
}

/** What a stored value consists of, as texts: name → text. */
export function textsOf(entry, body) {
  const texts = new Map();
  let at = 0;
  for (const { name, bytes } of entry.parts) {
    const run = body.subarray(at, at + bytes);
    texts.set(name, name === BASE64 ? Buffer.from(run.buffer, run.byteOffset, bytes).toString("base64") : decoder.decode(run));
    at += bytes;
  }
  return texts;
}

/** A new value of these texts. */
export function valueOf(texts) {
  const value = JSON.parse(texts.get("rest"));
  for (const [name, text] of texts) {
    if (name.startsWith(SEGMENT)) value.segmentData[name.slice(SEGMENT.length)] = text;
    else if (name === BASE64) value.body = text;
    else if (name === "data") value.data.body = text;
    else if (name === "json") value.json = JSON.parse(text);
    else if (name !== "rest") value[name] = text;
  }
  return value;
}

function splitFile(value) {
  const { html, rsc, body, json, segmentData, ...rest } = value;
  const parts = [];
  const add = (name, text) => text !== undefined && parts.push({ name, bytes: encoder.encode(text) });
  add("html", html);
  add("rsc", rsc);
  add("json", json === undefined ? undefined : JSON.stringify(json));
  if (body !== undefined) {
    const binary = fromBase64(body, value.meta?.headers?.["content-type"]);
    parts.push(binary ? { name: BASE64, bytes: binary } : { name: "body", bytes: encoder.encode(body) });
  }
  if (segmentData !== undefined) {
    rest.segmentData = {};
    for (const [path, text] of Object.entries(segmentData)) add(`${SEGMENT}${path}`, text);
  }
  return { parts, rest };
}

/** The bytes behind a base64 text, if it is exactly one: texts of textual types are never taken for base64. */
function fromBase64(text, contentType = "") {
  if (/^text\/|json|xml|javascript|x-www-form-urlencoded/i.test(String(contentType))) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/** Next.js tells the tags of pages and routes of the App Router in a header; the Pages Router's have none but their path. */
function tagsOf(value, key) {
  if (value.type === "page" || value.type === "redirect") return pathTags(key);
  const header = value.meta?.headers?.[TAGS_HEADER];
  return typeof header === "string" && header !== "" ? header.split(",") : [];
}

/** Seconds as the core takes them: whole, up to 32 bits; `false`, infinite and beyond mean without limit. */
export function lifetime(seconds) {
  if (typeof seconds !== "number" || !(seconds < 0xfffffffe)) return undefined;
  return Math.max(0, Math.floor(seconds));
}
