// Scenes of the data cache, on both hosts at once: what is fetched is fetched by one for all.
import { scene } from "./runner/scenes.mjs";
import { mustBe200, sleep } from "./apps.mjs";
import { OWN_CACHES, withOnegen, withOwnCaches } from "./both-hosts.mjs";
import { QUIET_MS } from "./fleet-tools.mjs";
import { toldBy } from "./outage-tools.mjs";

const EACH = 25;
const FETCH_MS = 400;
const LIMIT_MS = 60_000;

const versionOf = ({ text }) => JSON.parse(text).version;
const address = (hosts, kind, name) => `/data/${kind}/${name}?from=${hosts.probe.address}`;

/** What was fetched, or what came of it, whichever are more. */
async function missing(hosts) {
  hosts.probe.behave("/data/missing", { delayMs: FETCH_MS });
  const visits = await hosts.crowd(address(hosts, "hourly", "missing"), EACH);
  await sleep(QUIET_MS);
  mustBe200(visits);
  return Math.max(hosts.probe.renders("/data/missing").length, toldBy(visits, versionOf).length);
}

/** Nobody waits for what is fetched anew; if one does, the time limit ends both. */
async function stale(hosts) {
  const path = "/data/stale";
  const asked = address(hosts, "brief", "stale");
  // A first fetch of some length, so that leases are longer than all the answers take.
  hosts.probe.behave(path, { delayMs: 2000 });
  mustBe200(await hosts.visitEach(asked));
  await sleep(2500);
  const before = hosts.probe.renders(path).length;
  hosts.probe.behave(path, { hold: true });
  const limit = setTimeout(() => hosts.probe.release(path), LIMIT_MS);
  const visits = await hosts.crowd(asked, EACH);
  clearTimeout(limit);
  await hosts.probe.waitForRenders(path, before + 1, LIMIT_MS);
  await sleep(QUIET_MS);
  hosts.probe.release(path);
  const renders = await hosts.probe.waitForEnd(path, before + 1, LIMIT_MS);
  mustBe200(visits);
  const ended = Math.min(...renders.slice(before).map(({ endedAt }) => endedAt));
  if (visits.some(({ answeredAt }) => answeredAt >= ended)) throw new Error("a visitor waited for data that was there");
  return renders.length - before;
}

const measured = async (hosts) => [await missing(hosts), await stale(hosts)];

const dataCacheRenders = scene("data_cache_renders", {
  required: "1 upstream request for a missing and for a stale `fetch` entry, of 25 visitors of each of two processes and two isolates",
  seconds: 45,
  holds: (fetches) => fetches === 1,
  limitMs: 180_000,
  run: (context) => withOnegen(context, async (hosts) => Math.max(...(await measured(hosts)))),
  controlName: OWN_CACHES,
  control: (context) => withOwnCaches(context, async (hosts) => Math.min(...(await measured(hosts)))),
});

export const scenes = [dataCacheRenders];
