// The scene of how long KV keys live: as long as somebody asks for the page, and not for ever.
import { TOKEN } from "../e2e/fleet/onegen-worker.mjs";
import { startIsolate } from "../tools/harness/isolates.mjs";
import { scene } from "./runner/scenes.mjs";
import { mustBe200, renderOf, sleep } from "./apps.mjs";
import { withOnegen } from "./both-hosts.mjs";
import { toldBy, until } from "./outage-tools.mjs";

/** The shortest that Workers KV takes (developers.cloudflare.com/kv/api/write-key-value-pairs). */
const TTL_SECONDS = 60;
const HOT = "/static/hot";
const VISITED_ONCE = "/static/once";
const OF_OLD_BUILD = "/old-build";
const UNVISITED = [VISITED_ONCE, OF_OLD_BUILD];
const options = { limits: { kvTtlSeconds: TTL_SECONDS }, isolates: 4, wrapObjects: true };

/** A page of a build that nobody asks for any more. */
async function leaveOldBuild(hosts) {
  const { host, request } = await startIsolate({ url: hosts.url, token: TOKEN, app: "app" });
  const { miss } = await host.read(request(), { kind: "response", key: OF_OLD_BUILD, caller: "renderer" });
  const parts = [{ name: "html", bytes: new TextEncoder().encode("old") }];
  await host.store(request(), { kind: "response", key: OF_OLD_BUILD, lease: miss.lease, startedAt: Date.now(), value: { shape: "page", parts, tags: [] } });
}

const keysOf = async (hosts, page) => (await hosts.kv.keys()).filter(({ name }) => name.endsWith(page));

/**
 * A page that is never stale is asked for over and over in a process and an isolate, which have it in memory, for so many lifetimes
 * of its key. Then places ask for it that never did before.
 */
async function wrongAfter(hosts, lifetimes) {
  const places = [hosts.process, hosts.isolate];
  const cold = [hosts.otherProcess, ...hosts.places.slice(-3)];
  await leaveOldBuild(hosts);
  mustBe200(await hosts.visitEach(VISITED_ONCE, [hosts.process]));
  for (const page of UNVISITED) await until(`${page} to be in KV`, async () => (await keysOf(hosts, page)).length > 0);
  const visits = [];
  for (const end = Date.now() + lifetimes * TTL_SECONDS * 1000; Date.now() < end; await sleep(2000)) {
    visits.push(...(await hosts.visitEach(HOT, places)));
  }
  visits.push(...(await hosts.visitEach(HOT, cold)));
  mustBe200(visits);
  const left = (await Promise.all(UNVISITED.map((page) => keysOf(hosts, page)))).flat();
  const lost = toldBy(visits, renderOf).length - 1 + hosts.probe.renders(HOT).length - 1;
  return { lost, left: left.length };
}

export const scenes = [
  scene("ttl_keeps_hot_pages", {
    required: `0 renders more of a page that is asked for during three lifetimes of its key, and 0 keys of a page and of a build that are not`,
    seconds: 300,
    holds: (wrong) => wrong === 0,
    limitMs: 300_000,
    run: (context) =>
      withOnegen(
        context,
        async (hosts) => {
          const { lost, left } = await wrongAfter(hosts, 3.2);
          return lost + left;
        },
        options,
      ),
    controlName: "lives that nobody prolongs",
    control: (context) =>
      withOnegen(
        context,
        async (hosts) => {
          await hosts.objects.behave("throw", { classes: ["RouteCoordinator"], methods: ["touch"] });
          return (await wrongAfter(hosts, 1.2)).lost;
        },
        options,
      ),
  }),
];
