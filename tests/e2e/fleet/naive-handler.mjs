// What a `cacheHandler` over the Onegen Worker looks like without guards: no time limits, errors are let go, and background work is
// left to itself. Controls run it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const kept = new Map();

export default class NaiveHandler {
  constructor({ serverDistDir }) {
    this.dist = join(serverDistDir, "..");
  }

  async get(key, { kind }) {
    await this.ask("entry", "GET", key, kind);
    return kept.get(key) ?? null;
  }

  async set(key, value, { cacheControl }) {
    if (value) kept.set(key, { value, lastModified: Date.now(), cacheControl });
    void this.ask("touch", "POST", key, value?.kind);
  }

  async revalidateTag() {}

  resetRequestCache() {}

  async ask(what, method, key, kind) {
    const { ONEGEN_URL, ONEGEN_TOKEN } = process.env;
    if (!ONEGEN_URL) return;
    const build = readFileSync(join(this.dist, "BUILD_ID"), "utf8").trim();
    const name = `onegen/1/app/${build}/${kind === "FETCH" ? "data" : "response"}/${key}`;
    const url = `${ONEGEN_URL}/v1/${what}?key=${encodeURIComponent(name)}`;
    const response = await fetch(url, { method, headers: { authorization: `Bearer ${ONEGEN_TOKEN}` } });
    await response.arrayBuffer();
    if (!response.ok && response.status !== 404) throw new Error(`the Worker answered ${response.status}`);
  }
}
