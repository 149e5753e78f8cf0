// The check of import circles: one that is planted is found, and what only looks like one is not.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("circles.mjs", import.meta.url));

/** What the check says of these files, and whether it passes. */
async function checked(files) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-circles-"));
  try {
    for (const [file, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "."], { cwd: folder, encoding: "utf8" });
    return { passed: status === 0, told: stderr };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function findsCircle(files, ...modules) {
  const { passed, told } = await checked(files);
  assert.ok(!passed, "a circle was not found");
  assert.ok(told.includes(`import each other: ${modules.join(", ")}\n`), told);
}

async function findsNone(files) {
  assert.deepEqual(await checked(files), { passed: true, told: "" });
}

test("a circle between two modules of a crate is found", () =>
  findsCircle({ "lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::B;", "b.rs": "pub struct B;\nfn f() { crate::a::g() }" }, "crate::a", "crate::b"));

test("a circle between folders of a crate is found, wherever in them it runs", () =>
  findsCircle(
    { "lib.rs": "", "a/mod.rs": "mod inner;", "a/inner.rs": "use crate::{c::C, b::{self, deep::D}};", "b/mod.rs": "", "b/deep.rs": "use super::super::a;", "c.rs": "" },
    "crate::a",
    "crate::b",
  ));

test("a circle between the files of a folder is found, also by way of a name that their parent hands on", () =>
  findsCircle(
    { "lib.rs": "", "a/mod.rs": "pub use two::Two;\nmod one;\nmod two;", "a/one.rs": "use super::Two;", "a/two.rs": "use super::one::One;" },
    "crate::a::one",
    "crate::a::two",
  ));

test("a circle of three is found", () =>
  findsCircle({ "lib.rs": "", "a.rs": "use crate::b::*;", "b.rs": "use crate::c as d;", "c.rs": "use crate::a::A;" }, "crate::a", "crate::b", "crate::c"));

test("parents and children, tests, comments and texts make no circle", () =>
  findsNone({
    "lib.rs": "pub mod a;\npub mod b;",
    "a/mod.rs": "mod part;\nuse part::f;\npub struct A;",
    "a/part.rs": "use super::A;\nimpl A {}",
    "b.rs": `use crate::a::A; // not crate::c`,
    "c.rs": `use crate::b::B;\n/// [\`crate::d\`]\nfn f() { let x = "crate::d::D"; }`,
    "d.rs": "use crate::c::C;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::e::E;\n}",
    "e.rs": "use crate::d::D;\nmod inner {\n    use super::E;\n}",
    "tests.rs": "use crate::a::A;",
  }));

test("a circle between files of JavaScript or TypeScript is found", async () => {
  await findsCircle({ "a.js": `import { b } from "./folder/b.js";`, "folder/b.js": `export * from "../a.js";` }, "a.js", "folder/b.js");
  await findsCircle({ "a.ts": `import type { B } from "./b.js";`, "b.ts": `export const b = () => import("./a.js");` }, "a.ts", "b.ts");
});

test("files that import in one direction make no circle", () =>
  findsNone({
    "a.js": `import "./b.js";\nimport os from "node:os";`,
    "b.js": `// import "./a.js"\nexport { c } from "./c.js";`,
    "c.js": `export const c = "https://x.test"; /* from "./a.js" */`,
    "node_modules/x/a.js": `import "./b.js";`,
    "node_modules/x/b.js": `import "./a.js";`,
  }));
