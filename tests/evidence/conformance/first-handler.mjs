// A `cacheHandler` as one would write it first: JSON in a folder that all processes see, times compared by clocks. Controls run it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.FIRST_HANDLER_FOLDER;

export default class FirstHandler {
  async get(key) {
    const entry = read(key);
    if (entry === null) return null;
    const tags = entry.value?.headers?.["x-next-cache-tags"]?.split(",") ?? entry.tags;
    return tags.some((tag) => (read(`tag ${tag}`) ?? 0) > entry.lastModified) ? null : entry;
  }

  async set(key, value, { tags = [], cacheControl }) {
    write(key, { value, lastModified: Date.now(), tags, cacheControl });
  }

  async revalidateTag(tags) {
    for (const tag of [tags].flat()) write(`tag ${tag}`, Date.now());
  }

  resetRequestCache() {}
}

const fileOf = (key) => join(folder, encodeURIComponent(key));

function read(key) {
  try {
    return JSON.parse(readFileSync(fileOf(key), "utf8"));
  } catch {
    return null;
  }
}

function write(key, value) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(key), JSON.stringify(value));
}
