/** A step of a call: perform the effect and resume the machine with the reply, or take the result. */
export type Step =
  | { step: "perform"; machine: number; effect: { kind: string; [field: string]: unknown }; deadline_ms: number }
  | { step: "done"; result: "entry" | "miss" | "ended"; [field: string]: unknown };

/** One isolate's engine, guarded: whatever happens inside, a call ends with a result. For hosts; apps do not need it. */
export class Engine {
  constructor(options: object, build: string, secret: string);
  panics: number;
  onReset: () => void;
  begin(call: object, now: number): Step;
  resume(machine: number, reply: object | string, now: number): Step;
  /** Calls one of the free functions of `core`, guarded as well: undefined if it panics twice. */
  call(name: string, ...args: unknown[]): any;
  stats(): { memoryBytes: number; machines: number; corruptValues: number; wasmBytes: number };
}

/** The engine's free functions: frames, keys, leases, header values. */
export const core: typeof import("../wasm/engine/engine.js");
