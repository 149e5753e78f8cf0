/** How large the wasm files are that are shipped, and how long a new isolate takes to have an engine. */

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { gzipSync } from "node:zlib";

const fileOf = (name) => new URL(`../pkg/wasm/${name}/${name}_bg.wasm`, import.meta.url);

/** Bytes after gzip. @param {URL} file */
export const gzipBytes = (file) => gzipSync(readFileSync(file), { level: 9 }).byteLength;

export const gzipBytesOf = (name) => gzipBytes(fileOf(name));

/** Milliseconds from a compiled module, which is what workerd gives a Worker, to a configured engine. */
export async function instantiations(times) {
  const module = new WebAssembly.Module(readFileSync(fileOf("engine")));
  const taken = [];
  for (let time = -1; time < times; time += 1) {
    const core = await import(`../pkg/wasm/engine/engine.js?instance=${time}`);
    const begun = performance.now();
    core.initSync({ module });
    core.configure("app", undefined, undefined, undefined, "build", "secret");
    if (time >= 0) taken.push(performance.now() - begun);
  }
  return taken;
}
