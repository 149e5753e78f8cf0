// Scenes of `next start` fleets: processes that share nothing but an Onegen Worker. vercel/next.js#72020 is the first of them.
import { otherVersions } from "../e2e/fleet/variants.mjs";
import { scene } from "./runner/scenes.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { NEVER_ENDING_LEASE, leaderDies, takeoversAfterDeath } from "./deaths.mjs";
import { NEXT_ITSELF, QUIET_MS, dateOf, everyProcess, mustBeHits, versionsOf, visitEach, withNextItself, withOnegen } from "./fleet-tools.mjs";
import { toldBy } from "./outage-tools.mjs";
import { roundRobin } from "./round-robin.mjs";

/** The machine may be slow; nothing here depends on how fast it is. */
const LIMIT_MS = 60_000;
const RENDER_MS = 400;
const EACH = 25;

// ---------------------------------------------------------------- two_ports_dates

const LONG_LIVED = "/bar";

async function visitBothPorts(fleet) {
  const first = await visitEach(fleet, LONG_LIVED);
  await sleep(3000);
  const visits = [...first, ...(await visitEach(fleet, LONG_LIVED))];
  await sleep(QUIET_MS);
  return { dates: toldBy(visits, dateOf).length, visits, renders: fleet.probe.renders(LONG_LIVED).length };
}

/** Throws where anything but the date is not as it should be. */
async function datesOfBothPorts(fleet) {
  const { dates, visits, renders } = await visitBothPorts(fleet);
  mustBeHits(visits.slice(1));
  if (renders !== 1) throw new Error(`it was rendered ${renders} times`);
  return dates;
}

const twoPortsDates = scene("two_ports_dates", {
  required: "1 date; all but the first visit hits",
  seconds: 20,
  holds: (dates) => dates === 1,
  run: (context) => withOnegen(context, { processes: 2 }, datesOfBothPorts),
  controlName: NEXT_ITSELF,
  control: (context) => withNextItself(context, { processes: 2 }, async (fleet) => (await visitBothPorts(fleet)).dates),
});

// ---------------------------------------------------------------- two_ports_restart_renders

/** Every process is replaced by one that has nothing but the build, as a deployment of containers does. */
async function restartBoth(fleet) {
  const before = await visitEach(fleet, LONG_LIVED);
  const renders = fleet.probe.renders(LONG_LIVED).length;
  for (const index of everyProcess(fleet)) await fleet.kill(index);
  for (const index of everyProcess(fleet)) await fleet.restart(index);
  const after = await visitEach(fleet, LONG_LIVED);
  await sleep(QUIET_MS);
  return { more: fleet.probe.renders(LONG_LIVED).length - renders, before, after };
}

/** Throws where anything but the renders is not as it should be. */
async function rendersAfterRestart(fleet) {
  const { more, before, after } = await restartBoth(fleet);
  mustBeHits(after);
  const dates = toldBy([...before, ...after], dateOf);
  if (dates.length !== 1) throw new Error(`visitors saw the dates ${dates.join(", ")}`);
  return more;
}

const twoPortsRestartRenders = scene("two_ports_restart_renders", {
  required: "0, the same date, hits",
  seconds: 20,
  holds: (more) => more === 0,
  run: (context) => withOnegen(context, { processes: 2 }, rendersAfterRestart),
  controlName: NEXT_ITSELF,
  control: (context) => withNextItself(context, { processes: 2 }, async (fleet) => (await restartBoth(fleet)).more),
});

// ---------------------------------------------------------------- two_ports_versions_failed

/** How many of both lines fail, over all versions of Next.js; what failed is told in the log. */
async function failedOnVersions(own, withFleet) {
  let failed = 0;
  const versions = { "16.4": own, ...Object.fromEntries(otherVersions.map((version) => [version, `${own}-${version}`])) };
  for (const [version, variant] of Object.entries(versions)) {
    await withFleet({ processes: 2, variant }, async (fleet) => {
      const lines = { dates: async () => (await datesOfBothPorts(fleet)) === 1, restart: async () => (await rendersAfterRestart(fleet)) === 0 };
      for (const [line, holds] of Object.entries(lines)) {
        const fault = await holds().then((held) => (held ? undefined : "short of what is required"), (error) => error.message);
        if (fault === undefined) continue;
        failed += 1;
        if (own === "onegen") console.error(`two_ports_versions_failed: ${version}, ${line}: ${fault}`);
      }
    });
  }
  return failed;
}

const twoPortsVersionsFailed = scene("two_ports_versions_failed", {
  required: "0: both lines above on Next.js 15.5, 16.2, 16.3 and 16.4",
  seconds: 120,
  holds: (failed) => failed === 0,
  limitMs: 240_000,
  run: (context) => failedOnVersions("onegen", (options, measure) => withOnegen(context, options, measure)),
  controlName: NEXT_ITSELF,
  control: (context) => failedOnVersions("next", (options, measure) => withNextItself(context, options, measure)),
});

// ---------------------------------------------------------------- fleet_stampede_renders

const crowd = (fleet, path) => fleet.crowd({ isolates: everyProcess(fleet), each: EACH, path });

/** A visit of each process that is to know a page, all at once: pages are young then. */
async function makeKnown(fleet, path, known) {
  const visits = await fleet.crowd({ isolates: known, each: 1, path });
  mustBe200(visits);
  return visits;
}

/** Renders and versions that a stampede made, whichever are more. */
async function stampede(fleet, path) {
  const before = fleet.probe.renders(path).length;
  fleet.probe.behave(path, { delayMs: RENDER_MS });
  const visits = await crowd(fleet, path);
  await sleep(QUIET_MS);
  mustBe200(visits);
  return { worst: Math.max(fleet.probe.renders(path).length - before, versionsOf(visits)), visits };
}

/** The render does not end before all have been answered; if one waits for it, the time limit ends both. */
async function staleStampede(fleet, { known }) {
  const path = "/brief/stale";
  // A first render of some length, so that leases are longer than two hundred answers take.
  fleet.probe.behave(path, { delayMs: 3000 });
  const [first] = await makeKnown(fleet, path, known);
  await sleep(2500);
  const before = fleet.probe.renders(path).length;
  fleet.probe.behave(path, { hold: true });
  const limit = setTimeout(() => fleet.probe.release(path), LIMIT_MS);
  const visits = await crowd(fleet, path);
  clearTimeout(limit);
  await fleet.probe.waitForRenders(path, before + 1, LIMIT_MS);
  await sleep(QUIET_MS);
  fleet.probe.release(path);
  const renders = (await fleet.probe.waitForEnd(path, before + 1, LIMIT_MS)).slice(before);
  mustBe200(visits);
  const firstEnd = Math.min(...renders.map(({ endedAt }) => endedAt));
  const late = visits.filter(({ answeredAt }) => answeredAt >= firstEnd).length;
  if (late > 0) throw new Error(`${late} visitors waited for the render of a page that was there`);
  return { worst: fleet.probe.renders(path).length - before, visits, first };
}

/** Just after a purge, which every process has to hear of: none has asked the ledger within the window. */
async function purgedStampede(fleet) {
  const path = "/tagged/purged";
  const [first] = await visitEach(fleet, path);
  await sleep(QUIET_MS);
  mustBe200([await fleet.visit(1, "/api/revalidate?tag=product:purged", { method: "POST" })]);
  return { ...(await stampede(fleet, path)), first };
}

/** Pages may be used for longer than all stampedes before that of the expired page take. */
const EXPIRE_S = 15;
const FLEET = { processes: 8, env: { EXPIRE_SECONDS: String(EXPIRE_S) } };

/** The first comes to processes that have not answered anything yet; the page of the last expires meanwhile. */
async function everyStampede(fleet, { known }) {
  const neverBuilt = await stampede(fleet, "/brief/never-built");
  const path = "/brief/expired";
  const made = await makeKnown(fleet, path, known);
  const [stale, purged] = [await staleStampede(fleet, { known }), await purgedStampede(fleet)];
  await sleep(Math.max(...made.map(({ endedAt }) => endedAt)) + (EXPIRE_S + 1) * 1000 - Date.now());
  return { neverBuilt, stale, purged, expired: { ...(await stampede(fleet, path)), first: made[0] } };
}

const gotTheFirst = ({ visits, first }) => visits.some((visit) => renderOf(visit) === renderOf(first));

const fleetStampedeRenders = scene("fleet_stampede_renders", {
  required: "1 render each: never built, stale, expired, just purged",
  seconds: 50,
  holds: (renders) => renders === 1,
  limitMs: 240_000,
  quiet: true,
  run: (context) =>
    withOnegen(context, { variant: "onegen-expire", ...FLEET }, async (fleet) => {
      // The other half of the processes get to know a page when it is stale, or expired.
      const { neverBuilt, stale, expired, purged } = await everyStampede(fleet, { known: [0, 1, 2, 3] });
      if (stale.visits.some((visit) => renderOf(visit) !== renderOf(stale.first))) throw new Error("a visitor of the stale page got another one");
      if (gotTheFirst(expired)) throw new Error("a visitor got the page that had expired");
      if (gotTheFirst(purged)) throw new Error("a visitor got the page that was gone");
      return Math.max(neverBuilt.worst, stale.worst, expired.worst, purged.worst);
    }),
  controlName: NEXT_ITSELF,
  control: (context) =>
    withNextItself(context, { variant: "next-expire", ...FLEET }, async (fleet) => {
      // A process that does not know the page would make its visitors wait.
      const { neverBuilt, stale, expired, purged } = await everyStampede(fleet, { known: everyProcess(fleet) });
      return Math.min(neverBuilt.worst, stale.worst, expired.worst, purged.worst);
    }),
});

// ---------------------------------------------------------------- fleet_round_robin

const fleetRoundRobin = scene("fleet_round_robin", {
  required: "0: a visitor's generations never decrease",
  seconds: 30,
  holds: (backwards) => backwards === 0,
  run: (context) => withOnegen(context, { processes: 4 }, roundRobin),
  controlName: NEXT_ITSELF,
  control: (context) => withNextItself(context, { processes: 4 }, roundRobin),
});

// ---------------------------------------------------------------- sigkill_mid_render_renders

const page = (slug) => `/${slug}`;

const sigkillMidRenderRenders = scene("sigkill_mid_render_renders", {
  required: "1: who takes over; all answered 200 within the rest of the lease and one render",
  seconds: 55,
  holds: (takeovers) => takeovers === 1,
  run: (context) => withOnegen(context, { processes: 4 }, (fleet) => takeoversAfterDeath(fleet, page)),
  controlName: "leases that never end",
  control: (context) =>
    withOnegen(context, { processes: 4, limits: NEVER_ENDING_LEASE }, async (fleet) => (await leaderDies(fleet, page)).takeovers.length),
});

export const scenes = [twoPortsDates, twoPortsRestartRenders, twoPortsVersionsFailed, fleetStampedeRenders, fleetRoundRobin, sigkillMidRenderRenders];
