// Preloaded into a process of a fleet that is watched from inside: it counts what nobody handled, says how much heap is in use, and its
// engine panics on demand.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/** The same engine with a panic on demand (`make .build/panicking/engine_bg.wasm`), behind the package's own glue. */
const PANICKING = fileURLToPath(new URL("../../../.build/panicking/engine_bg.wasm", import.meta.url));
const OWN = 'new URL("../../wasm/engine/engine_bg.wasm", import.meta.url)';
const ENGINE = Symbol.for("onegen.tests.engine");

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith("/onegen/dist/engine/node.js")) return nextLoad(url, context);
    const source = readFileSync(fileURLToPath(url), "utf8");
    if (!source.includes(OWN)) throw new Error(`${url} does not load its wasm as this script expects.`);
    const told = `import * as glue from "../../wasm/engine/engine.js";\nglobalThis[Symbol.for(${JSON.stringify(ENGINE.description)})] = glue;\n`;
    return { format: "module", shortCircuit: true, source: `${source.replace(OWN, JSON.stringify(PANICKING))}\n${told}` };
  },
});

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(`rejection: ${reason?.stack ?? reason}`));
process.on("uncaughtExceptionMonitor", (error, origin) => {
  if (origin === "uncaughtException") unhandled.push(`exception: ${error?.stack ?? error}`);
});

const answers = {
  /** What nobody handled so far. */
  unhandled: () => unhandled,

  /** Bytes of heap in use, after everything that can be collected was: V8 lets go of code that many collections found unused. */
  async heap() {
    for (let n = 0; n < 10; n += 1) {
      globalThis.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed;
  },

  /** How many calls of the engine are in progress. */
  machines: () => globalThis[ENGINE]?.stats().machines ?? 0,

  /** Lets the `calls`-th call of the engine from now on panic; says whether there is an engine. */
  panic(calls) {
    globalThis[ENGINE]?.initSync().inject_panic(calls);
    return globalThis[ENGINE] !== undefined;
  },
};

process.on("message", async ({ id, question, given }) => {
  if (question in answers) process.send({ id, answer: await answers[question](given) });
});
