/**
 * Import this before miniflare. Its message builder lets the one buffer of a configuration, which holds the text of every
 * module of every service, grow by 4 KiB and copies all of it each time: for sixteen Next.js apps that is twelve seconds. Here
 * the buffer doubles.
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const SLOW = "minSize = minSize < MIN_SINGLE_SEGMENT_GROWTH ? MIN_SINGLE_SEGMENT_GROWTH : padToWord$1(minSize);";
const QUICK = "minSize = padToWord$1(Math.max(minSize, MIN_SINGLE_SEGMENT_GROWTH, srcBuffer.byteLength));";

const miniflare = import.meta.resolve("miniflare");
const parts = readFileSync(fileURLToPath(miniflare), "utf8").split(SLOW);
if (parts.length !== 2) throw new Error("miniflare grows its buffer in another way: see whether tests/tools/harness/quick-miniflare.mjs can go");

registerHooks({
  load: (url, context, next) => (url === miniflare ? { ...next(url, context), source: parts.join(QUICK) } : next(url, context)),
});
