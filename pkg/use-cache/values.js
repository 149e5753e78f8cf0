// Next.js's `use cache` entries as runs of bytes, and back.
import { lifetime } from "../opennext/values.js";

const SHAPE = "use-cache";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON knows no infinity. */
const written = (number) => (Number.isFinite(number) ? number : String(number));

/**
 * @param {{ tags: string[], stale: number, timestamp: number, expire: number, revalidate: number }} entry
 * @param {Uint8Array} bytes what its stream held
 * @returns what `Host.store` takes
 */
export function toStored({ tags, stale, timestamp, expire, revalidate }, bytes) {
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

/** Back from bytes: the entry without its stream, and the bytes for that; undefined for what somebody else has stored under the key. */
export function fromStored({ shape, parts, tags }, body) {
  if (shape !== SHAPE) return undefined;
  const length = parts[0].bytes;
  const { stale, timestamp, expire, revalidate } = JSON.parse(decoder.decode(body.subarray(0, length)));
  const entry = { tags: [...tags], stale: Number(stale), timestamp, expire: Number(expire), revalidate: Number(revalidate) };
  return { entry, bytes: body.subarray(length) };
}

/** Whether an entry is one to keep: Next.js makes a value that ends at once anew for every reader. */
export const isKept = ({ expire, revalidate }) => expire > 0 && revalidate > 0;

/** All bytes of a stream, which ends with this. */
export async function bytesOf(stream) {
  const chunks = [];
  let length = 0;
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    length += next.value.byteLength;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** A stream over a copy of bytes: whoever reads it may do with them what it likes. */
export function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes.slice());
      controller.close();
    },
  });
}

/** Next.js's clock, in which it compares an entry's `timestamp`. */
export const clock = () => performance.timeOrigin + performance.now();

const atLeastOne = (seconds) => (seconds === undefined ? undefined : Math.max(1, seconds));
