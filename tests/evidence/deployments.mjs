// Scenes of deployments of `next start`: builds that live side by side, apps that share an Onegen Worker, and what a build brings along.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { imageOf } from "../e2e/fleet/build.mjs";
import { Deployment, addressOf, prerenderedBy } from "../e2e/fleet/deployment.mjs";
import { startFleet } from "../e2e/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../e2e/fleet/onegen-worker.mjs";
import { scene } from "./runner/scenes.mjs";
import { Visitors } from "../tools/harness/visitors.mjs";
import { Client, beforeEverything, frame } from "../workerd/api-client.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { NEXT_ITSELF, QUIET_MS, everyProcess, visitEach, withNextItself } from "./fleet-tools.mjs";
import { toldBy } from "./outage-tools.mjs";

/** What `measure` makes of fleets that share one Onegen Worker. Nobody may complain. */
async function withFleets({ use }, fleets, measure, service = {}) {
  const worker = await use(startOnegenWorker(service));
  const started = [];
  for (const options of fleets) started.push(await use(startFleet({ url: worker.url, token: TOKEN, ...options })));
  const measured = await measure(...started, worker);
  const complaint = [...started.flatMap((fleet) => fleet.logged("onegen:")), ...worker.logs][0];
  if (complaint) throw new Error(`it complained: ${complaint.text}`);
  for (const one of [...started, worker]) await one.stop();
  return measured;
}

const renders = (fleet, page) => fleet.probe.renders(page).length;

// ---------------------------------------------------------------- rolling_deploy_mixed

const BUILDS = ["a", "b"];
const PURGED = "/tagged/purged";
const BRIEF = "/brief/page";
const PAGES = ["/foo", "/about", "/bar", "/tagged/kept", PURGED, BRIEF];

/** Next.js sends whoever navigates to an address that has the headers' digest in it. */
const NAVIGATION = { headers: { rsc: "1" }, redirect: "follow" };

/** The builds that an answer is of: by what the page says, and by the assets that it names. */
function buildsIn({ text }) {
  const said = /"?data-build"?[:=]"(\w+)"/.exec(text)?.[1];
  return [said, ...[...text.matchAll(/dpl=deployment-(\w+)/g)].map(([, name]) => name)];
}

/** Two builds side by side, then the second alone, then the first again; purges come from either. */
async function rollingDeploy(a, b) {
  const faults = [];
  let mixed = 0;

  /** Every process is asked for every page, and for what a navigation in the browser asks for; the builds at the same time. */
  const round = (fleets) => Promise.all(fleets.map(askForAll));
  const askForAll = async (fleet) => {
    const name = BUILDS[fleet === a ? 0 : 1];
    for (const index of everyProcess(fleet)) {
      for (const page of PAGES) {
        const visits = [await fleet.visit(index, page), await fleet.visit(index, page, NAVIGATION)];
        mustBe200(visits);
        mixed += visits.filter((visit) => buildsIn(visit).some((build) => build !== name)).length;
      }
    }
  };

  /** Each running build has to render what was purged, once. */
  const purge = async (from, query, page, fleets) => {
    const before = fleets.map((fleet) => renders(fleet, page));
    mustBe200([await from.visit(0, `/api/revalidate?${query}`, { method: "POST" })]);
    await sleep(QUIET_MS);
    await round(fleets);
    const more = fleets.map((fleet, index) => renders(fleet, page) - before[index]);
    if (more.some((count) => count !== 1)) faults.push(`after ${query} the builds rendered ${page} ${more.join(" and ")} times`);
  };

  await round([a, b]);
  await purge(b, "tag=product:purged", PURGED, [a, b]);
  await purge(a, "path=/foo", "/foo", [a, b]);

  for (const index of everyProcess(a)) await a.kill(index);
  await purge(b, "tag=product:purged", PURGED, [b]);

  for (const index of everyProcess(b)) await b.kill(index);
  for (const index of everyProcess(a)) await a.restart(index);
  const before = new Map(PAGES.map((page) => [page, renders(a, page)]));
  await round([a]);
  for (const page of PAGES.filter((one) => one !== BRIEF)) {
    const more = renders(a, page) - before.get(page);
    const expected = page === PURGED ? 1 : 0;
    if (more !== expected) faults.push(`rolled back, the first build rendered ${page} ${more} times, not ${expected}`);
  }
  return { mixed, faults };
}

const rolling = (more = {}) => BUILDS.map((name) => ({ variant: `onegen-build-${name}`, ...more }));

/** The deployment id is all that tells these builds apart. */
async function mustHaveOneBuildId() {
  const ids = await Promise.all(BUILDS.map((name) => readFile(path.join(imageOf(`onegen-build-${name}`).folder, ".next/BUILD_ID"), "utf8")));
  if (toldBy(ids, (id) => id).length !== 1) throw new Error(`the builds have the ids ${ids.join(" and ")}, which tell them apart`);
}

/** What a build tells of itself, without its deployment id. */
async function forgetDeployment(folder) {
  const file = path.join(folder, ".next/required-server-files.json");
  const told = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...told, config: { ...told.config, deploymentId: undefined } }));
}

const rollingDeployMixed = scene("rolling_deploy_mixed", {
  required: "0 pages of the other build; each purge reaches both, a roll-back finds its pages",
  seconds: 45,
  holds: (mixed) => mixed === 0,
  run: async (context) => {
    await mustHaveOneBuildId();
    const { mixed, faults } = await withFleets(context, rolling(), rollingDeploy);
    if (mixed === 0 && faults.length > 0) throw new Error(faults.join("; "));
    return mixed;
  },
  controlName: "entries scoped by the build id",
  control: async (context) => (await withFleets(context, rolling({ amend: forgetDeployment }), rollingDeploy)).mixed,
});

// ---------------------------------------------------------------- two_apps_mixed

const APPS = ["shop", "blog"];
const BOTH_HAVE = ["/bar", "/tagged/page", "/brief/page"];

/** What a page says of whose it is. */
const appIn = ({ text }) => /data-app="(\w+)"/.exec(text)?.[1];

/** The same build as two apps, on one Onegen Worker. `given` is what each is configured with: its id and its token. */
async function twoApps(context, given) {
  const tokens = [...new Set(given.map(({ id, token }) => `${id}:rw:${token}`))].join();
  const fleets = given.map(({ id, token }, index) => ({ variant: "onegen-app", token, env: { APP_ID: id, APP_NAME: APPS[index] } }));
  return withFleets(context, fleets, async (shop, blog, worker) => {
    const faults = [];
    let mixed = 0;
    let taken = 0;
    const ask = async (fleet, page) => {
      const visits = await visitEach(fleet, page);
      mixed += visits.filter((visit) => appIn(visit) !== APPS[fleet === shop ? 0 : 1]).length;
      return visits;
    };
    const askForAll = async (fleet) => {
      for (const page of BOTH_HAVE) await ask(fleet, page);
    };
    /** One app's invalidation of what both have. */
    const invalidate = async (fleet, other, query, page) => {
      const before = { own: toldBy(await ask(fleet, page), renderOf), theirs: toldBy(await ask(other, page), renderOf) };
      mustBe200([await fleet.visit(0, `/api/revalidate?${query}`, { method: "POST" })]);
      await sleep(QUIET_MS);
      const after = { own: await ask(fleet, page), theirs: await ask(other, page) };
      if (after.own.some((visit) => before.own.includes(renderOf(visit)))) faults.push(`${query} left the app's own ${page}`);
      taken += after.theirs.filter((visit) => !before.theirs.includes(renderOf(visit))).length;
    };
    await Promise.all([shop, blog].map(askForAll));
    await invalidate(shop, blog, "tag=product:page", "/tagged/page");
    await invalidate(blog, shop, "path=/bar", "/bar");
    await Promise.all([shop, blog].map(askForAll));
    return { mixed, taken, trespasses: await trespasses(worker, given), faults };
  }, { tokens, kv: "bridge" });
}

/** How many requests with one app's token were not refused what is the other's, or reached its ledger. */
async function trespasses(worker, given) {
  const api = new Visitors(() => worker.url, "onegen.example");
  const entries = (await worker.kv.keys()).map(({ name }) => name).filter((name) => /\/(response|data)\//.test(name));
  let count = 0;
  for (const [index, { id }] of given.entries()) {
    const [own, foreign] = [new Client(api, given[index].token), new Client(api, given[1 - index].token)];
    const keys = entries.filter((name) => name.startsWith(`onegen/1/${id}/`));
    if (keys.length < BOTH_HAVE.length) throw new Error(`${id} has only ${keys.length} entries`);
    for (const key of keys) {
      const asked = [
        await foreign.ask("GET", "/v1/entry", { key }),
        await foreign.ask("POST", "/v1/touch", { key }),
        await foreign.ask("POST", "/v1/abandon", { key, body: { lease: { generation: 1, holder: "nobody" }, reason: "failed" } }),
        await foreign.publish(key, frame("forged"), { seed: true }),
        await foreign.acquire(key),
      ];
      count += asked.filter(({ status }) => status !== 403).length;
    }
    // Nothing names a ledger but the token: what is appended with the foreign one is in that app's own.
    const ledger = `onegen/1/${id}`;
    const { head } = (await own.ask("POST", "/v1/since", { body: { position: beforeEverything } })).json;
    mustBe200([await foreign.ask("POST", "/v1/append", { key: ledger, body: { position: beforeEverything, tags: ["forged"] } })]);
    const seen = await own.ask("POST", "/v1/check", { body: { position: head, tags: ["forged"] } });
    mustBe200([seen]);
    if (seen.json !== "none") count += 1;
  }
  await api.close();
  return count;
}

const twoAppsMixed = scene("two_apps_mixed", {
  required: "0 pages of the other app, invalidations that took its pages, and requests with its token for what is not its own",
  seconds: 35,
  holds: (worst) => worst === 0,
  run: async (context) => {
    const { faults, mixed, taken, trespasses } = await twoApps(context, APPS.map((id) => ({ id, token: `${id}-${TOKEN}` })));
    const worst = mixed + taken + trespasses;
    if (worst === 0 && faults.length > 0) throw new Error(faults.join("; "));
    return worst;
  },
  controlName: "one id and one token for both",
  control: async (context) => {
    const { mixed, taken, trespasses } = await twoApps(context, APPS.map(() => ({ id: "app", token: TOKEN })));
    return Math.min(mixed, taken, trespasses);
  },
});

// ---------------------------------------------------------------- seed_first_visit_renders

/** Of each kind that the build renders ahead, and of names that addresses encode. */
const REGENERATED = ["/", "/foo", "/words/žluť", "/words/two words", "/feed", "/bytes", "/old/timed", "/old/items/žluť"];

/** The first visits of all that the build rendered, by one process: what was not served from an entry, or is not what is expected. */
async function firstVisits(fleet, index, pages) {
  const faults = [];
  const bodies = new Map();
  const visit = async (address, expected, init) => {
    const { status, headers, body, error } = await fleet.visit(index, address, init);
    if (status !== expected || headers?.get("x-nextjs-cache") !== "HIT") {
      faults.push(`process ${index} answered the first visit of ${address} with ${status} ${headers?.get("x-nextjs-cache") ?? error}`);
    }
    return body;
  };
  for (const { route, address, data, isApp, status } of pages) {
    bodies.set(route, (await visit(address, status)).toString("latin1"));
    if (data) await visit(data, status === 404 ? 404 : 200);
    if (isApp && status === 200) await visit(address, 200, NAVIGATION);
  }
  return { faults, bodies };
}

/** First visits of a fleet that was seeded; then pages are made anew, `seedAgain` does what it says, and a cold process is visited. */
async function seededFleet(fleet, pages, seedAgain) {
  const faults = [];
  // A process loads its cache with its first request. What says that there is no such page is pre-rendered, too.
  for (const index of everyProcess(fleet)) {
    if ((await fleet.visit(index, "/no-such/page")).status !== 404) faults.push(`process ${index} had no page that says that there is none`);
  }
  const [one, other] = [await firstVisits(fleet, 0, pages), await firstVisits(fleet, 1, pages)];
  faults.push(...one.faults, ...other.faults);
  for (const [route, body] of one.bodies) if (other.bodies.get(route) !== body) faults.push(`the processes have different pages at ${route}`);
  const atFirst = fleet.probe.renders().length;

  const newer = new Map();
  for (const route of REGENERATED) {
    mustBe200([await fleet.visit(0, `/api/revalidate?path=${encodeURIComponent(addressOf(route))}`, { method: "POST" })]);
    const { body } = await fleet.visit(0, addressOf(route));
    newer.set(route, body.toString("latin1"));
    if (newer.get(route) === one.bodies.get(route)) faults.push(`${route} was not rendered anew`);
  }
  const regenerated = fleet.probe.renders().length;
  if (regenerated - atFirst !== REGENERATED.length) faults.push(`${regenerated - atFirst} renders made ${REGENERATED.length} pages anew`);
  await seedAgain();
  await fleet.restart(1);
  await fleet.visit(1, "/no-such/page");
  const cold = await firstVisits(fleet, 1, pages);
  faults.push(...cold.faults);
  const older = pages.filter(({ route }) => cold.bodies.get(route) !== (newer.get(route) ?? one.bodies.get(route))).length;
  const later = fleet.probe.renders().length - regenerated;
  if (later > 0) faults.push(`a cold process rendered ${later} pages that others have`);
  return { worst: atFirst + older, faults };
}

/** Nobody ran `onegen seed`: the first process takes each page from its own build, the other what that one published. */
async function unseededFleet(fleet, pages) {
  const faults = [];
  for (const index of everyProcess(fleet)) {
    await fleet.visit(index, "/no-such/page");
    for (const { address } of pages) {
      const told = (await fleet.visit(index, address)).headers?.get("cache-status") ?? "";
      if (!(index === 0 ? /^Onegen; hit; .* seed"$/ : /^Onegen; hit; .* (kv|coordinator)"$/).test(told)) {
        faults.push(`without seeds process ${index} answered ${address} with ${told}`);
      }
    }
  }
  return { worst: fleet.probe.renders().length, faults };
}

const seedFirstVisitRenders = scene("seed_first_visit_renders", {
  required: "0: first visits of pre-rendered pages are hits, and seeding again takes nothing's place",
  seconds: 45,
  holds: (worst) => worst === 0,
  run: async (context) => {
    const variant = "onegen-prerendered";
    const [pages, deployment] = [await prerenderedBy(variant), await context.use(Deployment.of(variant))];
    const seed = async (worker, expected) => {
      const { code, stdout, stderr } = await deployment.seed({ ONEGEN_URL: worker.url, ONEGEN_TOKEN: TOKEN });
      if (code !== 0 || !expected.test(stdout)) throw new Error(`onegen seed ended with ${code}: ${stdout} ${stderr}`);
    };
    const seeded = await withFleets(context, [{ variant }], async (fleet, worker) => {
      await seed(worker, /^onegen: [1-9]\d* pre-rendered entries uploaded, 0 were there already or had been replaced\n$/);
      return seededFleet(fleet, pages, () => seed(worker, /^onegen: 0 pre-rendered entries uploaded, /));
    });
    const unseeded = await withFleets(context, [{ variant }], (fleet) => unseededFleet(fleet, pages));
    const faults = [...seeded.faults, ...unseeded.faults];
    const worst = seeded.worst + unseeded.worst;
    if (worst === 0 && faults.length > 0) throw new Error(faults.join("; "));
    return worst;
  },
  controlName: NEXT_ITSELF,
  control: async (context) => {
    const pages = await prerenderedBy("next-prerendered");
    const { worst } = await withNextItself(context, { variant: "next-prerendered" }, (fleet) => seededFleet(fleet, pages, () => {}));
    return worst;
  },
});

export const scenes = [rollingDeployMixed, twoAppsMixed, seedFirstVisitRenders];
