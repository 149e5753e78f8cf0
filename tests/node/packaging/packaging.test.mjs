// The npm package as a user gets it: packed, installed, and loaded in every host.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { nodeOf } from "../../tools/harness/nodes.mjs";
import { folderBundle, startWorld } from "../../tools/harness/world.mjs";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../..", import.meta.url));
const tool = (file) => fileURLToPath(new URL(`../../node_modules/${file}`, import.meta.url));
const wrangler = tool("wrangler/bin/wrangler.js");

let folder;
let installed;
let files;
let tarball;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "onegen-package-"));
  // Packing puts files beside the package's own for a moment: other tests read those.
  const copied = join(folder, "repository");
  for (const part of ["pkg", "LICENSE", "CHANGELOG.md", "README.md", ".build/THIRD-PARTY-NOTICES"]) await cp(join(repository, part), join(copied, part), { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: join(copied, "pkg") });
  const [packed] = [JSON.parse(stdout)].flat().map((listing) => listing.onegen ?? listing);
  files = packed.files.map(({ path }) => path);
  tarball = join(folder, packed.filename);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await run("npm", ["install", "--no-audit", "--no-fund", join(folder, packed.filename)], { cwd: folder });
  installed = join(folder, "node_modules/onegen");
});

after(() => rm(folder, { recursive: true, force: true }));

const wasm = async (name) => WebAssembly.compile(await readFile(join(installed, `wasm/${name}/${name}_bg.wasm`)));

test("the tarball holds the package, its licence and its changelog, and nothing of the tests", () => {
  for (const file of ["LICENSE", "THIRD-PARTY-NOTICES", "CHANGELOG.md", "README.md", "dist/cli/cli.js", "wasm/engine/engine_bg.wasm", "dist/opennext/config.d.ts"]) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  const foreign = files.filter((file) => !/^wasm\/|^dist\/[a-z-]+\/[a-z-]+\.(js|js\.map|d\.ts)$|^(LICENSE|THIRD-PARTY-NOTICES|README\.md|CHANGELOG\.md|package\.json)$/.test(file));
  assert.deepEqual(foreign, []);
});

test("publint finds nothing to mend in the tarball", async () => {
  const { stdout } = await run(process.execPath, [tool("publint/src/cli.js"), "run", tarball, "--strict"]);
  assert.match(stdout, /All good!/);
});

test("the types of every export are found as they are used: the package is of ES modules only", async () => {
  const checked = await run(process.execPath, [tool("@arethetypeswrong/cli/dist/index.js"), tarball, "--profile", "esm-only", "--format", "json"]);
  const { analysis } = JSON.parse(checked.stdout);
  const names = ["./next", "./objects", "./opennext", "./package.json", "./use-cache", "./worker"];
  assert.deepEqual(Object.keys(analysis.entrypoints).sort(), names);
  // Node 10, and types for CommonJS, are what such a package does without.
  assert.deepEqual(analysis.problems.filter(({ resolutionKind }) => !/^node10$|^node16-cjs$/.test(resolutionKind)), []);
});

/** What an app writes, with types of its own for what the runtime gives it. */
const CONSUMER = `
  import { incrementalCache, queue, tagCache, withOnegen, wrapWorker } from "onegen/opennext";
  import { RouteCoordinator as Coordinator, TagLedger } from "onegen/objects";
  import worker, { type Env } from "onegen/worker";
  import Handler, { cacheHandler } from "onegen/next";
  import useCache, { useCacheHandler } from "onegen/use-cache";

  interface Bindings { FLAG: string }
  const app = { fetch: (request: Request, env: Bindings, ctx: { waitUntil(work: Promise<unknown>): void }) => new Response(request.url + env.FLAG + String(ctx)) };
  export default wrapWorker(app, { windowMs: 2000, seeds: false });
  // @ts-expect-error There is no such option.
  wrapWorker(app, { windowSeconds: 2 });
  export class RouteCoordinator extends Coordinator {
    static override options = { kvTtlSeconds: 3600 };
  }
  export const config: { default: object } = withOnegen({ default: { override: {} }, middleware: { override: {} } });
  export const parts = [incrementalCache.name, tagCache.mode satisfies "nextMode", queue.name, TagLedger.options.storageBytes];
  export const handlers = [new Handler({ dev: true }), new (cacheHandler({ app: "shop" }))({}), useCacheHandler({ app: "shop" })];
  export const updated: Promise<void> = useCache.updateTags(["posts"], { expire: 1 });
  export const answered = (request: Request, env: Env): Promise<Response> => worker.fetch(request, env);
`;

test("an app that uses every export compiles, strictly", async () => {
  const compilerOptions = { strict: true, noEmit: true, target: "es2022", lib: ["es2023", "webworker"], module: "nodenext", types: [] };
  await writeFile(join(folder, "app.ts"), CONSUMER);
  await writeFile(join(folder, "runtime.d.ts"), 'declare module "cloudflare:workers" {\n  export abstract class DurableObject<Env = unknown> {\n    constructor(ctx: unknown, env: Env);\n  }\n}\n');
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts", "runtime.d.ts"] }));
  const { stdout } = await run(process.execPath, [tool("typescript/bin/tsc"), "--project", folder]).catch((error) => error);
  assert.equal(stdout, "");
});

test("every link of the packed README leads to a file of the package or into the repository", async () => {
  const readme = await readFile(join(installed, "README.md"), "utf8");
  const links = [...readme.matchAll(/\]\(([^)#]+)/g)].map(([, link]) => link);
  assert.ok(links.length > 20);
  assert.deepEqual(links.filter((link) => !link.startsWith("https://") && !files.includes(link)), []);
});

test("no published wasm can be made to panic, and each imports its own glue only", async () => {
  for (const name of ["engine", "objects", "api"]) {
    const module = await wasm(name);
    const exports = WebAssembly.Module.exports(module).map((entry) => entry.name);
    assert.ok(!exports.some((entry) => /panic/.test(entry)), `${name} exports ${exports}`);
    const imports = new Set(WebAssembly.Module.imports(module).map((entry) => entry.module));
    assert.deepEqual([...imports], [`./${name}_bg.js`]);
    const glue = await readFile(join(installed, `wasm/${name}/${name}.js`), "utf8");
    assert.doesNotMatch(glue, /cloudflare:|node:/);
  }
});

test("who hosts the objects does not load the HTTPS API; the Onegen Worker does", async () => {
  const wasmBehind = async (entry) => {
    const bundled = await build({ entryPoints: [join(installed, entry)], bundle: true, write: false, metafile: true, format: "esm", external: ["cloudflare:*"], loader: { ".wasm": "copy" }, outdir: "out", logLevel: "silent" });
    return Object.keys(bundled.metafile.inputs).map((name) => name.match(/wasm\/\w+\/(\w+)_bg\.wasm$/)?.[1]).filter(Boolean).toSorted();
  };
  assert.deepEqual(await wasmBehind("dist/worker/objects.js"), ["objects"]);
  assert.deepEqual(await wasmBehind("dist/worker/worker.js"), ["api", "objects"]);
});

test("no published wasm tells a path of the machine that built it", async () => {
  const paths = [repository, homedir(), process.env.CARGO_HOME].filter((path) => path && path !== "/");
  for (const name of ["engine", "objects", "api"]) {
    const bytes = await readFile(join(installed, `wasm/${name}/${name}_bg.wasm`));
    for (const path of paths) assert.ok(!bytes.includes(path), `${name} tells ${path}`);
    assert.doesNotMatch(bytes.toString("latin1"), /\/(root|home|Users)\//, name);
  }
});

test("the notices name what is compiled into the wasm files", async () => {
  const notices = await readFile(join(installed, "THIRD-PARTY-NOTICES"), "utf8");
  for (const crate of ["wasm-bindgen", "sha2", "subtle", "worker", "futures", "Rust's standard library"]) assert.match(notices, new RegExp(`^${crate} \\d`, "m"));
  assert.match(notices, /Permission is hereby granted/);
});

const USE_ENGINE = `
  const engine = new Engine({}, "build", "secret");
  const step = engine.begin({ observe: {} }, 1);
  if (step.effect.kind !== "load") throw new Error(JSON.stringify(step));
  const config = { default: { override: {} }, middleware: { override: {} } };
  if (withOnegen(config).default.override.queue().name !== "onegen") throw new Error("withOnegen");
  if (typeof new Handler({ dev: true }).get !== "function") throw new Error("onegen/next");
  if (typeof useCache.updateTags !== "function") throw new Error("onegen/use-cache");
  console.log("loaded " + process.versions.node.split(".")[0]);
`;

async function loads(node, major) {
  await writeFile(
    join(folder, "esm.mjs"),
    `import { Engine } from "./node_modules/onegen/dist/engine/node.js"; import { withOnegen } from "onegen/opennext"; import Handler from "onegen/next"; import useCache from "onegen/use-cache"; ${USE_ENGINE}`,
  );
  await writeFile(
    join(folder, "cjs.cjs"),
    `const { Engine } = require("./node_modules/onegen/dist/engine/node.js"); const { withOnegen } = require("onegen/opennext"); const { default: Handler } = require("onegen/next"); const { default: useCache } = require("onegen/use-cache"); ${USE_ENGINE}`,
  );
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    const { stdout } = await run(node, [file], { cwd: folder });
    assert.equal(stdout.trim(), `loaded ${major}`, file);
  }
}

test("it loads in Node 24, by import and by require", () => loads(process.execPath, 24));

test("the engine is the package's own: nobody imports it by name", async () => {
  await assert.rejects(run(process.execPath, ["--input-type=module", "--eval", 'import "onegen/engine"'], { cwd: folder }), /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

for (const major of [20, 22]) {
  test(`it loads in Node ${major}, by import and by require`, async () => loads(await nodeOf(String(major)), major));
}

test("OpenNext's two compilations of open-next.config.ts pass without a loader for wasm", async () => {
  const entry = join(folder, "open-next.config.ts");
  await writeFile(entry, `import { withOnegen } from "onegen/opennext";\nexport default withOnegen({ default: { override: {} }, middleware: { override: {} } });\n`);
  const common = { entryPoints: [entry], bundle: true, write: false, format: "esm", logLevel: "silent" };
  const forNode = await build({ ...common, platform: "node" });
  const forEdge = await build({ ...common, platform: "browser", conditions: ["worker", "browser"], external: ["node:crypto"] });
  for (const { outputFiles } of [forNode, forEdge]) assert.doesNotMatch(outputFiles[0].text, /\.wasm|readFileSync/);
});

test("in workerd the installed package caches a page, with the objects in the same Worker", async () => {
  await writeFile(
    join(folder, "worker.js"),
    `import { incrementalCache, wrapWorker } from "onegen/opennext";
     export { RouteCoordinator, TagLedger } from "onegen/objects";
     process.env.OPEN_NEXT_BUILD_ID = "b"; process.env.NEXT_PREVIEW_MODE_ID = "p";
     export default wrapWorker({ async fetch() {
       const found = await incrementalCache.get("/x", "cache");
       if (found) return new Response("found " + found.value.html);
       await incrementalCache.set("/x", { type: "app", html: "<p>", rsc: "r", meta: {}, revalidate: 60 }, "cache");
       return new Response("rendered");
     } });`,
  );
  const config = join(folder, "wrangler.json");
  await writeFile(
    config,
    JSON.stringify({
      name: "consumer",
      main: "worker.js",
      compatibility_date: "2026-07-01",
      compatibility_flags: ["nodejs_compat"],
      kv_namespaces: [{ binding: "ONEGEN_KV" }],
      durable_objects: {
        bindings: [
          { name: "ONEGEN_ROUTES", class_name: "RouteCoordinator" },
          { name: "ONEGEN_TAGS", class_name: "TagLedger" },
        ],
      },
      migrations: [{ tag: "v1", new_sqlite_classes: ["RouteCoordinator", "TagLedger"] }],
    }),
  );
  await run(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", "out", "--config", config], { cwd: folder });
  const bundle = await folderBundle({ folder: join(folder, "out"), config, main: "worker.js" });
  const world = await startWorld({ bundle, isolates: 2 });
  try {
    assert.equal((await world.visit(0, "/")).text, "rendered");
    const elsewhere = await world.visit(1, "/");
    assert.equal(elsewhere.text, "found <p>");
  } finally {
    await world.stop();
  }
});

test("wrangler deploy at the top level deploys the Onegen Worker", async () => {
  const out = join(folder, "top");
  const { stdout } = await run(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out], { cwd: repository });
  for (const binding of ["ONEGEN_KV", "ONEGEN_ROUTES", "ONEGEN_TAGS"]) assert.match(stdout, new RegExp(binding));
  const bundle = await folderBundle({ folder: out, config: join(repository, "wrangler.toml"), main: "worker.js" });
  const world = await startWorld({ bundle, isolates: 1 });
  try {
    assert.deepEqual(JSON.parse((await world.visit(0, "/health")).text), { status: "ok" });
    const nothing = await world.visit(0, "/anything");
    assert.equal(nothing.status, 404);
    assert.equal(nothing.headers.get("content-type"), "application/problem+json");
  } finally {
    await world.stop();
  }
});
