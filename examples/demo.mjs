// `make demo`: the example app on real workerd, four isolates behind one address, every render shown as it happens.
//
// One KV namespace and one set of Durable Objects, as in a deployment; no account. `--check` visits the pages once and ends.
import { once } from "node:events";
import { createServer, request as send } from "node:http";
import { fileURLToPath } from "node:url";
import { buildVariant } from "../tests/e2e/opennext/build.mjs";
import { Probe } from "../tests/tools/harness/probe.mjs";
import { folderBundle, startWorld } from "../tests/tools/harness/world.mjs";

const ISOLATES = 4;
const VARIANT = "onegen-interception";
const check = process.argv.includes("--check");

console.log("Building the example app (the first time takes a few minutes)…");
await buildVariant(VARIANT);

const probe = await Probe.start();
probe.onRender((event, { path, isolate }) => {
  const time = new Date().toISOString().slice(11, 23);
  if (event === "begin") console.log(`${time}  render ${probe.renders(path).length} of ${path} begins, isolate ${isolate}`);
});

const folder = fileURLToPath(new URL(`../tests/.build/${VARIANT}`, import.meta.url));
const bundle = await folderBundle({ folder: `${folder}/bundle`, config: `${folder}/wrangler.json`, main: "worker.js" });
const world = await startWorld({ bundle, isolates: ISOLATES, probe });
const server = createServer(nextIsolate());
server.listen({ host: "127.0.0.1", port: check ? 0 : Number(process.env.PORT ?? 8788) });
await once(server, "listening");
const address = `http://127.0.0.1:${server.address().port}`;

if (check) {
  await visitOnce();
} else {
  introduce();
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
}
server.closeAllConnections();
server.close();
await world.stop();
await probe.stop();

/** Every request goes to the next isolate, as a network of machines would spread them. */
function nextIsolate() {
  let turn = 0;
  return (incoming, outgoing) => {
    turn = (turn + 1) % ISOLATES;
    const { hostname, port } = new URL(world.urlOf(turn));
    const { method, url, headers } = incoming;
    const forwarded = send({ hostname, port, method, path: url, headers }, (response) => {
      outgoing.writeHead(response.statusCode, { ...response.headers, "x-isolate": String(turn) });
      response.pipe(outgoing);
    });
    forwarded.on("error", (error) => outgoing.writeHead(502).end(error.message));
    incoming.pipe(forwarded);
  };
}

function introduce() {
  console.log(`
Onegen's demo: one Next.js app, ${ISOLATES} isolates of workerd, one KV, one Durable Object per route.

  ${address}/              what is here, page by page
  ${address}/visitors      press "Send 50 visitors" and see 1 render
  ${address}/isr/bar       never built: rendered once, then a hit in every isolate for an hour
  ${address}/quick/built   fresh for 5 s: reload it, and see one render per stale period
  ${address}/slow/one      takes 2 s to render: a second tab waits for the first one's render
  ${address}/tagged/shoes  invalidated by tag from its own page
  ${address}/flaky/one     can be made to fail: the last good page stays

Reload any page: x-isolate tells who answered, Cache-Status tells hit, stale or miss and the generation.

  curl -sI ${address}/isr/bar | grep -iE 'cache-status|cache-control|x-isolate'

Renders appear below as they happen. Ctrl-C ends the demo.
`);
}

/** The demo in short, for tests: a never-built page on every isolate is one render, and hits from then on. */
async function visitOnce() {
  const path = "/slow/check";
  const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(`${address}${path}`)));
  const statuses = new Set(answers.map(({ status }) => status));
  const renders = probe.renders(path).length;
  console.log(`50 visitors at once: ${[...statuses].join(", ")}, ${renders} render${renders === 1 ? "" : "s"}`);
  const later = await fetch(`${address}${path}`);
  console.log(later.headers.get("cache-status"));
  if (statuses.size !== 1 || !statuses.has(200) || renders !== 1 || !/^Onegen; hit/.test(later.headers.get("cache-status"))) {
    process.exitCode = 1;
  }
}
