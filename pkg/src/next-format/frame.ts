import { joined } from "../base/bytes.js";
import { core } from "../engine/node.js";
import type { EntryHeader } from "../engine/protocol.js";
import type { StoredValue } from "./stored-value.js";

/** The frame of a value that a build made: it is as old as the build. */
export function seedFrame({ shape, parts, tags, revalidate, expire }: StoredValue, builtAt: number): Uint8Array {
  const entry: EntryHeader = {
    g: 0,
    c: Math.floor(builtAt),
    r: revalidate,
    e: expire,
    t: tags,
    s: shape,
    b: parts.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength })),
  };
  return joined([core.entry_header(entry), ...parts.map(({ bytes }) => bytes)]);
}
