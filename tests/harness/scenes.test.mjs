import assert from "node:assert/strict";
import test from "node:test";
import { runScenes, scene } from "./scenes.mjs";

const good = { required: "0", holds: (worst) => worst === 0, run: async () => 0, control: async () => 3 };

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

test("two scenes play at a time, and none beside one that must be alone", async () => {
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
  await played([watched("alone", { alone: true }), watched("a"), watched("b")], [], 2);
  assert.deepEqual(together.at(0), "a+b");
  assert.deepEqual(together.at(-1), "alone");
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

async function played(scenes, args = [], lanes = 1) {
  const lines = [];
  const passed = await runScenes(scenes, { args, lanes, print: (line) => lines.push(line) });
  return { lines, passed };
}
