// `make demo-fleet`: two processes of `next start` on two ports, which share one Onegen Worker. The scene of vercel/next.js#72020,
// then a restart of both, then the death of one in the middle of a render.
import { buildFleet } from "../tests/e2e/fleet/build.mjs";
import { startFleet } from "../tests/e2e/fleet/fleet.mjs";
import { TOKEN, startOnegenWorker } from "../tests/e2e/fleet/onegen-worker.mjs";

const FIRST_LEASE_S = 10;

console.log("Building the example app (the first time takes a minute)…");
await buildFleet("onegen");
const worker = await startOnegenWorker();
const fleet = await startFleet({ variant: "onegen", processes: 2, url: worker.url, token: TOKEN });
let failed = false;
try {
  await play();
} finally {
  await fleet.stop();
  await worker.stop();
}
process.exit(failed ? 1 : 0);

async function play() {
  say(`\nOnegen's fleet: two processes of "next start", a copy of the build each, one Onegen Worker at ${worker.url}.`);

  say("\n1. /bar was never built. Each process is asked for it, twice:");
  const dates = [];
  for (const index of [0, 1, 0, 1]) dates.push(await visit(index, "/bar"));
  expect(new Set(dates).size === 1 && renders("/bar") === 1, "one date, one render");

  say("\n2. Both processes are killed and started again, over fresh copies of the build:");
  for (const index of [0, 1]) await fleet.restart(index);
  for (const index of [0, 1]) dates.push(await visit(index, "/bar"));
  expect(new Set(dates).size === 1 && renders("/bar") === 1, "the same date, no render");

  say("\n3. Process 0 is killed in the middle of rendering /slow, for which process 1 waits:");
  fleet.probe.behave("/slow", { hold: true });
  const victim = fleet.visit(0, "/slow");
  await fleet.probe.waitForRenders("/slow", 1);
  fleet.probe.behave("/slow", {});
  const begun = Date.now();
  const waiting = visit(1, "/slow");
  await fleet.kill(0);
  await victim;
  await waiting;
  say(`   it waited ${((Date.now() - begun) / 1000).toFixed(1)} s: for what was left of a first lease of ${FIRST_LEASE_S} s, and the render`);
  expect(renders("/slow") === 2, "one took over");
}

/** Visits a page, tells what came of it, and gives the date in it. */
async function visit(index, path) {
  const { status, text, headers } = await fleet.visit(index, path);
  const date = /data-rendered-at="([^"]+)"/.exec(text)?.[1];
  say(`   process ${index}  ${status}  ${date}  x-nextjs-cache: ${headers.get("x-nextjs-cache")}`);
  return date;
}

function renders(path) {
  return fleet.probe.renders(path).length;
}

function expect(holds, what) {
  say(`   ${holds ? "✓" : "✗"} ${what}`);
  failed ||= !holds;
}

function say(line) {
  console.log(line);
}
