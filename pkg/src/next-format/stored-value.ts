// A value as it is stored: what `Host.store` takes.
import type { Part } from "../engine/protocol.js";

/** A named run of a value's bytes. */
export interface StoredPart {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A value as runs of bytes, with what the engine has to know of it. */
export interface StoredValue {
  readonly shape: string;
  readonly parts: readonly StoredPart[];
  readonly tags: readonly string[];
  /** Fresh for so many seconds; undefined means until invalidated. */
  readonly revalidate: number | undefined;
  /** Usable for so many seconds; undefined means without limit. */
  readonly expire?: number | undefined;
}

/** What an entry tells of the value that its bytes hold. */
export interface StoredEntry {
  readonly shape: string;
  /** The runs of its bytes. */
  readonly parts: readonly Part[];
  readonly tags: readonly string[];
}

/** Seconds as the core takes them: whole, up to 32 bits; `false`, infinite and beyond mean without limit. */
export function lifetime(seconds: unknown): number | undefined {
  if (typeof seconds !== "number" || !(seconds < 0xfffffffe)) return undefined;
  return Math.max(0, Math.floor(seconds));
}
