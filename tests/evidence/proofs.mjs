// Scenes without a runtime: what `make simulate`, `make planted` and `make exhaustive` find.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { scene } from "./runner/scenes.mjs";

const HISTORIES = 60_000;
const MORE_HISTORIES = 2_000_000;
const FEWEST_MISTAKES = 20;
/** For each decoder. */
const EXECUTIONS = 300_000;
const FEWEST_DECODERS = 5;
const FEWEST_STATES = 1_900_000;
const LIMIT_MS = 420_000;
const LONG_LIMIT_MS = 3 * 3_600_000;

/** Runs one of the crate's proofs; its lines, and cargo's. It may fail: what it found is in them. */
async function proof({ use }, test, ...args) {
  const command = ["test", "--quiet", "--profile", "proofs", "--features", "planted-faults", "--test", test, "--", ...args];
  const child = spawn("cargo", command, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const over = new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  await use({
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    },
  });
  const lines = [];
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", (line) => lines.push(line));
  await over;
  return lines;
}

/** The numbers of the last line that says this. */
function numbersOf(lines, pattern) {
  const found = lines.findLast((line) => pattern.test(line));
  if (found === undefined) throw new Error(`no line says ${pattern}: ${lines.slice(-3).join(" | ")}`);
  return pattern.exec(found).slice(1).map(Number);
}

async function violations(context, histories, ...args) {
  const lines = await proof(context, "simulation", "--histories", String(histories), ...args);
  const [found, played] = numbersOf(lines, /^simulated_violations: (\d+) \(histories (\d+)\)$/);
  if (played !== histories) throw new Error(`${played} of ${histories} histories were played`);
  const never = lines.find((line) => line.includes("never happened"));
  if (never && args.length === 0) throw new Error(never);
  return found;
}

async function missed(context, ...args) {
  const lines = await proof(context, "simulation", "--faults", ...args);
  const [count, all] = numbersOf(lines, /^planted_faults_missed: (\d+) \(of (\d+)\)$/);
  const took = lines.map((line) => Number(/: (\d+) histories/.exec(line)?.[1] ?? 0));
  return { count, all, of: `${all} mistakes, each found within ${Math.max(...took)} histories` };
}

async function panics(context, ...args) {
  const lines = await proof(context, "fuzz", "--executions", String(EXECUTIONS), ...args);
  const [count, executions, decoders] = numbersOf(lines, /^fuzz_panics: (\d+) \(executions (\d+), decoders (\d+)\)$/);
  const idle = lines.find((line) => /: 0 of \d+ files of its corpus/.test(line));
  if (idle) throw new Error(`a decoder takes nothing of its corpus: ${idle}`);
  for (const line of lines.filter((line) => line.includes(" panics on "))) if (args.length === 0) console.error(`fuzz_panics: ${line}`);
  return { count, executions, decoders };
}

const counted = (lines, pattern) => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []).map(Number);

const simulated = (histories) => ({
  required: `0 in ${histories} histories of isolates, coordinators, a ledger and a KV in which nearly everything goes wrong`,
  run: (context) => violations(context, histories),
});

export const scenes = [
  scene("fuzz_panics", {
    required: `0 of whoever reads stored values, rows, messages, requests, tokens, keys and options, and of what is done with them`,
    seconds: 180,
    holds: (count) => count === 0,
    quiet: true,
    limitMs: LIMIT_MS,
    run: async (context) => {
      const { count, executions, decoders } = await panics(context);
      if (decoders < FEWEST_DECODERS || executions < decoders * EXECUTIONS) throw new Error(`${executions} executions of ${decoders} decoders`);
      return { worst: count, of: `${executions} executions of ${decoders} decoders` };
    },
    controlName: "a reader that believes a length",
    control: async (context) => (await panics(context, "--careless")).count,
  }),
  scene("simulated_violations", {
    ...simulated(HISTORIES),
    seconds: 110,
    holds: (found) => found === 0,
    quiet: true,
    limitMs: LIMIT_MS,
    long: { ...simulated(MORE_HISTORIES), seconds: 5400, limitMs: LONG_LIMIT_MS, inputs: ["src", "tests/rust"] },
    controlName: "with leases granted beside live ones, of 1000",
    control: (context) => violations(context, 1000, "--planted", "GrantsBesideALease"),
  }),
  scene("planted_faults_missed", {
    required: `0 of at least ${FEWEST_MISTAKES} mistakes made on purpose`,
    seconds: 110,
    holds: (count) => count === 0,
    quiet: true,
    limitMs: LIMIT_MS,
    run: async (context) => {
      const { count, all, of } = await missed(context);
      if (all < FEWEST_MISTAKES) throw new Error(`only ${all} mistakes were made`);
      return { worst: count, of };
    },
    controlName: "without a mistake, in 5000 histories",
    control: async (context) => (await missed(context, "--only", "None", "--within", "5000")).count,
  }),
  scene("states_checked", {
    required: `at least ${FEWEST_STATES}, all promises kept in all of them: the lease machine, the ledger, real engines with both`,
    seconds: 110,
    holds: (states) => states >= FEWEST_STATES,
    quiet: true,
    limitMs: LIMIT_MS,
    run: async (context) => {
      const lines = await proof(context, "exhaustive", "--nocapture");
      const [passed, failed] = numbersOf(lines, /(\d+) passed; (\d+) failed/);
      if (failed > 0 || passed === 0) throw new Error(`${failed} checks failed`);
      return counted(lines, /into (\d+) different states/).reduce((sum, one) => sum + one, 0);
    },
    controlName: "until a promise is broken, at most, by hosts with a mistake",
    control: async (context) => Math.max(...counted(await proof(context, "exhaustive", "--nocapture", "noticed"), /noticed within (\d+) states/)),
  }),
];
