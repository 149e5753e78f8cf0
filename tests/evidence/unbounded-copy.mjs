// A copy of a ledger that keeps every tag as it is told, in a thread whose memory holds nothing else: tells how many bytes it takes.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const copy = new Map();

collect();
const before = process.memoryUsage().heapUsed;
parentPort.on("message", (rows) => {
  for (const { tag, hard, soft } of rows ?? []) copy.set(tag, { hard, soft });
  if (rows) return;
  collect();
  parentPort.postMessage(process.memoryUsage().heapUsed - before);
});
