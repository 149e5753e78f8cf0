// The check of dependencies: it fails when any of the packages that the crate is to be built on loses its use, or its place.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ORDERED, missingOf, unusedOf } from "./dependencies.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));

let folder;
let manifest;
let dependencies;
let features;

/** A crate with the manifest of the real one, that does nothing but use its dependencies. */
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onegen-dependencies-"));
  await mkdir(path.join(folder, "src"));
  await cp(path.join(repository, "Cargo.lock"), path.join(folder, "Cargo.lock"));
  // Those tests that the manifest names are not here.
  manifest = (await readFile(path.join(repository, "Cargo.toml"), "utf8")).replace(/^\[\[test\]\]\n(?:.+\n)*/gm, "");
  const said = execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], { cwd: repository, encoding: "utf8" });
  ({ dependencies, features } = JSON.parse(said).packages[0]);
  // The packages are compiled already for the crate itself.
  process.env.CARGO_TARGET_DIR = path.join(repository, "target");
});

after(() => rm(folder, { recursive: true, force: true }));

/** Has the crate use all its dependencies but one. */
async function layCrate(spared) {
  const used = dependencies.filter(({ kind, name }) => kind === null && name !== spared);
  await writeFile(path.join(folder, "Cargo.toml"), manifest);
  await writeFile(path.join(folder, "src/lib.rs"), used.map((one) => `#[cfg(${conditionOf(one)})]\nuse ${one.name.replaceAll("-", "_")} as _;\n`).join(""));
}

/** Where it is compiled. */
function conditionOf({ name, optional, target }) {
  const owners = Object.keys(features).filter((feature) => features[feature].includes(`dep:${name}`));
  const chosen = optional ? `any(${owners.map((feature) => `feature = "${feature}"`).join(", ")})` : "all()";
  return `all(${chosen}, ${/^cfg\((.*)\)$/.exec(target ?? "")?.[1] ?? "all()"})`;
}

test("a crate that uses every dependency passes", async () => {
  await layCrate(undefined);
  assert.deepEqual([...missingOf(folder), ...unusedOf(folder)], []);
});

for (const name of ORDERED) {
  test(`${name} is missed when nothing uses it, and when it is gone`, async () => {
    await layCrate(name);
    const unused = unusedOf(folder);
    assert.ok(unused.length > 0 && unused.every((fault) => fault.startsWith(`${name.replaceAll("-", "_")} is compiled in`)), unused.join("\n"));

    await writeFile(path.join(folder, "Cargo.toml"), manifest.replace(new RegExp(`^${name} = .*\n`, "m"), "").replaceAll(new RegExp(`"dep:${name}"(, )?`, "g"), ""));
    assert.deepEqual(missingOf(folder), [`${name} is no dependency in Cargo.toml: the crate is to be built on it`]);
  });
}
