/** How every runtime of every world is set up, whatever Workers it runs. */

import { Log, LogLevel } from "miniflare";

/**
 * @param {string} storage the folder of everything that outlives the runtime
 * @param {(line: { stream: "out" | "error", text: string, at: number }) => void} onLine
 */
export function runtimeOptions(storage, onLine) {
  return {
    host: "127.0.0.1",
    port: 0,
    kvPersist: `${storage}/kv`,
    r2Persist: `${storage}/r2`,
    d1Persist: `${storage}/d1`,
    durableObjectsPersist: `${storage}/do`,
    cachePersist: `${storage}/cache`,
    cf: false,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    handleRuntimeStdio: (out, error) => {
      eachLine(out, (text) => onLine({ stream: "out", text, at: Date.now() }));
      eachLine(error, (text) => onLine({ stream: "error", text, at: Date.now() }));
    },
  };
}

/** Gives each whole line of a stream to `keep`. */
export function eachLine(stream, keep) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) keep(line);
  });
  stream.on("end", () => rest && keep(rest));
}
