// The table of limits in docs/promises.md: each constant stands in the file that the table names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const repository = new URL("../../", import.meta.url);
const read = (file) => readFileSync(new URL(file, repository), "utf8");

/** Each constant of the table with its file: names stand before the file that they are in. */
function constants(page) {
  const found = [];
  for (const row of page.slice(page.indexOf("\n## Limits")).split("\n")) {
    let names = [];
    for (const [, quoted] of row.matchAll(/`([^`]+)`/g)) {
      if (/^[A-Z][A-Z_]{3,}$/.test(quoted)) names.push(quoted);
      if (!/^(src|pkg)\/.*\.(rs|ts)$/.test(quoted)) continue;
      for (const name of names) found.push([name, quoted]);
      names = [];
    }
  }
  return found;
}

test("each constant of the table of limits stands in the file that the table names", () => {
  const named = constants(read("docs/promises.md"));
  assert.ok(named.length > 20, `the table names ${named.length} constants`);
  const gone = named.filter(([name, file]) => !new RegExp(`\\bconst ${name}\\b`).test(read(file)));
  assert.deepEqual(gone, []);
});

test("a constant that has moved is found", () => {
  const page = "\n## Limits\n| a wait | 5 s | `WAIT_SLICE`, `src/base/limits.rs` |\n";
  assert.deepEqual(constants(page), [["WAIT_SLICE", "src/base/limits.rs"]]);
  assert.ok(!/\bconst WAIT_SLICE\b/.test(read("src/base/limits.rs")));
});
