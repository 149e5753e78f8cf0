/** Other versions of Node than the one that runs the tests, as npm's package `node` brings them. */

import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { run, stage } from "../../e2e/stage.mjs";
import manifest from "../../package.json" with { type: "json" };

/** The executable of a major version that package.json names. @param {"20" | "22"} major */
export async function nodeOf(major) {
  const version = manifest.config[`node${major}`];
  const folder = fileURLToPath(new URL(`../../.build/node${major}`, import.meta.url));
  await stage(`node ${major}`, folder, version, async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "package.json"), JSON.stringify({ private: true, allowScripts: { node: true } }));
    await run(folder, {}, "npm", "install", "--no-audit", "--no-fund", `node@${version}`);
  });
  return path.join(folder, "node_modules/node/bin/node");
}
