// Whatever Next.js caches comes back as it was stored: at the handler's contract, and through an app on both hosts.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { overFirstHandler, overOnegen, startCaches } from "./conformance/caches.mjs";
import { checks } from "./conformance/suite.mjs";
import { TOKEN, startOnegenWorker } from "../e2e/fleet/onegen-worker.mjs";
import { scene } from "./runner/scenes.mjs";
import { OWN_CACHES, withOnegenBothWays, withOwnCaches } from "./both-hosts.mjs";
import { QUIET_MS } from "./fleet-tools.mjs";
import { sleep } from "./apps.mjs";

/** The oldest and the newest version. */
const VERSIONS = ["15.5", "16.4"];
const contract = Object.entries(checks).filter(([name]) => name.includes("comes back"));

/** Kinds that the second process does not find as the first has stored them. */
async function mismatchesOfContract({ use }, env) {
  const wrong = [];
  for (const version of VERSIONS) {
    const [a, b] = [await use(startCaches(version, await env(version))), await use(startCaches(version, await env(version)))];
    for (const [n, [name, check]] of contract.entries()) {
      await check({ a, b, key: `/kinds/${n}`, version }).catch(({ message }) => wrong.push(`${version}: ${name}: ${message.split("\n", 3).join(" ")}`));
    }
    for (const one of [a, b]) await one.stop();
  }
  return wrong;
}

const RSC = { headers: { rsc: "1" }, redirect: "follow" };
const segment = { headers: { rsc: "1", "next-router-prefetch": "1", "next-router-segment-prefetch": "/_tree" }, redirect: "follow" };

/** What an app has that is stored: where it is, and how it is asked for. */
const stored = {
  "a page": (n) => ({ path: `/isr/kind-${n}` }),
  "a page as RSC": (n) => ({ path: `/isr/kind-${n}`, init: RSC }),
  "a segment": (n) => ({ path: `/isr/kind-${n}`, init: segment }),
  "a page that lives until it is invalidated": (n) => ({ path: `/static/kind-${n}` }),
  "a route with bytes and two cookies": (n) => ({ path: `/kinds/kind-${n}` }),
  "a route with text": (n) => ({ path: `/file/text-kind-${n}` }),
  "an error of a route": (n) => ({ path: `/gone/kind-${n}` }),
  "a page of the Pages Router": (n) => ({ path: `/hourly/kind-${n}` }),
  "its data": (n, hosts) => ({ path: hosts.dataOf(`/hourly/kind-${n}`) }),
  "a redirect of the Pages Router": (n, { probe }) => {
    probe.behave(`/hourly/moved-${n}`, { outcome: "redirect" });
    return { path: `/hourly/moved-${n}` };
  },
};

/** Of an answer, what does not tell when or where it was given; one host says of JSON in which encoding it is. */
function plain({ status, headers, body }) {
  const told = ["content-type", "location", "x-render", "x-render-id"].map((name) => headers?.get(name));
  const text = JSON.stringify({ status, told, cookies: headers?.getSetCookie(), body: body.toString("base64") });
  return text.replace("application/json; charset=utf-8", "application/json");
}

/** Answers of cold places that are not those of the place that rendered, and renders that they cost. */
async function mismatchesOfApp(hosts) {
  const wrong = [];
  // One of each host stores, in turn; the others have not been asked for anything before.
  for (const [n, writer] of [hosts.process, hosts.isolate].entries()) {
    const cold = hosts.places.filter((place) => place !== writer);
    for (const [name, asked] of Object.entries(stored)) {
      const { path: page, init } = asked(n, hosts);
      const first = plain(await writer.visit(page, init));
      await sleep(100);
      for (const place of cold) {
        if (plain(await place.visit(page, init)) !== first) wrong.push(`${name}, stored by ${writer.name}, is another one in ${place.name}`);
      }
    }
    wrong.push(...(await draftsOf(hosts, writer, n)));
  }
  await sleep(QUIET_MS);
  for (const page of [0, 1].flatMap((n) => [`/isr/kind-${n}`, `/static/kind-${n}`, `/kinds/kind-${n}`, `/hourly/kind-${n}`])) {
    const renders = hosts.probe.renders(page).length;
    if (renders !== 1 + (page.startsWith("/isr") ? 1 : 0)) wrong.push(`${page} was rendered ${renders} times`);
  }
  return wrong;
}

/** A visitor who sees drafts has a page rendered that nobody else is to see. */
async function draftsOf(hosts, place, n) {
  const page = `/isr/kind-${n}`;
  const kept = plain(await place.visit(page));
  const draft = await place.visit(page, { headers: { cookie: `__prerender_bypass=${hosts.previewId}` } });
  const wrong = plain(draft) === kept ? [`${place.name} showed a kept page in draft mode`] : [];
  for (const other of hosts.places) if (plain(await other.visit(page)) !== kept) wrong.push(`a draft of ${place.name} is shown in ${other.name}`);
  return wrong;
}

const tell = (wrong) => {
  for (const one of wrong) console.error(`kinds_mismatches: ${one}`);
  return wrong.length;
};

const kindsMismatches = scene("kinds_mismatches", {
  required: `0: ${contract.length} kinds at the contracts of ${VERSIONS.join(" and ")}, ${Object.keys(stored).length} of an app on both hosts, drafts never`,
  seconds: 60,
  holds: (wrong) => wrong === 0,
  limitMs: 300_000,
  run: async (context) => {
    const worker = await context.use(startOnegenWorker());
    const wrong = tell(await mismatchesOfContract(context, async () => overOnegen({ url: worker.url, token: TOKEN })));
    return wrong + (await withOnegenBothWays(context, async (hosts) => tell(await mismatchesOfApp(hosts))));
  },
  controlName: `a handler as one would write it first, or ${OWN_CACHES}, whichever does better`,
  control: async (context) => {
    const folder = await mkdtemp(path.join(tmpdir(), "onegen-first-handler-"));
    await context.use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    const first = await mismatchesOfContract(context, async (version) => overFirstHandler(path.join(folder, version)));
    return Math.min(first.length, await withOwnCaches(context, async (hosts) => (await mismatchesOfApp(hosts)).length));
  },
});

export const scenes = [kindsMismatches];
