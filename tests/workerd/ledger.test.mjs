// The ledger object on real workerd: what it stores, how much it reads and tells, and whole invalidations as hosts send them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { profileOf } from "../../pkg/dist/next-format/invalidation.js";
import { until } from "../evidence/outage-tools.mjs";
import { startIsolate } from "../tools/harness/isolates.mjs";
import { startWorld, stopAllWorlds } from "../tools/harness/world.mjs";
import { Client, beforeEverything, tokens } from "./api-client.mjs";
import { LedgerDoor, ledgerWorker } from "./ledger-objects.mjs";

/** One app each, so that no test sees another's invalidations. */
const apps = [
  ["shop", tokens.writer],
  ["blog", tokens.blog],
  ["shop2", tokens.alike],
];

let world;
const ledgers = {};

before(async () => {
  world = await startWorld({ bundle: await ledgerWorker(), isolates: 1, kv: "bridge", wrapObjects: true });
  for (const one of apps) ledgers[one[0]] = new Ledger(one);
});
after(stopAllWorlds);

/** A client of an app's ledger that nobody has asked anything. */
class Ledger {
  constructor([app, token], its = world) {
    this.client = new Client(its, token);
    this.door = new LedgerDoor(its, app);
    this.isolate = (options) => startIsolate({ url: its.urlOf(0), token, app, options });
  }

  async #post(what, body) {
    const { status, json, text } = await this.client.ask("POST", `/v1/${what}`, { body });
    assert.equal(status, 200, text);
    return { json, bytes: Buffer.byteLength(text) };
  }

  since = async (position = beforeEverything) => this.#post("since", { position });
  append = async (tags, profile, position = beforeEverything) => (await this.#post("append", { position, tags, profile })).json;
  check = async (tags, position = beforeEverything) => (await this.#post("check", { position, tags })).json;
}

/** Empties an app's ledger: the next question begins it anew. */
async function emptied(ledger) {
  await ledger.since();
  for (const table of ["head", "tag", "floor"]) await ledger.door.exec(`DELETE FROM ${table}`);
  return ledger;
}

test("a table that a release before this one stored is gone on with", async () => {
  const { door, since, append, check } = ledgers.blog;
  await door.exec("CREATE TABLE head (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, number INTEGER NOT NULL)");
  await door.exec(
    "CREATE TABLE tag (tag TEXT PRIMARY KEY, hard INTEGER NOT NULL, soft INTEGER NOT NULL, soft_ends_at INTEGER) WITHOUT ROWID",
  );
  await door.exec("INSERT INTO head VALUES (1, 1795000000000, 7)");
  await door.exec("INSERT INTO tag VALUES ('news', 3, 0, NULL), ('prices', 2, 7, ?), ('old', 1, 5, 9)", Date.now() + 60_000);
  const { json } = await since({ epoch: 1795000000000, number: 4 });
  assert.deepEqual([json.from, json.head, json.floor], [4, { epoch: 1795000000000, number: 7 }, 0]);
  assert.deepEqual(json.rows.map(({ tag, hard, soft }) => [tag, hard, soft]), [["prices", 2, 7], ["old", 5, 0]]);
  assert.ok(json.rows[0].soft_ends_in_ms > 50_000 && json.rows[0].soft_ends_in_ms <= 60_000);
  assert.equal((await append(["news"], {}, json.head)).head.number, 8);
  const at = (number) => ({ epoch: 1795000000000, number });
  assert.deepEqual([await check(["news"], at(2)), await check(["news"], at(3)), await check(["news"], at(8))], ["hard", "soft", "none"]);
});

test("an answer reads the rows that it tells and no others, by an index", async () => {
  const { door, since } = await emptied(ledgers.shop);
  const [plan] = await door.exec("EXPLAIN QUERY PLAN SELECT tag, hard, soft, soft_ends_at FROM tag WHERE max(hard, soft) > 5 ORDER BY max(hard, soft) DESC");
  assert.match(plan.detail, /USING INDEX tag_newest/);
  const [deletion] = await door.exec("EXPLAIN QUERY PLAN DELETE FROM tag WHERE max(hard, soft) <= 5");
  assert.match(deletion.detail, /USING (COVERING )?INDEX tag_newest/);

  await since();
  await door.fill(1, 1000);
  const { head } = (await since()).json;
  await world.objects.resetCounts();
  assert.equal((await since({ ...head, number: head.number - 3 })).json.rows.length, 3);
  const { "TagLedger rowsRead": read, "TagLedger rowsWritten": written } = await world.objects.storageCounts();
  assert.ok(read >= 3 && read <= 10 && written === 0, `${read} rows were read, and ${written} written`);
});

test("a page with a thousand tags is invalidated and asked about as a whole", async () => {
  const { append, check, since } = await emptied(ledgers.shop);
  const tags = Array.from({ length: 1000 }, (_, n) => `${"a-long-tag-".repeat(8)}${n}`);
  const { head, floor, rows } = await append(tags);
  assert.equal(head.number, 1);
  assert.ok(rows.length > 500 && floor === 1, `${rows.length} rows and a floor of ${floor}`);
  assert.equal(await check(tags), "hard");
  assert.equal(await check([...tags.map((tag) => `${tag}x`), tags[999]]), "hard");
  assert.equal(await check(tags.map((tag) => `${tag}x`)), "none");
  assert.equal(await check(tags, head), "none");
  assert.deepEqual((await since(head)).json.rows, []);
});

test("a tag as long as a message may be is recorded, told to be unknown, and known when asked about", async () => {
  const { append, check } = await emptied(ledgers.shop);
  const tag = "é".repeat(500_000);
  const { head, floor, rows } = await append([tag, "short"]);
  assert.equal(floor, head.number);
  assert.ok(rows.every(({ tag: told }) => told === "short"));
  assert.equal(await check([tag]), "hard");
  assert.equal(await check([`${tag}x`]), "none");
});

test("the same tags in one message count once, and what they had stays", async () => {
  const { append, check } = await emptied(ledgers.shop);
  await append(["a"]);
  assert.equal((await append(["a", "b", "a"], {})).rows.length, 2);
  assert.equal(await check(["a"]), "hard");
  assert.equal(await check(["b"]), "soft");
});

test("whoever is far behind is told what fits into 64 kB, as is whoever invalidates", async () => {
  const { door, since, append, check } = await emptied(ledgers.shop);
  await since();
  await door.fill(1, 30_000);
  const first = await since();
  assert.ok(first.bytes <= 64_000 && first.bytes > 60_000, `${first.bytes} bytes`);
  const { rows, floor, head } = first.json;
  assert.equal(floor, 30_000 - rows.length);
  const appended = await append(["news"]);
  assert.ok(JSON.stringify(appended).length <= 64_000);
  assert.equal(appended.rows[0].tag, "news");
  assert.equal(await check(["product-1"], { ...head, number: 0 }), "hard");
  assert.equal(await check(["product-1"], { ...head, number: 1 }), "none");
  // An answer that ended early leaves nothing open that a later one could stumble over.
  for (let n = 0; n < 20; n += 1) assert.equal((await append([`after-${n}`])).head.number, 30_002 + n);
});

test("a ledger whose storage is full forgets what is oldest, and tells nobody that it was not invalidated", async () => {
  const small = "class Ledger extends onegen.TagLedger { static options = { storageBytes: 1024 * 1024 }; }";
  const { door, since, append, check } = new Ledger(apps[0], await startWorld({ bundle: await ledgerWorker(small), isolates: 1, kv: "bridge" }));
  await since();
  await door.fill(1, 40_000);
  const floors = [];
  for (let n = 0; n < 20; n += 1) floors.push((await append([`news-${n}`])).floor);
  const [{ rows, oldest }] = await door.exec("SELECT count(*) AS rows, min(hard) AS oldest FROM tag");
  const { head, floor } = (await since()).json;
  const [{ number: forgotten }] = await door.exec("SELECT number FROM floor");
  assert.deepEqual([rows, oldest], [40_020 - forgotten, forgotten + 1]);
  assert.ok(forgotten >= 3000 && forgotten <= 20_020, `${forgotten} rows went`);
  assert.ok(floor >= forgotten);
  const at = (number) => ({ ...head, number });
  assert.equal(await check(["product-1"], at(0)), "hard");
  assert.equal(await check(["never-invalidated"], at(forgotten - 1)), "hard");
  assert.equal(await check(["never-invalidated"], at(forgotten)), "none");
  assert.equal(await check([`product-${forgotten + 1}`], at(forgotten)), "hard");
  const { json } = await since(at(forgotten - 1));
  assert.ok(json.floor >= forgotten);
});

test("what a host makes of a profile arrives as it was meant, whatever it holds", async () => {
  const ledger = await emptied(ledgers.shop);
  const { host, request } = await ledger.isolate();
  const verdicts = {};
  const durations = {
    none: undefined,
    empty: {},
    undefined: { expire: undefined },
    minute: { expire: 60 },
    fraction: { expire: 60.0005 },
    endless: { expire: Infinity },
    huge: { expire: 1e300 },
    edge: { expire: (2 ** 52 - 1) / 1000 },
    nothing: { expire: 0 },
    negative: { expire: -5 },
    nonsense: { expire: NaN },
  };
  for (const [tag, given] of Object.entries(durations)) {
    assert.ok(await host.invalidate(request(), { tags: [tag], profile: profileOf(given) }), tag);
    verdicts[tag] = await ledger.check([tag]);
  }
  assert.deepEqual(verdicts, {
    none: "hard",
    empty: "soft",
    undefined: "soft",
    minute: "soft",
    fraction: "soft",
    endless: "soft",
    huge: "soft",
    edge: "soft",
    nothing: "hard",
    negative: "hard",
    nonsense: "hard",
  });
  const ends = Object.fromEntries((await ledger.since()).json.rows.map(({ tag, soft_ends_in_ms: ms }) => [tag, ms]));
  assert.deepEqual([ends.empty, ends.undefined, ends.endless, ends.huge, ends.edge], Array(5).fill(undefined));
  assert.ok(ends.minute > 0 && ends.fraction > 0);
});

test("a busy ledger dictates a longer window, says so once, and an isolate keeps to it", async () => {
  const { door, since, isolate } = await emptied(ledgers.shop2);
  assert.equal((await since()).json.window_ms, 0);
  const message = { position: beforeEverything };
  assert.equal((await door.crowd(600, message)).window_ms, 2000);
  assert.equal((await since()).json.window_ms, 2000);
  const lines = () => world.logged(/onegen\/1\/shop2 takes more than 500 requests a second: .* every 2 s/).length;
  await until("a line in the log", () => lines() > 0);

  const [patient, strong] = [await isolate({ windowMs: 1 }), await isolate({ windowMs: 0 })];
  const asked = async ({ host, request }) => {
    await host.invalidated(request(), { tags: ["a"], position: beforeEverything });
    await world.objects.resetCounts();
    const begun = Date.now();
    for (let n = 0; n < 5; n += 1) await host.invalidated(request(), { tags: ["a"], position: beforeEverything });
    const { "TagLedger.since": questions = 0 } = await world.objects.counts();
    return Date.now() - begun < 1500 ? questions : undefined;
  };
  assert.ok([0, undefined].includes(await asked(patient)));
  assert.ok([5, undefined].includes(await asked(strong)), "whoever asks before every read still does");
  assert.equal(lines(), 1);
});
