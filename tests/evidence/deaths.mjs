/** Scenes of leaders and coordinators that die, and of a leader that comes too late. */

import assert from "node:assert/strict";
import { scene } from "./runner/scenes.mjs";
import { bothWays, builtApp, everyWay, generationOf, inWorld, renderOf, sleep, worstOf } from "./apps.mjs";
import { everyIsolate, inProcesses, keptInKv, onegenWorker, toldBy, until } from "./outage-tools.mjs";

/** The first lease of a route that nobody has rendered yet: the crate's `policy` module. */
const FIRST_LEASE_MS = 10_000;
/** A coordinator that cannot be reached for longer is down: the crate's `engine::read` module. */
const WAIT_SLICE_MS = 5000;
/** So often, because under load about one in four is found too late by somebody. */
const RESTARTS = 8;
const SHORT_LEASE = { firstLeaseMs: 1500, minLeaseMs: 1500 };
export const NEVER_ENDING_LEASE = { firstLeaseMs: 900_000, maxLeaseMs: 900_000 };

const ISOLATES = [0, 1, 2, 3];
const OTHERS = [1, 2, 3];
const RENDER_MS = 400;

const isr = (slug) => `/isr/${slug}`;

/**
 * The process of the leader is killed while 20 visitors wait elsewhere.
 *
 * @param {(slug: string) => string} pageOf where the app has a page that is fresh for an hour
 */
export async function leaderDies(world, pageOf) {
  world.probe.behave("*", { delayMs: RENDER_MS });
  await warmUp(world, pageOf);
  const usual = await twentyWaiters(world, pageOf("nobody-dies"));
  const wholeVisitMs = Math.max(...usual.map(({ startedAt, endedAt }) => endedAt - startedAt));

  const path = pageOf("leader-dies");
  world.probe.behave(path, { hold: true });
  const victim = world.visit(0, path);
  const [lost] = await world.probe.waitForRenders(path, 1);
  // The one in hand stays held; whoever takes over renders as usual.
  world.probe.behave(path, { delayMs: RENDER_MS });
  const waiting = twentyWaiters(world, path);
  await sleep(1000);
  assert.equal(world.probe.renders(path).length, 1, "nobody renders beside a living leader");
  await world.kill(0);
  const visits = await waiting;
  await victim;
  const [, ...takeovers] = await world.probe.waitForEnd(path);
  return { visits, lost, takeovers, wholeVisitMs };
}

function twentyWaiters(world, path) {
  return Promise.all(Array.from({ length: 20 }, (_, n) => world.visit(OTHERS[n % OTHERS.length], path)));
}

export async function takeoversAfterDeath(world, pageOf) {
  const { visits, lost, takeovers, wholeVisitMs } = await leaderDies(world, pageOf);
  assert.deepEqual(toldBy(visits, "status"), [200], "what every waiter is answered");
  assert.deepEqual(toldBy(visits, renderOf), [takeovers[0]?.id], "every waiter gets the page of the one that took over");
  // The lease began before the render that it was for; the same visitors' usual wait has in it what an answer takes beside.
  const renderMs = Math.max(...takeovers.map(({ startedAt, endedAt }) => endedAt - startedAt));
  const allowedUntil = lost.startedAt + FIRST_LEASE_MS + renderMs + wholeVisitMs;
  const last = Math.max(...visits.map(({ endedAt }) => endedAt));
  assert.ok(last <= allowedUntil, `the last waiter was answered ${last - allowedUntil} ms after the lease and one render`);
  return takeovers.length;
}

/** The objects' process is killed and started again while one renders and 15 wait for it. */
async function coordinatorRestarts(world, path) {
  world.probe.behave(path, { hold: true });
  const leader = world.visit(0, path);
  await world.probe.waitForRenders(path, 1);
  const waiting = world.crowd({ isolates: OTHERS, each: 5, path });
  // Who has only begun to ask by then gives up sooner than who waits.
  await sleep(1000);
  const killedAt = Date.now();
  await world.killObjects();
  await world.startObjects();
  const outageMs = Date.now() - killedAt;
  world.probe.release(path);
  const visits = [await leader, ...(await waiting)];
  await world.probe.waitForEnd(path);
  return { visits, outageMs, extra: world.probe.renders(path).length - 1 };
}

async function rendersAfterRestart(world) {
  await warmUp(world);
  const known = "/brief/coordinator-restarts";
  const before = (await everyIsolate(world, known)).at(-1);
  const { visits, extra } = await shortRestart(world);
  assert.deepEqual(toldBy(visits, "status"), [200], "what every visitor is answered");
  // It is stale by now: the first visit has it generated again.
  const later = await until("the page that was known before is generated again", async () => {
    const visit = await world.visit(1, known);
    return generationOf(visit) !== generationOf(before) && visit;
  });
  assert.ok(generationOf(later) > generationOf(before), "generations increase over the restart");
  return extra;
}

/**
 * On a machine that is too busy to start a process in time, coordinators are down instead: another scene. So they are for an isolate that
 * looks for them while the new process is not in miniflare's registry yet, where it is told that there is no such Worker.
 */
async function shortRestart(world) {
  const notFound = () => world.logged(/Worker "\w+" not found/).length;
  for (let attempt = 1; attempt <= RESTARTS; attempt += 1) {
    const before = notFound();
    const restart = await coordinatorRestarts(world, `/isr/coordinator-restarts-${attempt}`);
    // What an isolate's process writes is heard a moment later.
    await sleep(1000);
    if (restart.outageMs < WAIT_SLICE_MS && notFound() === before) return restart;
  }
  throw new Error(`In ${RESTARTS} attempts the objects were never started again within ${WAIT_SLICE_MS} ms and found by everybody.`);
}

/** A leader publishes after its lease has passed to another, whose page is published already. */
async function leaderIsLate(world) {
  await warmUp(world);
  await world.objects.resetCounts();

  const path = "/isr/leader-is-late";
  world.probe.behave(path, { hold: true });
  const late = world.visit(0, path);
  await world.probe.waitForRenders(path, 1);
  world.probe.behave(path, {});
  const prompt = await world.visit(1, path);
  await until("the page of the second leader is in KV", () => keptInKv(world, path));
  world.probe.release(path);
  const lateId = renderOf(await late);
  assert.notEqual(lateId, renderOf(prompt), "both leaders rendered");
  return { path, lateId };
}

/** How many of the readers, and of KV, have what came too late. */
async function acceptedOf(world, { path, lateId }) {
  // Whatever the late one did to KV has happened when the interval between two writes of a key is over twice.
  await sleep(2000);
  const readers = await everyIsolate(world, path);
  const copies = [...readers.map(({ text }) => text), await keptInKv(world, path)];
  return copies.filter((text) => text.includes(lateId)).length;
}

async function lateAccepted(world) {
  const { path, lateId } = await leaderIsLate(world);
  await until("the late leader has published too", async () => (await world.objects.counts())["RouteCoordinator.publish"] === 2);
  const accepted = await acceptedOf(world, { path, lateId });
  const readers = await everyIsolate(world, path);
  assert.equal(toldBy(readers, generationOf).length, 1, "every reader has the same generation");
  assert.equal(world.probe.renders(path).length, 2, "nobody rendered but the two leaders");
  return accepted;
}

/** Has every isolate load the app. */
async function warmUp(world, pageOf = isr) {
  const visits = await Promise.all(ISOLATES.map((isolate) => world.visit(isolate, pageOf(`warm-${isolate}`))));
  assert.deepEqual(toldBy(visits, "status"), [200], "the app works before anything happens to it");
}

const withOnegen = async (variant, { limits, ...options } = {}) => ({ bundle: await builtApp(variant), objects: await onegenWorker(limits), ...options });
const withOpenNext = async (options) => ({ bundle: await builtApp("opennext"), ...options });

export const scenes = [
  scene("leader_death_renders", {
    required: "1: who takes over; all answered 200 within the rest of the lease and one render",
    seconds: 90,
    holds: (takeovers) => takeovers === 1,
    run: (context) => worstOf(everyWay, async (variant) => inProcesses(context, await withOnegen(variant), (world) => takeoversAfterDeath(world, isr))),
    controlName: "leases that never end",
    control: async (context) => {
      const options = await withOnegen("onegen", { limits: NEVER_ENDING_LEASE });
      return inProcesses(context, options, async (world) => (await leaderDies(world, isr)).takeovers.length);
    },
    limitMs: 300_000,
  }),
  scene("coordinator_restart_renders", {
    required: "<= 1 extra render; all 200, generations still increase",
    seconds: 35,
    holds: (extra) => extra <= 1,
    run: (context) => worstOf(bothWays, async (variant) => inProcesses(context, await withOnegen(variant), rendersAfterRestart)),
    controlName: "OpenNext's own cache",
    control: async (context) => inProcesses(context, await withOpenNext(), async (world) => (await coordinatorRestarts(world, "/isr/coordinator-restarts")).extra),
    limitMs: 300_000,
  }),
  scene("late_writer_accepted", {
    required: "0: KV and all readers keep the newer",
    seconds: 35,
    holds: (accepted) => accepted === 0,
    run: (context) =>
      worstOf(everyWay, async (variant) => {
        const options = await withOnegen(variant, { limits: SHORT_LEASE, kv: "bridge", wrapObjects: true });
        return inWorld(context, options, lateAccepted);
      }),
    controlName: "OpenNext's own cache",
    control: async (context) => {
      const options = await withOpenNext({ kv: "bridge", wrapObjects: true });
      return inWorld(context, options, async (world) => acceptedOf(world, await leaderIsLate(world)));
    },
    limitMs: 240_000,
  }),
];
