// Scenes about limits: crowds, panics, large bodies, mistakes in the configuration, and what a request may cost.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { fileBody } from "../../examples/app/configs/workers/lib/file-body.js";
import { scene } from "./runner/scenes.mjs";
import { startWorld } from "../tools/harness/world.mjs";
import { withOnegen } from "../../pkg/dist/opennext/config.js";
import { plainApp, plainAppAlone, plainKvApp } from "../workerd/plain/bundle.mjs";
import { bothWays, builtApp, isHit, renderOf, sleep, worstOf } from "./apps.mjs";
import { until } from "./outage-tools.mjs";
import { replaced, withLimits } from "./switched-off.mjs";

const openNextBothWays = ["opennext", "opennext-interception"];
const indexes = (count) => Array.from({ length: count }, (_, index) => index);

/** The least of several measurements: a control fails only if each of its parts does. */
async function leastOf(values, measure) {
  return -(await worstOf(values, async (value) => -(await measure(value))));
}

function mustBe200(visits) {
  const others = visits.filter(({ status }) => status !== 200);
  if (others.length > 0) throw new Error(`${others.length} of ${visits.length} answers were not 200 but ${[...new Set(others.map(({ status }) => status))]}`);
}

// --- crowds ---------------------------------------------------------------------------------------------------------

// All isolates share a thread here, and whoever leads waits for it among all others: a lease lasts as long as one may.
const LONG_LEASES = { firstLeaseMs: 60_000 };

/** How often, or in how many versions, a page comes about that a crowd asks for at the same time, on isolates that have started. */
async function crowdRenders(use, { path, crowd, ...options }) {
  const world = await use(startWorld(options));
  for (const isolate of indexes(world.isolates)) await world.visit(isolate, "/before-the-crowd");
  world.probe.behave(path, { delayMs: 400 });
  const visits = await crowd(world);
  mustBe200(visits);
  const versions = new Set(visits.map(renderOf)).size;
  const renders = world.probe.renders(path).length;
  await world.stop();
  return Math.max(renders, versions);
}

async function nextCrowd(use, variant, changed = (bundle) => bundle) {
  const crowd = (world) => world.crowd({ isolates: indexes(16), each: 40, path: "/isr/wide" });
  return crowdRenders(use, { bundle: changed(await builtApp(variant)), isolates: 16, path: "/isr/wide", crowd });
}

/** With the objects in a Worker of their own: sixty-four isolates need not each carry those too. */
async function plainCrowd(use, app) {
  const crowd = async (world) => {
    const answers = await Promise.all(indexes(64).map((isolate) => world.fetch(isolate, "/crowd?path=/wide&each=100")));
    const visits = (await Promise.all(answers.map((answer) => answer.json()))).flat();
    if (visits.length !== 6400) throw new Error(`there were ${visits.length} visits`);
    return visits;
  };
  return crowdRenders(use, { ...(await app()), isolates: 64, path: "/wide", crowd });
}

const longLeases = (bundle) => withLimits(bundle, LONG_LEASES);
const plainOnegen = async () => ({ bundle: await plainAppAlone(), objects: longLeases(await plainApp()) });
const plainKv = () => ({ bundle: plainKvApp() });

const coldStampedeWide = scene("cold_stampede_wide", {
  required: "1 render for 16 × 40 visitors of the Next.js app, and for 64 × 100 of a Worker without Next.js",
  seconds: 50,
  holds: (worst) => worst === 1,
  run: ({ use }) => worstOf([() => nextCrowd(use, "onegen", longLeases), () => plainCrowd(use, plainOnegen)], (crowd) => crowd()),
  control: ({ use }) => leastOf([() => nextCrowd(use, "opennext"), () => plainCrowd(use, plainKv)], (crowd) => crowd()),
  controlName: "with OpenNext's KV cache, and with KV alone",
  limitMs: 400_000,
  quiet: true,
});

// --- panics ---------------------------------------------------------------------------------------------------------

// A read that ends with a lease and the publication that follows are about eight calls of the engine: the last of these
// numbers strike the visitor after that.
const PANICS_AT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
// A panic may take a lease along, and whoever comes next waits for its end.
const SHORT_LEASES = { firstLeaseMs: 1000, minLeaseMs: 1000 };

/** Runs before the app's own modules and keeps hold of the engine's instances, the fresh one after a panic included. */
const instanceKeeper = `
  const Instance = WebAssembly.Instance;
  export const engine = {};
  WebAssembly.Instance = new Proxy(Instance, {
    construct(target, args) {
      const instance = Reflect.construct(target, args);
      if (instance.exports.inject_panic) engine.exports = instance.exports;
      return instance;
    },
  });
`;

const panickingEntry = (original) => `
  import { engine } from "./instance-keeper.js";
  import handler from "./${original}";
  export * from "./${original}";
  export default {
    fetch(request, env, ctx) {
      const calls = request.headers.get("x-panic-at");
      if (calls === null) return handler.fetch(request, env, ctx);
      engine.exports.inject_panic(Number(calls));
      return new Response("set");
    },
  };
`;

/** A bundle with the engine that panics on demand; without the guard a panic is left to whoever called. */
async function panicking(bundle, { guarded }) {
  const wasm = await readFile(fileURLToPath(new URL("../../.build/panicking/engine_bg.wasm", import.meta.url)));
  const [entry, ...others] = bundle.modules;
  const script = guarded ? undefined : unguarded(await readFile(`${bundle.root}/${entry.name}`, "utf8"));
  return {
    ...bundle,
    modules: [
      { type: "ESModule", name: "panicking-entry.js", contents: panickingEntry(entry.name) },
      { type: "ESModule", name: "instance-keeper.js", contents: instanceKeeper },
      { ...entry, contents: script },
      ...others.map((module) => (module.name.endsWith("-engine_bg.wasm") ? { ...module, contents: wasm } : module)),
    ],
  };
}

function unguarded(script) {
  const parts = script.split("this.panics += 1;");
  if (parts.length !== 2) throw new Error(`The guard was expected once in the bundle and found ${parts.length - 1} times`);
  return parts.join("throw new Error('unguarded');");
}

/** How many requests did not get what they asked for because the engine panicked. */
async function panicErrors(use, variant, options) {
  const bundle = withLimits(await panicking(await builtApp(variant), options), SHORT_LEASES);
  const world = await use(startWorld({ bundle, isolates: 1 }));
  let errors = 0;
  for (const calls of PANICS_AT) {
    const path = `/isr/panic-${calls}`;
    await world.visit(0, "/", { headers: { "x-panic-at": String(calls) } });
    const struck = await world.visit(0, path);
    const next = await world.visit(0, path);
    errors += [struck, next].filter(({ status }) => status !== 200).length;
    // The next call works: within moments the page is served from an entry.
    const served = await until("a hit after a panic", async () => isHit(await world.visit(0, path)), 5000).catch(() => false);
    if (!served) errors += 1;
  }
  const panics = world.logged(/panic in the engine/).length;
  if (options.guarded && panics < PANICS_AT.length) throw new Error(`only ${panics} of ${PANICS_AT.length} panics struck`);
  errors += world.logged("runtime crashed").length;
  await world.stop();
  return errors;
}

const panicErrorsScene = scene("panic_errors", {
  required: "0 requests without an answer or, after it, without a hit",
  seconds: 70,
  holds: (worst) => worst === 0,
  run: ({ use }) => worstOf(bothWays, (variant) => panicErrors(use, variant, { guarded: true })),
  control: ({ use }) => panicErrors(use, "onegen", { guarded: false }),
  controlName: "without the guard",
  limitMs: 400_000,
});

// --- large bodies ---------------------------------------------------------------------------------------------------

const isBody = ({ status, body }, name) => status === 200 && Buffer.compare(body, fileBody(name).body) === 0;

/**
 * How many answers differ from what the route made, or were not served as their size demands: up to 25 MiB from the entry on
 * an isolate that has never seen it, above it uncached.
 */
async function bodyMismatches(use, variant) {
  const world = await use(startWorld({ bundle: await builtApp(variant), isolates: 2 }));
  let wrong = 0;
  const check = (fine) => (wrong += fine ? 0 : 1);
  for (const name of ["bytes", "bytes-made-here", "big-made-here"]) {
    const path = `/file/${name}`;
    check(isBody(await world.visit(0, path), name));
    await sleep(1500);
    const cold = await world.visit(1, path);
    check(isBody(cold, name));
    // What the build made was not rendered here at all.
    check(world.probe.renders(path).length === (name === "bytes" ? 0 : 1));
  }
  // Nobody waits for an entry that never comes: each visitor has a render of its own.
  for (const isolate of [0, 1, 0, 1]) check(isBody(await world.visit(isolate, "/file/huge"), "huge"));
  check(world.probe.renders("/file/huge").length === 4);
  const warnings = () => world.logged(/^onegen: /);
  await until("a warning of each isolate", () => warnings().length >= 2).catch(() => {});
  const isClear = ({ text }) => /\/file\/huge is \d+ bytes: expected at most 25 MiB, .*; it is served uncached, so /.test(text);
  check(warnings().length === 2 && warnings().every(isClear));
  await world.stop();
  return wrong;
}

const bigBodyMismatches = scene("big_body_mismatches", {
  required: "0: 10 MiB and binary bodies byte for byte from the entry, 26 MiB uncached with one warning an isolate",
  seconds: 120,
  holds: (worst) => worst === 0,
  run: ({ use }) => worstOf(bothWays, (variant) => bodyMismatches(use, variant)),
  control: ({ use }) => bodyMismatches(use, "opennext"),
  controlName: "OpenNext's KV cache",
  limitMs: 300_000,
});

// --- mistakes -------------------------------------------------------------------------------------------------------

/** What is wrong with a binding, and what then stands in its place: another binding, or nothing. */
const wrongBindings = [
  ["ONEGEN_KV", undefined],
  ["ONEGEN_KV", "ONEGEN_ROUTES"],
  ["ONEGEN_ROUTES", undefined],
  ["ONEGEN_ROUTES", "ONEGEN_KV"],
  ["ONEGEN_TAGS", undefined],
  ["ONEGEN_TAGS", "ASSETS"],
];

/** A bundle each of whose isolates misses the binding that the header of its requests names. */
function withWrongBindings(bundle) {
  const handler = `{
    fetch(request, env, ctx) {
      const { name, other } = JSON.parse(request.headers.get("x-binding"));
      return onegen.default.fetch(request, { ...env, [name]: env[other] }, ctx);
    },
  }`;
  return replaced(bundle, "", handler);
}

/** Options of `wrapWorker` that make no sense, by the name that must be told. */
const wrongOptions = [
  ["app", { app: "" }],
  ["app", { app: "my/app" }],
  ["app", { app: 7 }],
  ["memoryBytes", { memoryBytes: -1 }],
  ["memoryBytes", { memoryBytes: "16MB" }],
  ["memoryBytes", { memoryBytes: 128 * 1024 * 1024 }],
  ["windowMs", { windowMs: -1000 }],
  ["windowMs", { windowMs: 0.5 }],
  ["windowMs", { windowMs: 3_600_000 }],
  ["waitMs", { waitMs: 60_000 }],
  ["waitMs", { waitMs: null }],
  ["seeds", { seeds: "yes" }],
  ["memorybytes", { memorybytes: 1024 }],
  ["options", null],
  ["options", "strong"],
];

/** Limits of a coordinator that make no sense. */
const wrongLimits = [
  ["firstLeaseMs", { firstLeaseMs: -1 }],
  ["maxLeaseMs", { maxLeaseMs: 10 }],
  ["leaseMs", { leaseMs: 1000 }],
];

/** Whether a line is one sentence that names the thing, what was expected and what to do. */
const isClear = (line, name) => new RegExp(`^onegen: (?=.*\\b${name}\\b).*: expected [^;:]+[;:] \\S+`).test(line);

/** Whether an isolate serves, and the log holds one clear sentence about the thing. */
async function isToldClearly(world, name, { isolate = 0, path = "/mistaken", ...headers }) {
  const before = world.logs.length;
  const visits = [await world.visit(isolate, path, { headers }), await world.visit(isolate, path, { headers })];
  const lines = () => world.logs.slice(before).filter(({ text }) => /onegen/i.test(text));
  await until("a line in the log", () => lines().length > 0, 3000).catch(() => {});
  await sleep(300);
  return visits.every(({ status }) => status === 200) && lines().length === 1 && isClear(lines()[0].text, name);
}

async function untoldOf(cases, isTold) {
  let untold = 0;
  for (const one of cases) untold += (await isTold(one)) ? 0 : 1;
  return untold;
}

async function wrongBindingsUntold(use, variant) {
  const bundle = withWrongBindings(await builtApp(variant));
  const world = await use(startWorld({ bundle, isolates: wrongBindings.length }));
  const untold = await untoldOf(wrongBindings.entries(), ([isolate, [name, other]]) =>
    isToldClearly(world, name, { isolate, path: "/isr/mistaken", "x-binding": JSON.stringify({ name, other }) }),
  );
  await world.stop();
  return untold;
}

async function wrongWrappersUntold(use) {
  const world = await use(startWorld({ bundle: await plainApp(), isolates: 3 }));
  const options = await untoldOf(wrongOptions, ([name, given]) => isToldClearly(world, name, { "x-options": JSON.stringify(given) }));
  const others = [
    ["wrapWorker", { isolate: 1, "x-options": "none" }],
    ["build id", { isolate: 2, "x-build-id": "none" }],
  ];
  const untold = options + (await untoldOf(others, ([name, how]) => isToldClearly(world, name, how)));
  await world.stop();
  return untold;
}

/** Mistakes in the Worker that hosts the objects. */
async function wrongObjectsUntold(use) {
  const bundle = await plainApp();
  const wrong = [["ONEGEN_KV", { ...bundle, kv: [] }], ...wrongLimits.map(([name, limits]) => [name, withLimits(bundle, limits)])];
  return untoldOf(wrong, async ([name, objects]) => {
    const world = await use(startWorld({ bundle, objects, isolates: 1 }));
    const isTold = await isToldClearly(world, name, {});
    await world.stop();
    return isTold;
  });
}

/** What `open-next.config.ts` may hand over by mistake: told when the app is built. */
function wrongConfigurationsUntold() {
  const mistakes = [undefined, {}, () => {}, { default: {} }];
  return mistakes.filter((mistake) => {
    try {
      withOnegen(mistake);
      return true;
    } catch ({ message }) {
      return !isClear(`onegen: ${message}`, "withOnegen");
    }
  }).length;
}

const openNextMistakes = [
  ["NEXT_INC_CACHE_KV", { kv: [] }],
  ["NEXT_INC_CACHE_KV", { kv: [], bindings: { NEXT_INC_CACHE_KV: "kv" } }],
  ["NEXT_TAG_CACHE_DO_SHARDED", { durableObjects: { NEXT_CACHE_DO_QUEUE: "DOQueueHandler" } }],
];

async function openNextMistakesUntold(use) {
  let untold = 0;
  for (const [name, change] of openNextMistakes) {
    const world = await use(startWorld({ bundle: await builtApp("opennext", change), isolates: 1 }));
    const { status } = await world.visit(0, "/isr/mistaken");
    await sleep(1000);
    if (status !== 200 || !world.logs.some(({ text }) => text.includes(name))) untold += 1;
    await world.stop();
  }
  return untold;
}

const misconfiguredClear = scene("misconfigured_clear", {
  required: "0 mistakes without one sentence that names it, what was expected and what to do, while the app serves",
  seconds: 50,
  holds: (worst) => worst === 0,
  run: async ({ use }) => {
    const bindings = await worstOf(bothWays, (variant) => wrongBindingsUntold(use, variant));
    return bindings + (await wrongWrappersUntold(use)) + (await wrongObjectsUntold(use)) + wrongConfigurationsUntold();
  },
  control: ({ use }) => openNextMistakesUntold(use),
  controlName: "OpenNext's own cache without its bindings",
  limitMs: 400_000,
});

// --- what a request costs -------------------------------------------------------------------------------------------

/** Calls of bindings while `work` runs, by name: reads and writes of KV, and methods of Durable Objects but their alarms. */
async function callsDuring(world, work) {
  await world.kv.resetCounts();
  await world.objects.resetCounts();
  await work();
  const { get = 0, put = 0, list = 0, delete: deleted = 0 } = await world.kv.counts();
  const objects = Object.entries(await world.objects.counts()).filter(([name]) => !name.endsWith(".alarm"));
  return { reads: get + list, writes: put + deleted, objects };
}

const total = (objects, ofWhich = () => true) => objects.filter(([name]) => ofWhich(name)).reduce((sum, [, count]) => sum + count, 0);
const isLedger = (name) => /^(TagLedger|DOShardedTagCache)\./.test(name);
const beyond = (count, allowed) => Math.max(0, count - allowed);

/** How many calls of bindings a hit or a regeneration makes beyond what it may. */
async function callsTooMany(use, variant) {
  const world = await use(startWorld({ bundle: await builtApp(variant), isolates: 2, kv: "bridge", wrapObjects: true }));
  const written = () => until("the page to be written to KV", async () => (await world.kv.counts()).put > 0, 15_000);
  for (const path of ["/quick/counted", "/isr/counted"]) {
    await world.kv.resetCounts();
    await world.visit(0, path);
    await written();
  }

  // Stale after 5 s: its next visitor starts the regeneration.
  await sleep(5500);
  const regeneration = await callsDuring(world, async () => {
    await world.visit(0, "/quick/counted");
    await world.probe.waitForEnd("/quick/counted", 2);
    await written();
    // Whatever else would come of it.
    await sleep(1500);
  });
  const cold = await callsDuring(world, () => world.visit(1, "/isr/counted"));
  const warm = await warmCalls(world);
  await world.stop();

  return (
    beyond(total(regeneration.objects, (name) => !isLedger(name)), 2) +
    beyond(regeneration.writes, 1) +
    beyond(cold.reads, 1) +
    cold.writes +
    beyond(total(cold.objects, isLedger), 1) +
    total(cold.objects, (name) => !isLedger(name)) +
    warm.reads +
    warm.writes +
    total(warm.objects)
  );
}

/** The calls of a visit that follows another within the window of a second. */
async function warmCalls(world) {
  for (let attempt = 0; attempt < 30; attempt += 1) {
    const begun = Date.now();
    await world.visit(1, "/isr/counted");
    const calls = await callsDuring(world, () => world.visit(1, "/isr/counted"));
    if (Date.now() - begun < 1000) return calls;
  }
  throw new Error("no two visits came within one window");
}

const opsPerHit = scene("ops_per_hit", {
  required:
    "0 calls beyond: none for a warm hit; 1 KV read and 1 ledger call for a cold one; 2 coordinator calls and 1 KV write for a regeneration",
  seconds: 50,
  holds: (worst) => worst === 0,
  run: ({ use }) => worstOf(bothWays, (variant) => callsTooMany(use, variant)),
  control: ({ use }) => leastOf(openNextBothWays, (variant) => callsTooMany(use, variant)),
  controlName: "OpenNext's own cache",
  limitMs: 180_000,
});

export const scenes = [coldStampedeWide, panicErrorsScene, bigBodyMismatches, misconfiguredClear, opsPerHit];
