// `next start` without an Onegen Worker: every page is answered, and the cause is told once. What a Worker does that fails for a
// while is shown by `make evidence`.
import assert from "node:assert/strict";
import test from "node:test";
import { toldBy } from "../../evidence/outage-tools.mjs";
import { startFleet } from "./fleet.mjs";
import { TOKEN } from "./onegen-worker.mjs";

const LIMIT = { timeout: 180_000 };
const PATHS = ["/about", "/foo", "/unbuilt", "/brief/x", "/tagged/x"];

const causes = {
  "with an ONEGEN_URL where nobody listens": ["http://127.0.0.1:9", /the Onegen Worker at http:\S+ cannot be reached \(\w+\): pages are rendered, and kept in this process alone/],
  "without ONEGEN_URL": [undefined, /environment variable ONEGEN_URL is missing: expected .*; set it where "next start" runs \(until then nothing is cached\)/],
};

for (const [name, [url, told]] of Object.entries(causes)) {
  test(`${name} one sentence says so, and the app serves`, LIMIT, async (t) => {
    const fleet = await startFleet({ variant: "onegen", processes: 1, url, token: TOKEN });
    t.after(() => fleet.stop());
    const visits = [];
    for (const path of [...PATHS, ...PATHS]) visits.push(await fleet.visit(0, path));
    assert.deepEqual(toldBy(visits, "status"), [200]);
    const warnings = fleet.logged(/onegen: /).map(({ text }) => text);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0], told);
  });
}
