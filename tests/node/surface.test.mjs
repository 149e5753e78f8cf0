// The exported surface as JavaScript sees it: shapes of steps and results, error codes, and what crosses as bytes.
//
// What needs another instance than these tests' own stands in `tests/workerd/panic.test.mjs`: a call before `configure`, and
// what follows a panic.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import * as core from "../../.build/panicking/engine.js";

const { memory } = core.initSync({ module: readFileSync(new URL("../../.build/panicking/engine_bg.wasm", import.meta.url)) });

const NOW = 1_800_000_000_000;

/** An entry as the host describes it to `entry_header`. */
const AN_ENTRY = {
  g: 7,
  p: { epoch: 1, number: 0 },
  c: 1_799_999_999_000,
  r: 60,
  e: 3600,
  t: ["_N_T_/a", "products"],
  s: "app",
  b: [{ name: "html", bytes: 5 }],
};

const configure = ({ app, memoryBytes, windowMs, waitMs } = {}) => core.configure(app, memoryBytes, windowMs, waitMs, "build", "secret");

beforeEach(() => configure());

const beginRead = (key) => core.begin({ read: { kind: "response", key, caller: "renderer", nonce: "n", context: {} } }, NOW);

/** A reply to `load`, with what KV and the ledger said. */
const loaded = (kv) => ({ loaded: { since: { from: 0, head: { epoch: 1, number: 0 }, floor: 0, rows: [] }, kv } });

const resume = (step, reply, header) => core.resume(step.machine, reply, NOW, header);

/** Has the isolate find in KV what a header describes, with five bytes behind it. How its read ends. */
const findHeader = (key, header) => resume(beginRead(key), loaded({ found: { total: header.length + 5 } }), header);

const find = (key) => findHeader(key, core.entry_header(AN_ENTRY));

/** Asserts that it throws an Error of this code; the error. */
function refused(code, run) {
  let thrown;
  assert.throws(run, (error) => {
    thrown = error;
    return error instanceof Error && error.code === code;
  });
  return thrown;
}

test("a read begins with a load of KV and the ledger", () => {
  const step = beginRead("/a");
  assert.equal(step.step, "perform");
  assert.equal(step.effect.kind, "load");
  assert.equal(step.effect.key, core.entry_key("response", "/a"));
  assert.equal(step.effect.since.number, 0);
  assert.ok(step.deadline_ms > 0);
});

test("steps are plain objects whose absent fields are left out", () => {
  const begun = beginRead("/plain");
  assert.equal(Object.getPrototypeOf(begun), Object.prototype);
  const step = resume(begun, loaded("absent"));
  assert.equal(step.effect.kind, "acquire");
  assert.equal(step.effect.message.have, undefined);
  assert.ok(!("have" in step.effect.message));
});

test("a read that is granted a lease ends as a miss with that lease", () => {
  const asked = resume(beginRead("/granted"), loaded("absent"));
  assert.equal(asked.effect.message.need, "fill");
  assert.equal(asked.effect.message.holder, "n");
  const lease = { generation: 9, holder: "n", position: { epoch: 1, number: 0 } };
  const step = resume(asked, { acquired: { answer: { granted: { lease, remaining_ms: 10_000 } } } });
  assert.equal(step.step, "done");
  assert.equal(step.result, "miss");
  assert.equal(step.reason, "leader");
  assert.equal(step.lease.generation, 9);
  assert.equal(step.absent, true);
});

test("a read that finds a fresh entry ends with its description and where to keep its bytes", () => {
  const step = find("/found");
  assert.equal(step.result, "entry");
  assert.equal(step.source, "kv");
  assert.equal(step.shape, "app");
  assert.equal(step.stale, false);
  assert.equal(step.generation, 7);
  assert.equal(step.header_bytes, core.entry_header(AN_ENTRY).length);
  assert.equal(step.parts[0].bytes, 5);
  assert.equal(step.tags[1], "products");
  assert.ok(step.memory.keep >= 0);

  const again = beginRead("/found");
  assert.equal(again.source, "memory", "a second read needs no effect");
  assert.equal(again.slot, step.memory.keep);
});

test("a look into memory finds what is fresh there and nothing else", () => {
  assert.equal(core.fresh_in_memory(0, "/looked", NOW), -1);
  assert.deepEqual([...core.ledger_position()], [0, 0]);
  const kept = find("/looked").memory.keep;
  assert.deepEqual([...core.ledger_position()], [1, 0]);
  assert.equal(core.fresh_in_memory(0, "/looked", NOW), kept);
  assert.equal(core.fresh_in_memory(1, "/looked", NOW), -1, "an entry of another kind is another entry");
  assert.equal(core.fresh_in_memory(0, "/looked", NOW + 1000), -1, "the copy of the ledger is too old");
});

test("half a surrogate pair crosses as the replacement character", () => {
  const step = core.begin({ invalidate: { tags: ["\\ud800", "x\ud800y\udfffz", "\ud83d\ude00"] } }, NOW);
  assert.deepEqual(step.effect.message.tags, ["\\ud800", "x\u{fffd}y\u{fffd}z", "\u{1f600}"]);
});

test("a reply with a number that JavaScript would round is a reply that did not come", () => {
  assert.equal(resumeWithGeneration(Number.MAX_SAFE_INTEGER).reason, "leader");
  configure();
  assert.equal(resumeWithGeneration(Number.MAX_SAFE_INTEGER + 1).reason, "coordinator-down");
});

test("an option that is no whole number is a bad option", () => {
  for (const windowMs of [1.5, -1, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER + 1]) {
    const error = refused("bad-option", () => configure({ windowMs }));
    assert.ok(error.message.startsWith(`option \`windowMs\` is ${windowMs === Infinity ? "inf" : windowMs}: expected a whole number`), error.message);
  }
});

/** A read that is told of a lease of a generation. */
function resumeWithGeneration(generation) {
  const step = resume(beginRead("/beyond"), loaded("absent"));
  const lease = { generation, holder: "n", position: { epoch: 1, number: 0 } };
  return resume(step, { acquired: { answer: { granted: { lease, remaining_ms: 1 } } } });
}

test("a store hands out the header as bytes that read back as the entry", () => {
  const parts = [{ name: "html", bytes: 5 }];
  const store = { kind: "response", key: "/s", shape: "app", parts, tags: ["t"], revalidate: 60, context: {}, started_at: 1_799_999_999_000 };
  const stored = core.begin({ store }, NOW);
  assert.equal(stored.effect.kind, "publish");
  assert.ok(stored.header instanceof Uint8Array, "a Uint8Array, not a list of numbers");
  assert.equal(core.header_bytes(stored.header), stored.header.length);
  const step = resume(stored, { published: { answer: { accepted: { generation: 3 } } } });
  assert.equal(step.result, "ended");
  assert.equal(step.reason, "accepted");
  assert.equal(step.generation, 3);

  configure();
  const entry = findHeader("/s", stored.header);
  assert.equal(entry.result, "entry");
  assert.deepEqual([entry.tags, entry.revalidate], [["t"], 60]);
});

test("a header is a buffer of its own that later calls leave alone", () => {
  const first = core.entry_header(AN_ENTRY);
  const kept = [...first];
  const second = core.entry_header(AN_ENTRY);
  assert.notEqual(first.buffer, second.buffer);
  assert.equal(first.byteOffset, 0);
  assert.equal(first.buffer.byteLength, first.length, "nothing but the header is behind it");
  assert.notEqual(first.buffer, memory.buffer, "it is no view of wasm memory, which moves when it grows");
  assert.deepEqual([...first], kept);
});

test("a header read back is the entry that was described", () => {
  const entry = find("/read-back");
  assert.equal(entry.result, "entry");
  assert.deepEqual([entry.generation, entry.created_at], [7, 1_799_999_999_000]);
  assert.deepEqual([entry.revalidate, entry.expire], [60, 3600]);
  assert.equal(entry.parts.reduce((sum, { bytes }) => sum + bytes, 0), 5);
});

test("bytes that are no entry have no header", () => {
  for (const bytes of ["", '{"lastModified":1}', "1GEN"]) assert.equal(core.header_bytes(Buffer.from(bytes)), -1);
});

test("an option that makes no sense is a bad option with a sentence", () => {
  const waits = refused("bad-option", () => configure({ waitMs: 60_000 }));
  assert.ok(waits.message.startsWith("option `waitMs` is 60000: expected 0 to 25000; "));
  const unnamed = refused("bad-option", () => configure({ app: "" }));
  assert.ok(unnamed.message.startsWith('option `app` is "": expected '));
});

test("a malformed call is a bad call and leaves the engine as it was", () => {
  refused("bad-call", () => core.begin({ fly: {} }, NOW));
  refused("bad-call", () => core.begin(undefined, NOW));
  refused("bad-call", () => core.entry_key("unheard-of", "/a"));
  refused("bad-call", () => core.entry_header({}));
  assert.equal(beginRead("/after").step, "perform");
});

test("a reply that cannot be read is one that did not come", () => {
  const step = resume(beginRead("/garbled"), { loaded: { kv: { found: 5 } } });
  assert.equal(step.effect.kind, "acquire", "the coordinator is asked instead");
});

test("what was loaded is told by plain arguments as well as by an object", () => {
  const since = { from: 0, head: { epoch: 1, number: 0 }, floor: 0, rows: [] };
  const header = core.entry_header(AN_ENTRY);
  const resumeLoaded = (key, ...args) => core.resume_loaded(beginRead(key).machine, NOW, ...args);
  const { memory: _memory, ...found } = resumeLoaded("/plain-found", 2, header.length + 5, header, since);
  const { memory: _same, ...alike } = findHeader("/object-found", header);
  assert.deepEqual(found, alike);
  for (const [said, kv] of [[0, undefined], [1, "absent"], [3, "unreadable"]]) {
    const { effect } = resumeLoaded(`/plain-${said}`, said, 0, undefined, since);
    const other = resume(beginRead(`/object-${said}`), loaded(kv));
    assert.deepEqual({ ...effect, object: "" }, { ...other.effect, object: "" });
  }
  const without = resumeLoaded("/no-ledger", 2, header.length + 5, header, { head: "?" });
  assert.deepEqual([without.result, without.reason], ["entry", "fresh"], "an answer that cannot be read is one that did not come");
});

test("a machine that is not known ends as a miss", () => {
  const step = core.resume(4_000_000_000, "done", NOW, undefined);
  assert.equal(step.step, "done");
  assert.equal(step.result, "miss");
  assert.equal(step.reason, "engine-restarted");
});

test("a lease signed by nobody is undefined", () => {
  assert.equal(core.verify_lease("1.2.h.3.4.-.6f.00", "secret"), undefined);
  assert.equal(core.verify_lease("", "secret"), undefined);
});

test("names are scoped by app and build", () => {
  const name = core.entry_key("response", "/a");
  assert.ok(name.includes("build") && name.endsWith("/a"), name);
  const ledger = core.ledger_name();
  assert.ok(!ledger.includes("build"), `an app's builds share its ledger: ${ledger}`);
});

test("header values say what was served", () => {
  assert.ok(core.cache_control(60, 3600, 10_000, false).startsWith("s-maxage=50, stale-while-revalidate="));
  assert.ok(core.cache_status_of_entry("hit", 60, undefined, 10_000, 7, "kv").startsWith("Onegen; hit; ttl=50"));
  assert.ok(core.cache_status_of_render(false, false, "leader").startsWith("Onegen; fwd=uri-miss"));
});

test("statistics are numbers and no body is among them", () => {
  const stats = core.stats();
  for (const name of ["memoryBytes", "machines", "corruptValues", "wasmBytes"]) assert.ok(stats[name] >= 0, name);
});

test("healing a healthy engine changes nothing", () => {
  core.heal();
  assert.equal(beginRead("/healed").step, "perform");
});
