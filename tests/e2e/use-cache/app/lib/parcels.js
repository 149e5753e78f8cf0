import { createHash, randomBytes } from "node:crypto";
import * as nextCache from "next/cache";
import { rendering } from "./render.js";

// 15.5 knows both under other names.
const cacheLife = nextCache.cacheLife ?? nextCache.unstable_cacheLife;
const cacheTag = nextCache.cacheTag ?? nextCache.unstable_cacheTag;

export const sealOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that are no text, and what they are known by. One whose name begins with "brief" is fresh for two seconds. */
export async function readParcel(name) {
  "use cache";
  cacheTag("parcels", `parcel:${name}`);
  cacheLife({ stale: 30, revalidate: name.startsWith("brief") ? 2 : 3600, expire: 86400 });
  const { result: bytes, ...render } = await rendering(`/parcels/${name}`, () => new Uint8Array(randomBytes(5000)));
  return { ...render, bytes, seal: sealOf(bytes) };
}

/** A value that is made of another one. */
export async function readCrate(name) {
  "use cache";
  cacheLife({ stale: 30, revalidate: 3600, expire: 86400 });
  const parcel = await readParcel(name);
  const render = await rendering(`/crates/${name}`);
  return { ...render, parcel: parcel.id };
}
