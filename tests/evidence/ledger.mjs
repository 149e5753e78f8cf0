// Scenes about the ledger of invalidations: the real object in workerd, and isolates of the real engine in this process.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { startIsolate } from "../tools/harness/isolates.mjs";
import { scene } from "./runner/scenes.mjs";
import { startWorld } from "../tools/harness/world.mjs";
import { Client, beforeEverything, tokens } from "../workerd/api-client.mjs";
import { LedgerDoor, ledgerWorker } from "../workerd/ledger-objects.mjs";
import { sleep } from "./apps.mjs";
import { until } from "./outage-tools.mjs";

const MiB = 1024 * 1024;
/** Later than any of these scenes ends: a copy learns nothing but what it is told beside its own invalidations. */
const NEVER_MS = 60_000;

/** A world of one ledger; `ledger` is the source of the object's class. */
async function ledgerWorld({ use }, ledger) {
  return use(startWorld({ bundle: await ledgerWorker(ledger), isolates: 1, kv: "bridge", wrapObjects: true }));
}

const isolateOf = (world, options, instead) => startIsolate({ url: world.urlOf(0), token: tokens.writer, app: "shop", options, instead });

/** Random whole numbers below a limit, the same in every run (a linear congruential generator, as in Numerical Recipes). */
function randomNumbers(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

// --- a million tags ---------------------------------------------------------------------------------------------------

const TAGS = 1_000_000;
/** So many invalidations are followed one answer after the other, each of them within what an answer may hold. */
const FOLLOWED = 130_000;
const EACH = 1000;

/** Asks about tags of entries of any age; the ledger has the n-th invalidation under the number n. */
async function mustJudgeRightly({ host, request }, epoch, samples, random) {
  for (let left = samples; left > 0; left -= 1) {
    const number = random(TAGS + 1);
    // As many that are invalidated later as earlier, near and far; and some that never are.
    const tag = left % 8 === 0 ? -1 : left % 2 === 0 ? 1 + random(TAGS) : Math.max(1, number + random(9) - 4);
    const verdict = await host.invalidated(request(), { tags: [`product-${tag}`], position: { epoch, number } });
    const right = tag > number && tag <= TAGS ? "hard" : "none";
    if (verdict !== right) throw new Error(`of a render at ${number} the invalidation of tag ${tag} is told as ${verdict}, not ${right}`);
  }
}

/** The size in MiB of the copies of an isolate that saw most of a million invalidations, and of one that comes afterwards. */
async function copyOfAMillionTags(context) {
  const world = await ledgerWorld(context);
  const door = new LedgerDoor(world);
  const observe = ({ host, request }) => host.invalidated(request(), { tags: [], position: beforeEverything });
  const [early, late] = [await isolateOf(world, { windowMs: 0 }), await isolateOf(world, { windowMs: 0 })];
  await observe(early);
  const before = [early, late].map(({ wasmBytes }) => wasmBytes());
  for (let n = 1; n <= FOLLOWED; n += EACH) {
    await door.fill(n, n + EACH - 1);
    await observe(early);
  }
  await door.fill(FOLLOWED + 1, TAGS);

  const first = await new Client(world, tokens.reader).ask("POST", "/v1/since", { body: { position: beforeEverything } });
  if (first.body.byteLength > 64_000) throw new Error(`the first answer has ${first.body.byteLength} bytes, more than 64 kB`);
  const random = randomNumbers(20261125);
  for (const isolate of [early, late]) await mustJudgeRightly(isolate, first.json.head.epoch, 500, random);
  const grown = [early, late].map(({ wasmBytes }, index) => wasmBytes() - before[index]);
  await world.stop();
  return Math.max(...grown) / MiB;
}

/** The size in MiB of a copy that is told everything, and keeps it. */
async function copyWithoutBounds(context) {
  const world = await ledgerWorld(context);
  const door = new LedgerDoor(world);
  await new Client(world, tokens.reader).ask("POST", "/v1/since", { body: { position: beforeEverything } });
  await door.fill(1, TAGS);
  const copy = new Worker(new URL("unbounded-copy.mjs", import.meta.url));
  await context.use({ [Symbol.asyncDispose]: () => copy.terminate() });
  const page = "SELECT tag, hard, soft FROM tag WHERE max(hard, soft) > ?1 AND max(hard, soft) <= ?2";
  for (let n = 0; n < TAGS; n += 100_000) copy.postMessage(await door.exec(page, n, n + 100_000));
  copy.postMessage(undefined);
  const [bytes] = await once(copy, "message");
  await world.stop();
  return bytes / MiB;
}

const millionTagsCopyMib = scene("million_tags_copy_mib", {
  required: "at most 4 MiB for an isolate's copy of a ledger with 1,000,000 tags, its first answer at most 64 kB, 1,000 verdicts right",
  seconds: 30,
  holds: (worst) => worst > 0 && worst <= 4,
  run: copyOfAMillionTags,
  control: copyWithoutBounds,
  controlName: "a copy without bounds",
  limitMs: 180_000,
});

// --- two who invalidate, one who reads ----------------------------------------------------------------------------------

/** What a copy says at once of a tag and a position. */
function knownTo({ engine }, tag, position) {
  const { step, invalidation, position: stands } = engine.begin({ invalidated: { tags: [tag], position } }, Date.now());
  return step === "done" ? { invalidation, stands } : undefined;
}

/** How often a copy that has passed an invalidation does not know of it. */
async function invalidationsMissed(context, tellOf = (since) => since) {
  const world = await ledgerWorld(context);
  const random = randomNumbers(7);
  const delayed = (https) => ({
    append: async (message, limitMs) => {
      const since = tellOf(await https.append(message, limitMs), message.tags);
      recorded.push({ tag: message.tags[0], position: since.head });
      await sleep(random(60));
      return since;
    },
    since: async (message, limitMs) => {
      const since = await https.since(message, limitMs);
      await sleep(random(60));
      return since;
    },
  });
  const recorded = [];
  const writers = [await isolateOf(world, { windowMs: NEVER_MS }, delayed), await isolateOf(world, { windowMs: NEVER_MS }, delayed)];
  const reader = await isolateOf(world, { windowMs: 1 }, delayed);
  const observe = ({ host, request }) => host.invalidated(request(), { tags: [], position: beforeEverything });
  await Promise.all([...writers, reader].map(observe));

  const missed = new Set();
  const look = () => {
    for (const [index, isolate] of [...writers, reader].entries()) {
      for (const { tag, position } of recorded) {
        const known = knownTo(isolate, tag, { ...position, number: position.number - 1 });
        const passed = known?.stands.number >= position.number;
        if (passed && known.invalidation === "none") missed.add(`${index} ${tag}`);
      }
    }
  };
  for (let round = 0; round < 40; round += 1) {
    const { host, request } = writers[round % 2];
    const done = host.invalidate(request(), { tags: [`${round}`] }).then(look);
    const seen = [observe(reader), observe(reader)].map((one) => one.then(look));
    // Mostly without waiting for one before the next.
    if (random(3) === 0) await Promise.all([done, ...seen]);
    else await sleep(random(15));
  }
  await until("every invalidation to be recorded", () => recorded.length === 40);
  await sleep(100);
  await observe(reader);
  look();
  await world.stop();
  return missed.size;
}

const appendSkipped = scene("append_skipped", {
  required: "0 invalidations missed by two isolates that invalidate in turns and one that reads, answers late and in any order",
  seconds: 10,
  holds: (worst) => worst === 0,
  run: (context) => invalidationsMissed(context),
  // The copy goes to where its own invalidation stands, and is not told what lies between.
  control: (context) => invalidationsMissed(context, (since, tags) => ({ ...since, rows: since.rows.filter(({ tag }) => tags.includes(tag)) })),
  controlName: "answers with own rows alone",
});

// --- hard and soft ------------------------------------------------------------------------------------------------------

const profiles = { hard: undefined, minute: { expire_ms: 60_000 }, endless: {} };
const orders = [
  ["hard", "minute", "endless"],
  ["hard", "endless", "minute"],
  ["minute", "hard", "endless"],
  ["endless", "hard", "minute"],
  ["minute", "endless", "hard"],
  ["endless", "minute", "hard"],
];

/** A ledger in which a tag's later invalidation takes the place of its earlier ones. */
const REPLACING = `
  class Ledger extends onegen.TagLedger {
    async append(name, message) {
      const { sql } = this.ctx.storage;
      if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'tag'").toArray().length > 0) {
        for (const tag of message.tags) sql.exec("DELETE FROM tag WHERE tag = ?", tag);
      }
      return super.append(name, message);
    }
  }
`;

async function storePage({ host, request }, key, tag) {
  const parts = [{ name: "html", bytes: new TextEncoder().encode("old") }];
  const value = { shape: "page", parts, tags: [tag], revalidate: 3600, expire: undefined };
  const { miss } = await host.read(request(), { kind: "response", key, caller: "renderer" });
  await host.store(request(), { kind: "response", key, lease: miss.lease, startedAt: Date.now(), value });
}

/** How often a page can still be read after its tag was invalidated hard, whatever came before, after or beside that. */
async function readableAfterHard(context, ledger) {
  const world = await ledgerWorld(context, ledger);
  const [writer, reader] = [await isolateOf(world, { windowMs: 0 }), await isolateOf(world, { windowMs: 0 })];
  const isReadable = async ({ host, request }, key) => (await host.read(request(), { kind: "response", key, caller: "bystander" })).entry !== undefined;
  let readable = 0;
  const play = async (order, inOneRequest) => {
    const [key, tag] = [`/${order.join("-")}-${inOneRequest}`, `${order.join(" ")} ${inOneRequest}`];
    await storePage(writer, key, tag);
    await until("the page to be readable", () => isReadable(reader, key));
    const context = writer.request();
    const invalidate = (kind, request) => writer.host.invalidate(request, { tags: [tag], profile: profiles[kind] });
    if (inOneRequest) await Promise.all(order.map((kind) => invalidate(kind, context)));
    else for (const kind of order) await invalidate(kind, writer.request());
    for (const isolate of [writer, reader]) if (await isReadable(isolate, key)) readable += 1;
  };
  await Promise.all(orders.flatMap((order) => [play(order, true), play(order, false)]));
  await world.stop();
  return readable;
}

const hardThenSoftReadable = scene("hard_then_soft_readable", {
  required: "0 times an old page is readable once its tag was expired, in every order of that and two softer calls, at once and one by one",
  seconds: 10,
  holds: (worst) => worst === 0,
  run: (context) => readableAfterHard(context),
  control: (context) => readableAfterHard(context, REPLACING),
  controlName: "with a later call in the place of the earlier",
});

// --- what a hit costs ---------------------------------------------------------------------------------------------------

const WINDOW_MS = 300;

/** Calls of the ledger for each window that passes, while a page with fifty tags is read all the time. */
async function ledgerCallsPerWindow(context, windowMs) {
  const world = await ledgerWorld(context);
  const isolate = await isolateOf(world, { windowMs });
  const key = "/with-tags";
  const tags = Array.from({ length: 50 }, (_, n) => `tag-${n}`);
  const { host, request } = isolate;
  const read = () => host.read(request(), { kind: "response", key, caller: "renderer" });
  const { miss } = await read();
  const value = { shape: "page", parts: [{ name: "html", bytes: new Uint8Array(1000) }], tags, revalidate: 3600, expire: undefined };
  await host.store(request(), { kind: "response", key, lease: miss.lease, startedAt: Date.now(), value });
  await host.invalidate(request(), { tags: ["another"] });

  await world.objects.resetCounts();
  const begun = Date.now();
  let hits = 0;
  while (Date.now() - begun < 10 * WINDOW_MS) {
    const { entry } = await read();
    if (entry?.source !== "memory" || entry.stale) throw new Error(`not a hit but ${JSON.stringify(entry)}`);
    hits += 1;
    await sleep(3);
  }
  const windows = 1 + Math.floor((Date.now() - begun) / WINDOW_MS);
  if (hits < 3 * windows) throw new Error(`only ${hits} hits in ${windows} windows`);
  const counts = Object.entries(await world.objects.counts()).filter(([name]) => name.startsWith("TagLedger."));
  await world.stop();
  return counts.reduce((sum, [, count]) => sum + count, 0) / windows;
}

const ledgerCallsPerHit = scene("ledger_calls_per_hit", {
  required: "at most 1 call of the ledger for each of ten windows in which a page with 50 tags is hit all the time",
  seconds: 10,
  holds: (worst) => worst > 0 && worst <= 1,
  run: (context) => ledgerCallsPerWindow(context, WINDOW_MS),
  control: (context) => ledgerCallsPerWindow(context, 0),
  controlName: "without a window",
});

export const scenes = [millionTagsCopyMib, appendSkipped, hardThenSoftReadable, ledgerCallsPerHit];
