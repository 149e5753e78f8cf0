/** Scenes of `next start` processes whose Onegen Worker fails, or whose engine does. */

import assert from "node:assert/strict";
import { previewIdOf } from "../e2e/fleet/build.mjs";
import { openDoor } from "../e2e/fleet/faulty-door.mjs";
import { startFleet } from "../e2e/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../e2e/fleet/onegen-worker.mjs";
import { scene } from "./runner/scenes.mjs";
import { isHit, mustBe200, renderOf, sleep } from "./apps.mjs";
import { everyProcess } from "./fleet-tools.mjs";
import { MixedTraffic } from "./mixed-traffic.mjs";
import { toldBy, until } from "./outage-tools.mjs";
import { sequence } from "./round-robin.mjs";

// ---------------------------------------------------------------- worker_unreachable_errors

/** Longest that a request waits for others, the default of `waitMs`; and what it may take beside on a busy machine. */
const WAIT_LIMIT_MS = 20_000;
const ALLOWANCE_MS = 5000;
const BRIEF_MS = 2000;
/** A process that has found an outage asks for its end at least so often: `pkg/src/stores/https.ts`. */
const LONGEST_PAUSE_MS = 15_000;
/** Visits go on while an outage is known; where it makes wait, until the Worker has been asked again whether it is over. */
const ROUNDS = { usual: 3, waiting: 9, paceMs: 500 };
/** Outages that play side by side: each mostly waits. */
const LANES = 3;

/** Built with the app; fresh in memory; stale; made of the data cache. And at each visit one that was never built. */
const PAGES = ["/about", "/foo", "/kept", "/brief/kept", "/tagged/kept"];
const TAG = "product:kept";

const page = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html><h1>It works!</h1></html>");
const elsewhere = (response) => response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not found</h1>");

/** What happens to the Worker, and what every process tells of it, once. */
const OUTAGES = {
  "dead from the start": { fault: { reset: true }, fromTheStart: true, told: /cannot be reached \(ECONNRESET\)/ },
  dying: { dies: true, told: /cannot be reached \(ECONNRESET\)/ },
  "five seconds late": { fault: { lateMs: 5000 }, told: /no answer within \d+ ms/ },
  silent: { fault: { silent: true }, told: /no answer within \d+ ms/ },
  "a page in its place": { fault: { answer: page }, told: /answered "<html>.*", which is no / },
  "garbled bytes": { fault: { garbled: true }, told: /answered ".*", which is no / },
  "another server": { fault: { answer: elsewhere }, told: /answered 404 without saying why, so it is no Onegen Worker/ },
  "broken off": { fault: { cutOff: true }, told: /breaks off in the middle of its answers \(ECONNRESET\)/ },
  "another token": { fault: { authorization: `Bearer ${"y".repeat(30)}` }, told: /answered 401 unknown-token \(/ },
};

/**
 * Two processes before a Worker that fails for a while, under load.
 *
 * @param {import("./runner/scenes.mjs").SceneContext} context
 * @param {(typeof OUTAGES)[string]} outage
 * @param {object} how
 * @param {string} how.variant
 * @param {(seen: { fleet: object, round: () => Promise<object[]>, door: object }) => Promise<void>} how.whileDown `round` visits all pages
 * @param {(fleet: object) => Promise<void>} [how.afterwards]
 * @returns {Promise<object[]>} all visits of pages
 */
async function visitsOf({ use }, { fault, dies, fromTheStart }, { variant, whileDown, afterwards }) {
  const worker = await use(startOnegenWorker());
  const door = await use(openDoor(worker.url));
  const begin = () => (dies ? worker.kill() : door.behave(fault));
  if (fromTheStart) await begin();
  const fleet = await use(startFleet({ variant, url: door.url, token: TOKEN }));
  const visits = [];
  const round = async () => {
    const paths = [...PAGES, `/never-built-${crypto.randomUUID()}`];
    const seen = await Promise.all(everyProcess(fleet).flatMap((index) => paths.map((path) => fleet.visit(index, path))));
    visits.push(...seen);
    return seen;
  };
  if (!fromTheStart) {
    mustBe200(await round());
    await sleep(BRIEF_MS);
  }
  const caught = round();
  await begin();
  await caught;
  await whileDown({ fleet, round, door });
  await (dies ? worker.start() : door.heal());
  await afterwards?.(fleet);
  for (const used of [fleet, door, worker]) await used.stop();
  return visits;
}

const tookMs = ({ startedAt, endedAt }) => endedAt - startedAt;

/** Errors of pages in an outage; everything else that is promised of it is asserted. */
async function errorsOf(context, outage) {
  const visits = await visitsOf(context, outage, {
    variant: "onegen",
    whileDown: async ({ fleet, round, door }) => {
      await round();
      const makesWait = outage.fault?.lateMs || outage.fault?.silent;
      door.takeMostPending();
      for (let left = makesWait ? ROUNDS.waiting : ROUNDS.usual; left > 0; left -= 1) {
        await round();
        if (makesWait) await sleep(ROUNDS.paceMs);
      }
      // Whoever waits, waits for an answer of the Worker: one request of each process.
      const waiting = door.takeMostPending();
      if (makesWait) assert.ok(waiting <= fleet.isolates, `${waiting} requests at once waited for a Worker that was known to be down`);
      await mustBeReported(fleet);
    },
    afterwards: async (fleet) => {
      await mustRecover(fleet);
      for (const index of everyProcess(fleet)) mustHaveToldOnce(fleet, index, outage.told);
    },
  });
  const longest = Math.max(...visits.map(tookMs));
  assert.ok(longest < WAIT_LIMIT_MS + ALLOWANCE_MS, `somebody waited ${longest} ms`);
  return notOk(visits);
}

const notOk = (visits) => visits.filter(({ status }) => status !== 200).length;

/** Next.js answers a route handler before it has invalidated, and logs the error; `res.revalidate` asks for the page, and gets it. */
async function mustBeReported(fleet) {
  const lost = /the invalidation of (\S+) could not be recorded/;
  mustBe200([await fleet.visit(0, `/api/revalidate?tag=${TAG}`, { method: "POST" })]);
  await until("the lost invalidation is told", () => fleet.logged(lost).some(({ text }) => text.includes(TAG)));
  const headers = { "x-prerender-revalidate": await previewIdOf("onegen") };
  const regeneration = await fleet.visit(0, "/kept", { headers });
  assert.equal(regeneration.status, 500, "an on-demand regeneration of which others could not be told");
  await until("the lost regeneration is told", () => fleet.logged(lost).some(({ text }) => text.includes("_N_T_/kept")));
}

async function mustRecover(fleet) {
  const shared = async () => {
    const path = `/found-again-${crypto.randomUUID()}`;
    const [one, other] = [await fleet.visit(0, path), await fleet.visit(1, path)];
    return isHit(other) && renderOf(other) === renderOf(one);
  };
  await until("what one process renders is a hit in the other", shared, 2 * LONGEST_PAUSE_MS);
}

function mustHaveToldOnce(fleet, index, told) {
  const warnings = fleet.logged(/^onegen: /).filter(({ source }) => source === `process-${index}`);
  assert.equal(warnings.length, 1, `process ${index} said: ${toldBy(warnings, "text").join(" | ") || "nothing"}`);
  assert.match(warnings[0].text, told);
}

/** Plays outages side by side. */
async function playAll(names, play) {
  const queue = [...names];
  const errors = [];
  const lane = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      try {
        errors.push(await play(OUTAGES[name]));
      } catch (error) {
        throw new Error(`${name}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return errors.reduce((sum, count) => sum + count, 0);
}

const workerUnreachableErrors = scene("worker_unreachable_errors", {
  required: "0: dead, dying, slow, silent, nonsense, broken off, 401; told once; nobody waits for what is known; shared again afterwards",
  seconds: 80,
  holds: (errors) => errors === 0,
  limitMs: 240_000,
  run: (context) => playAll(Object.keys(OUTAGES), (outage) => errorsOf(context, outage)),
  controlName: "a handler without guards",
  control: (context) => {
    const whileDown = async ({ round }) => void (await round());
    return playAll(["dying", "another token"], async (outage) => notOk(await visitsOf(context, outage, { variant: "naive", whileDown })));
  },
});

// ---------------------------------------------------------------- node_exits

/** When the heap is measured, in requests: all kinds of everything have been there by the first time. */
const REQUESTS = { settled: 2000, all: 10_000, control: 1500 };
const MOST_GROWTH = 1.1;
const REQUESTS_PER_PANIC = 20;
/** What still runs when the last request was answered has ended by then: longest, the wait for an answer that does not come. */
const SETTLING_MS = 3000;

/** Where the answer to a question or a publication is lost, others wait for the rest of the lease. */
const SHORT_LEASE = { firstLeaseMs: 300, minLeaseMs: 300 };

/** Of a hundred requests to the Worker, so many each go wrong in each of these ways. */
const FAULTS = [
  [3, { reset: true }],
  [2, { cutOff: true }],
  [2, { garbled: true }],
  [2, { lateMs: 100 }],
  [1, { silent: true }],
  [1, { answer: page }],
  [1, { answer: elsewhere }],
  [3, { answer: (response) => response.writeHead(500).end() }],
];

function randomFaults() {
  const random = sequence(20270215);
  return () => {
    let left = random() * 100;
    return FAULTS.find(([share]) => (left -= share) < 0)?.[1] ?? {};
  };
}

/**
 * One process under mixed traffic, before a Worker that fails at random: how often it ended, and what in it nobody handled.
 *
 * @param {import("./runner/scenes.mjs").SceneContext} context
 * @param {object} how
 * @param {string} how.variant
 * @param {number} [how.patienceMs]
 * @param {(seen: { fleet: object, traffic: MixedTraffic, door: object }) => Promise<void | (() => void)>} how.drive may give what asserts more
 */
async function mixedTraffic({ use }, { variant, patienceMs, drive }) {
  const worker = await use(startOnegenWorker({ limits: SHORT_LEASE }));
  const door = await use(openDoor(worker.url));
  const watched = ["--expose-gc", "--import", new URL("../e2e/fleet/watched.mjs", import.meta.url).href];
  const fleet = await use(startFleet({ variant, processes: 1, url: door.url, token: TOKEN, nodeArgs: watched, env: { PROBE: "" } }));
  const pid = fleet.pidOf(0);
  const traffic = await use(new MixedTraffic({ urlOf: () => fleet.urlOf(0), previewId: await previewIdOf(variant), patienceMs }));
  door.behave(randomFaults());
  // Where the process ended, that is what counts, and not what became of the driver.
  const check = await drive({ fleet, traffic, door }).catch((error) => () => {
    throw error;
  });
  const exits = Number(fleet.pidOf(0) !== pid);
  const unhandled = exits ? [] : await fleet.ask(0, "unhandled");
  for (const used of [traffic, fleet, door, worker]) await used.stop();
  const count = exits + unhandled.length;
  if (count === 0) check?.();
  return count;
}

/** Ten thousand requests, with panics in between. Gives what asserts that they were answered, and that nothing grew. */
async function tenThousandRequests({ fleet, traffic, door }) {
  const panics = [];
  const each = (sent) => {
    // The process may have ended: that is counted.
    if (sent % REQUESTS_PER_PANIC === 0) panics.push(fleet.ask(0, "panic", 1 + (panics.length % 5)).catch(() => {}));
  };
  const heapAfter = async (requests) => {
    await traffic.send(requests, each);
    await sleep(SETTLING_MS);
    return fleet.ask(0, "heap");
  };
  const settled = await heapAfter(REQUESTS.settled);
  const grown = await heapAfter(REQUESTS.all - REQUESTS.settled);
  return () => {
    const errors = fleet.logged("⨯").filter(({ text }) => !text.includes("could not be recorded"));
    assert.deepEqual(traffic.wrong, [], `pages are answered as if nothing were the matter: ${toldBy(errors, "text").join(" | ")}`);
    const [injected, struck] = [panics.length, fleet.logged("panic in the engine").length];
    assert.ok(struck >= injected / 2, `only ${struck} of ${injected} panics struck`);
    assert.ok(door.asked >= REQUESTS.all / 4, `the Worker was asked only ${door.asked} times`);
    for (const cause of [/cannot be reached/, /which is no |without saying why/, /breaks off/, /no answer within/]) {
      const told = fleet.logged(/^onegen: the Onegen Worker/).filter(({ text }) => cause.test(text));
      assert.equal(told.length, 1, `${cause} is told once`);
    }
    assert.ok(grown <= MOST_GROWTH * settled, `the heap grew from ${settled} to ${grown} bytes`);
  };
}

const nodeExits = scene("node_exits", {
  required: "0 exits, unhandled rejections and uncaught exceptions; heap after 10,000 requests <= 1.1 times that after 2,000",
  seconds: 110,
  holds: (count) => count === 0,
  limitMs: 240_000,
  quiet: true,
  run: (context) => mixedTraffic(context, { variant: "onegen", drive: tenThousandRequests }),
  controlName: "a handler without guards",
  // It has no time limits: its visitors do not wait for what it waits for.
  control: (context) => mixedTraffic(context, { variant: "naive", patienceMs: 1000, drive: ({ traffic }) => traffic.send(REQUESTS.control) }),
});

export const scenes = [workerUnreachableErrors, nodeExits];
