// Modules that only a bundler or workerd resolves.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare namespace WebAssembly {
  class Module {
    private readonly isModule;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
  }
}

type BufferSource = ArrayBuffer | ArrayBufferView;
type RequestInfo = Request | string;

/** A stream of workerd's that tells its length. */
declare class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(expectedLength: number);
}

declare module "cloudflare:workers" {
  export abstract class DurableObject<Bindings = unknown> {
    protected ctx: import("./worker/runtime.js").ObjectState;
    protected env: Bindings;
    constructor(ctx: import("./worker/runtime.js").ObjectState, env: Bindings);
  }
}
