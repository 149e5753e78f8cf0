// What the linter is there to find, with the repository's own rules.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const fileOf = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const TSCONFIG = { compilerOptions: { module: "NodeNext", strict: true, types: [] }, include: ["pkg/src"] };

let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "onegen-lint-"));
  await mkdir(join(folder, "pkg/src"), { recursive: true });
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});

after(() => rm(folder, { recursive: true, force: true }));

/** The rules that these sources offend. */
async function offended(sources) {
  for (const [name, source] of Object.entries(sources)) await writeFile(join(folder, "pkg/src", name), source);
  const args = [fileOf("tests/node_modules/oxlint/bin/oxlint"), "--config", fileOf(".oxlintrc.json"), "--format", "unix", ...Object.keys(sources).map((name) => `pkg/src/${name}`)];
  const env = { ...process.env, OXLINT_TSGOLINT_PATH: fileOf("tests/node_modules/.bin/tsgolint") };
  const stdout = await new Promise((resolve) => execFile(process.execPath, args, { cwd: folder, env }, (_error, text) => resolve(text)));
  return [...new Set([...stdout.matchAll(/\[Error\/([^\]]+)\]/g)].map(([, rule]) => rule))].sort();
}

test("sources without a mistake pass", async () => {
  assert.deepEqual(await offended({ "fine.ts": "export const one = 1;\n" }), []);
});

test("an import cycle is found, also one of types alone", async () => {
  const cycle = {
    "one.ts": 'import { two } from "./two.js";\nexport const one = (): number => two();\n',
    "two.ts": 'import { one } from "./one.js";\nexport const two = (): number => one();\n',
  };
  assert.deepEqual(await offended(cycle), ["import(no-cycle)"]);
  const ofTypes = {
    "one.ts": 'import type { Two } from "./two.js";\nexport type One = Two | 1;\n',
    "two.ts": 'import type { One } from "./one.js";\nexport type Two = { one: One };\n',
  };
  assert.deepEqual(await offended(ofTypes), ["import(no-cycle)"]);
});

test("a promise that nobody waits for is found", async () => {
  const source = "async function work(): Promise<void> {}\nexport const start = (): void => {\n  work();\n};\n";
  assert.deepEqual(await offended({ "floating.ts": source }), ["typescript(no-floating-promises)"]);
});

test("any is found, and so is a comment that silences the compiler", async () => {
  const source = '// @ts-ignore\nexport const nothing: any = "anything";\n';
  assert.deepEqual(await offended({ "any.ts": source }), ["typescript(ban-ts-comment)", "typescript(no-explicit-any)"]);
});
