import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plannedSeconds } from "./lanes.mjs";
import { LongForms } from "./long-forms.mjs";
import { runScenes, scene } from "./scenes.mjs";

const good = { seconds: 1, required: "0", holds: (worst) => worst === 0, run: async () => 0, control: async () => 3 };

test("a line for each scene, and one for all", async () => {
  const { lines, passed } = await played([
    scene("good", good),
    scene("named_control", { ...good, controlName: "no coordinator" }),
    scene("of_many", { ...good, run: async () => ({ worst: 0, of: "7 of a kind" }) }),
    scene("short", { ...good, run: async () => 2 }),
    scene("proves_nothing", { ...good, control: async () => 0 }),
    scene("throws", { ...good, run: () => Promise.reject(new Error("oh\n  no")) }),
    scene("no_number", { ...good, run: async () => undefined }),
    scene("too_long", { ...good, limitMs: 20, run: () => new Promise(() => {}) }),
  ]);
  assert.deepEqual(lines, [
    "good 0 (required 0; control 3)",
    "named_control 0 (required 0; control, no coordinator: 3)",
    "of_many 0 (required 0; control 3; of 7 of a kind)",
    "short 2 (required 0; control 3) FAILED: short of what is required",
    "proves_nothing 0 (required 0; control 0) FAILED: proves nothing, the control does not fail",
    "throws NaN (required 0; control 3) FAILED: oh | no",
    "no_number NaN (required 0; control 3) FAILED: gave undefined where a number is expected",
    "too_long NaN (required 0; control 3) FAILED: took longer than 0.02 s",
    "3 passed, 5 failed",
  ]);
  assert.equal(passed, false);
});

test("what a scene uses is disposed of, also when it fails", async () => {
  const disposed = [];
  const resource = (name) => ({ [Symbol.asyncDispose]: async () => disposed.push(name) });
  const { passed } = await played([
    scene("uses", {
      ...good,
      run: async ({ use }) => {
        await use(resource("run"));
        throw new Error("broken");
      },
      control: async ({ use }) => {
        await use(Promise.resolve(resource("control")));
        return 3;
      },
    }),
  ]);
  assert.equal(passed, false);
  assert.deepEqual(disposed, ["run", "control"]);
});

test("what scenes share is begun once, again if it failed, and disposed of at the end", async () => {
  const begun = [];
  const disposed = [];
  const world = async () => {
    begun.push("world");
    if (begun.length === 1) throw new Error("no port");
    return { [Symbol.asyncDispose]: async () => disposed.push("world") };
  };
  const sharing = (name) => scene(name, { ...good, run: async ({ share }) => (await share("world", world)) && disposed.length });
  const { lines } = await played([sharing("first"), sharing("second"), sharing("third")]);
  assert.deepEqual(lines, ["first NaN (required 0; control 3) FAILED: no port", "second 0 (required 0; control 3)", "third 0 (required 0; control 3)", "2 passed, 1 failed"]);
  assert.deepEqual([begun.length, disposed], [2, ["world"]]);
});

test("two scenes play at a time, and none beside one that needs quiet", async () => {
  const playing = new Set();
  const together = [];
  const watched = (name, parts) =>
    scene(name, {
      ...good,
      ...parts,
      run: async () => {
        playing.add(name);
        await new Promise((resolve) => setTimeout(resolve, 5));
        together.push([...playing].sort().join("+"));
        playing.delete(name);
        return 0;
      },
    });
  await played([watched("quiet", { quiet: true }), watched("a"), watched("b")], [], 2);
  assert.deepEqual(together.at(0), "a+b");
  assert.deepEqual(together.at(-1), "quiet");
});

test("a scene that sums others up is played after them, and they whenever it is", async () => {
  const sum = ({ ended }) => [...ended.values()].filter(({ passed, controlFailed }) => passed && controlFailed).length;
  const scenes = [
    scene("sum", { ...good, holds: (count) => count === 1, sums: ["good", "bad"], run: async (context) => sum(context), control: async () => 0 }),
    scene("bad", { ...good, run: async () => 2 }),
    scene("good", good),
    scene("another", good),
  ];
  const { lines } = await played(scenes, ["--only", "sum"], 1);
  assert.deepEqual(lines, ["bad 2 (required 0; control 3) FAILED: short of what is required", "good 0 (required 0; control 3)", "sum 1 (required 0; control 0)", "2 passed, 1 failed"]);
});

test("some scenes of many", async () => {
  const scenes = ["a", "b", "c"].map((name) => scene(name, good));
  assert.deepEqual((await played(scenes, ["--only", "c,a"])).lines, ["a 0 (required 0; control 3)", "c 0 (required 0; control 3)", "2 passed, 0 failed"]);
  await assert.rejects(played(scenes, ["--only=d"]), /no scene: d; the scenes are a, b, c/);
});

test("a scene that does not declare its seconds is none", () => {
  assert.throws(() => scene("timeless", { ...good, seconds: undefined }), /timeless does not declare/);
});

test("the wide lane is planned side by side, the quiet one after it", () => {
  const of = (seconds, parts) => scene(`of_${seconds}`, { ...good, ...parts, seconds });
  assert.equal(plannedSeconds([of(60), of(30), of(20), of(15), of(10, { quiet: true }), of(1, { sums: [] })], 2), 65 + 10 + 1);
});

test("scenes that declare more time than CI has are not begun", async () => {
  const scenes = [scene("first", { ...good, seconds: 1700 }), scene("second", { ...good, seconds: 1301 })];
  await assert.rejects(played(scenes), /declare 51 minutes, and CI has 50/);
  assert.equal((await played(scenes, [], 2)).passed, true);
  assert.equal((await played(scenes, ["--only", "first"])).passed, true);
});

test("a scene that takes longer than it declares is named", async () => {
  const { lines } = await played([scene("late", { ...good, seconds: 0.2, run: async () => sleep(800, 0) })]);
  assert.deepEqual(lines, ["late 0 (required 0; control 3)", "longer than declared: late 1 s instead of 0.2", "1 passed, 0 failed"]);
});

test("a scene without a Debian package that it needs fails with the command that installs it", async (t) => {
  const { PATH } = process.env;
  t.after(() => (process.env.PATH = PATH));
  process.env.PATH = "";
  const { lines, passed } = await played([scene("in_browser", { ...good, packages: ["chromium", "redis-server"] })]);
  assert.equal(lines[0], "in_browser NaN (required 0; control NaN) FAILED: it needs chromium and redis-server: run `apt-get install --yes chromium redis-server`");
  assert.equal(passed, false);
});

test("a long form is kept with its commit, told beside the short one, and stale when its inputs change", async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), "onegen-long-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const git = (...args) => execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@example.test", ...args], { cwd: root, stdio: "pipe" });
  const change = async (text) => {
    await writeFile(path.join(root, "input"), text);
    git("add", "input");
    git("commit", "--message", text);
  };
  git("init", "--quiet");
  await change("one");
  const options = { longForms: new LongForms({ root }) };
  const both = [scene("both", { ...good, long: { seconds: 9000, inputs: ["input"], required: "0 for long", run: async () => ({ worst: 0, of: "more" }) } }), scene("short", good)];

  assert.match((await played(both, [], 1, options)).lines[2], /^long form of both: never played; run `make evidence LONG=1 ONLY=both`/);
  assert.deepEqual((await played(both, ["--long"], 1, options)).lines, ["both 0 (required 0 for long; control 3; of more)", "1 passed, 0 failed"]);
  assert.match((await played(both, [], 1, options)).lines[2], /^long form of both, commit \w+ of [\d-]{10}: both 0 \(required 0 for long; control 3; of more\)$/);
  await change("two");
  assert.match((await played(both, [], 1, options)).lines[2], /^long form of both: stale, input changed since commit/);
  await writeFile(path.join(root, "input"), "three");
  await assert.rejects(played(both, ["--long"], 1, options), /commit them first/);
  const gone = scene("gone", { ...good, long: { seconds: 1, inputs: ["elsewhere"] } });
  await assert.rejects(played([gone], [], 1, options), /the input elsewhere, and nothing is committed there/);
  await assert.rejects(played(both, ["--long", "--only", "short"], 1, options), /None of these scenes has a long form/);
});

async function played(scenes, args = [], wide = 1, options = {}) {
  const lines = [];
  const passed = await runScenes(scenes, { args, wide, ...options, print: (line) => lines.push(line) });
  return { lines, passed };
}
