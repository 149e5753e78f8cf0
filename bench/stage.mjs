/** The benchmark's Worker, bundled by wrangler from among the modules of the example app, which `make apps` has installed. */

import { mkdir, rm, symlink, writeFile, copyFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { wranglerBundle } from "../tests/tools/harness/world.mjs";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const built = here("../tests/.build");

const config = {
  name: "onegen-bench",
  compatibility_date: "2026-07-01",
  compatibility_flags: ["nodejs_compat"],
  kv_namespaces: [{ binding: "ONEGEN_KV" }, { binding: "NEXT_INC_CACHE_KV" }, { binding: "VINEXT_KV_CACHE" }],
  durable_objects: {
    bindings: [
      { name: "ONEGEN_ROUTES", class_name: "RouteCoordinator" },
      { name: "ONEGEN_TAGS", class_name: "TagLedger" },
      { name: "NEXT_TAG_CACHE_DO_SHARDED", class_name: "DOShardedTagCache" },
      { name: "PLAIN_ROUTES", class_name: "PlainCoordinator" },
    ],
  },
  migrations: [{ tag: "v1", new_sqlite_classes: ["RouteCoordinator", "TagLedger", "DOShardedTagCache", "PlainCoordinator"] }],
};

/** @param {{ vinext?: boolean }} [also] with vinext's cache, which `make bench` alone installs */
export async function benchBundle({ vinext = false } = {}) {
  const stage = path.join(built, vinext ? "bench-vinext" : "bench");
  await rm(stage, { recursive: true, force: true });
  await lay(stage, "worker.js", path.join(built, "source/examples/app/node_modules"));
  if (vinext) await lay(stage, "vinext/worker.js", here("vinext/node_modules"));
  await writeFile(path.join(stage, "wrangler.json"), JSON.stringify({ ...config, main: vinext ? "vinext/worker.js" : "worker.js" }));
  return wranglerBundle({ config: path.join(stage, "wrangler.json"), outdir: path.join(stage, "bundle"), main: "worker.js" });
}

/** A file of this folder, beside the modules that it imports. */
async function lay(stage, file, modules) {
  const folder = path.dirname(path.join(stage, file));
  await mkdir(folder, { recursive: true });
  await symlink(modules, path.join(folder, "node_modules"));
  await copyFile(here(file), path.join(stage, file));
}
