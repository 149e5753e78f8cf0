// The engine in workerd: a Worker may only run wasm that was uploaded as a module.
import module from "../../wasm/engine/engine_bg.wasm";
import { initSync } from "../../wasm/engine/engine.js";

initSync({ module });

export { Engine } from "./engine.js";
export * as core from "../../wasm/engine/engine.js";
