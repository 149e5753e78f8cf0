/** The benchmark's Worker, bundled by wrangler from among the modules of the example app, which `make apps` has installed. */

import { mkdir, rm, symlink, writeFile, copyFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { wranglerBundle } from "../tests/harness/world.mjs";

const built = fileURLToPath(new URL("../tests/.build", import.meta.url));

const config = {
  name: "onegen-bench",
  main: "worker.js",
  compatibility_date: "2026-07-01",
  compatibility_flags: ["nodejs_compat"],
  kv_namespaces: [{ binding: "ONEGEN_KV" }, { binding: "NEXT_INC_CACHE_KV" }],
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

export async function benchBundle() {
  const stage = path.join(built, "bench");
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  await symlink(path.join(built, "source/examples/next-app/node_modules"), path.join(stage, "node_modules"));
  await copyFile(fileURLToPath(new URL("worker.js", import.meta.url)), path.join(stage, "worker.js"));
  await writeFile(path.join(stage, "wrangler.json"), JSON.stringify(config));
  return wranglerBundle({ config: path.join(stage, "wrangler.json"), outdir: path.join(stage, "bundle"), main: "worker.js" });
}
