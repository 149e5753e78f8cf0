// The engine in Node: the file is found by this one's address, so that bundlers which trace files take it along.
import { readFileSync } from "node:fs";
import { initSync } from "../../wasm/engine/engine.js";

initSync({ module: readFileSync(new URL("../../wasm/engine/engine_bg.wasm", import.meta.url)) });

export { Engine } from "./engine.js";
export * as core from "../../wasm/engine/engine.js";
