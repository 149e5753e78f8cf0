import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { folderBundle, startWorld, wranglerBundle } from "./world.mjs";

// An empty wasm module: magic number and version.
const EMPTY_WASM = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

const SCRIPT = `
  import { DurableObject } from "cloudflare:workers";
  import wasm from "./empty.wasm";
  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      if (pathname === "/object") return new Response(await env.OBJECTS.get(env.OBJECTS.idFromName("one")).greet());
      return new Response([env.GREETING, wasm instanceof WebAssembly.Module, typeof env.ONEGEN_KV.get].join(" "));
    }
  };
  export class Greeter extends DurableObject {
    greet() { return "hello from " + typeof this.ctx.storage.sql.exec; }
  }
`;

const CONFIG = {
  name: "sample",
  main: "src/index.js",
  compatibility_date: "2026-07-01",
  vars: { GREETING: "hello" },
  kv_namespaces: [{ binding: "ONEGEN_KV" }],
  durable_objects: { bindings: [{ name: "OBJECTS", class_name: "Greeter" }] },
  migrations: [{ tag: "v1", new_sqlite_classes: ["Greeter"] }],
  services: [{ binding: "SELF", service: "sample" }],
  assets: { directory: "public", binding: "ASSETS" },
};

test("a world of what wrangler bundles", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "onegen-bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(path.join(folder, "src"));
  mkdirSync(path.join(folder, "public"));
  writeFileSync(path.join(folder, "src", "index.js"), SCRIPT);
  writeFileSync(path.join(folder, "src", "empty.wasm"), EMPTY_WASM);
  writeFileSync(path.join(folder, "public", "logo.txt"), "a logo");
  writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify(CONFIG));

  const outdir = path.join(folder, "out");
  const bundle = await wranglerBundle({ config: path.join(folder, "wrangler.json"), outdir });
  assert.equal(bundle.compatibilityDate, "2026-07-01");
  assert.equal(bundle.selfReference, "SELF");
  const world = await startWorld({ bundle, isolates: 2, wrapObjects: true });
  t.after(() => world.stop());
  assert.equal((await world.visit(1, "/")).text, "hello true function");
  assert.equal((await world.visit(1, "/object")).text, "hello from function");
  assert.equal((await world.visit(1, "/logo.txt")).text, "a logo");
  assert.deepEqual(await world.objects.counts(), { "Greeter.greet": 1 });

  const again = await folderBundle({ folder: outdir, config: path.join(folder, "wrangler.json"), bindings: { GREETING: "hi" } });
  assert.deepEqual(again.modules, bundle.modules);
  assert.deepEqual(again.bindings, { GREETING: "hi" });
});
