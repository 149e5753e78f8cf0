// Next.js's `use cache` entries as runs of bytes, and back.
import { joined } from "../base/bytes.js";
import { type StoredEntry, type StoredValue, lifetime } from "./stored-value.js";

/** A `use cache` entry of Next.js (`server/lib/cache-handlers/types.d.ts`) without its stream. Lifetimes are in seconds. */
export interface CacheEntryHead {
  tags: string[];
  stale: number;
  /** When it was made, in milliseconds. */
  timestamp: number;
  expire: number;
  revalidate: number;
}

/** The same with its bytes to come. */
export interface CacheEntry extends CacheEntryHead {
  value: ReadableStream<Uint8Array>;
}

const SHAPE = "use-cache";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON knows no infinity. */
const written = (number: number) => (Number.isFinite(number) ? number : String(number));

/** @param bytes what its stream held */
export function toStored({ tags, stale, timestamp, expire, revalidate }: CacheEntryHead, bytes: Uint8Array): StoredValue {
  const rest = { stale: written(stale), timestamp, expire: written(expire), revalidate: written(revalidate) };
  return {
    shape: SHAPE,
    parts: [
      { name: "rest", bytes: encoder.encode(JSON.stringify(rest)) },
      { name: "value", bytes },
    ],
    tags: [...tags],
    // What ends at once is not stored; a part of a second counts as one.
    revalidate: isKept({ expire, revalidate }) ? atLeastOne(lifetime(revalidate)) : 0,
    expire: atLeastOne(lifetime(expire)),
  };
}

interface Written {
  stale: number | string;
  timestamp: number;
  expire: number | string;
  revalidate: number | string;
}

/** Back from bytes: the entry without its stream, and the bytes for that; undefined for what somebody else has stored under the key. */
export function fromStored(
  { shape, parts: [rest], tags }: StoredEntry,
  body: Uint8Array,
): { entry: CacheEntryHead; bytes: Uint8Array } | undefined {
  if (shape !== SHAPE || rest === undefined) return undefined;
  const length = rest.bytes;
  const { stale, timestamp, expire, revalidate } = JSON.parse(decoder.decode(body.subarray(0, length))) as Written;
  const entry: CacheEntryHead = {
    tags: [...tags],
    stale: Number(stale),
    timestamp,
    expire: Number(expire),
    revalidate: Number(revalidate),
  };
  return { entry, bytes: body.subarray(length) };
}

/** Whether an entry is one to keep: Next.js makes a value that ends at once anew for every reader. */
export const isKept = ({ expire, revalidate }: Pick<CacheEntryHead, "expire" | "revalidate">): boolean => expire > 0 && revalidate > 0;

/** All bytes of a stream, which ends with this. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
  }
  // A copy: what is kept shares no memory with what Next.js goes on to read.
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? new Uint8Array(first) : joined(chunks);
}

/** A stream over a copy of bytes: whoever reads it may do with them what it likes. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes.slice());
      controller.close();
    },
  });
}

/** Next.js's clock, in which it compares an entry's `timestamp`. */
export const clock = (): number => performance.timeOrigin + performance.now();

const atLeastOne = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.max(1, seconds));
