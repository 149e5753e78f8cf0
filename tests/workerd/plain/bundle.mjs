// The plain Worker as the harness loads it, bundled once per process from the package as it stands.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inlineBundle, wranglerBundle } from "../../tools/harness/world.mjs";

const made = new Map();

async function bundled(config, main) {
  const fileOf = (path) => fileURLToPath(new URL(path, import.meta.url));
  const outdir = fileOf(`../../.build/workerd/${main.replace(".js", "")}`);
  if (!made.has(main)) made.set(main, wranglerBundle({ config: fileOf(config), outdir, main }));
  return made.get(main);
}

/** With the Durable Objects in its own Worker. */
export const plainApp = () => bundled("wrangler.jsonc", "worker.js");

/** Without the Durable Objects: another Worker hosts them. */
export const plainAppAlone = () => bundled("apart.jsonc", "app.js");

/** With Workers KV and nothing else. */
export function plainKvApp() {
  const source = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
  return inlineBundle(source("kv-only.js"), { modules: { "crowd.js": source("crowd.js") }, kv: ["ONEGEN_KV"] });
}
