// The engine in Next.js's edge runtime, where wasm modules are imported with a query.
import module from "../wasm/engine/engine_bg.wasm?module";
import { initSync } from "../wasm/engine/engine.js";

initSync({ module });

export { Engine } from "./engine.js";
export * as core from "../wasm/engine/engine.js";
