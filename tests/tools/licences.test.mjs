// What the check of licences lets pass, and what the notices tell.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAllowed } from "./licences/expression.mjs";
import { noticesOf } from "./licences/notices.mjs";

const ALLOWED = new Set(["MIT", "Apache-2.0", "Unicode-3.0"]);

test("a licence passes where it can be met by allowed ones alone", () => {
  for (const expression of ["MIT", "MIT OR GPL-3.0-only", "GPL-3.0-only OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-2.0-only) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception"]) {
    assert.ok(isAllowed(expression, ALLOWED), expression);
  }
});

test("a licence that needs another one is refused, as is none", () => {
  for (const expression of ["GPL-3.0-only", "MIT AND GPL-3.0-only", "GPL-3.0-only AND MIT", "(MIT OR Apache-2.0) AND OFL-1.1", "MIT Apache-2.0", "", undefined, null]) {
    assert.ok(!isAllowed(expression, ALLOWED), String(expression));
  }
});

test("projects with the same licence stand above one text of it", () => {
  const texts = ["The licence.\n"];
  const notices = noticesOf([
    { name: "a", version: "1.0.0", licence: "MIT", texts },
    { name: "b", version: "2.0.0", licence: "MIT", texts: ["The licence."] },
    { name: "c", version: "3.0.0", licence: "ISC", texts: ["Another."] },
  ]);
  assert.equal(notices.split("The licence.").length, 2);
  assert.match(notices, /a 1\.0\.0 \(MIT\)\nb 2\.0\.0 \(MIT\)\n\nThe licence\./);
  assert.throws(() => noticesOf([{ name: "d", version: "4.0.0", licence: "MIT", texts: [] }]), /for d\./);
});
