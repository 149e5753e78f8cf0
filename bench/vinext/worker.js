// The benchmark's Worker with vinext's KV cache beside the others: the handler itself, called as vinext's server calls it.
import vinextKvCache from "@vinext/cloudflare/cache/kv-data-adapter.runtime";
import bench from "../worker.js";

export { DOShardedTagCache, PlainCoordinator, RouteCoordinator, TagLedger } from "../worker.js";

/** What vinext keeps of a page for its visitors; what it keeps for the router's navigations is an entry of its own. */
const pageOf = (bytes, kind = "html") => ({
  kind: "APP_PAGE",
  html: kind === "html" ? "x".repeat(bytes) : "",
  rscData: kind === "rsc" ? new TextEncoder().encode("0:{}").buffer : undefined,
  headers: undefined,
  postponed: undefined,
  status: 200,
});

const policy = (tags, revalidate) => ({ cacheControl: { revalidate }, revalidate, tags: Array.from({ length: tags }, (_, n) => `tag-${n}`) });

/** One for the isolate, which knows of tags for five seconds; with `begunAnew` a new one for each call. */
let cache;

async function answer(request, env, { begunAnew = false }) {
  const { pathname, searchParams } = new URL(request.url);
  const numberOf = (name, otherwise) => Number(searchParams.get(name) ?? otherwise);
  const key = searchParams.get("key");
  const begin = () => vinextKvCache({ env });
  cache ??= begin();
  switch (pathname) {
    case "/set":
      for (const kind of ["html", "rsc"]) await cache.set(`${key}:${kind}`, pageOf(numberOf("bytes"), kind), policy(numberOf("tags"), numberOf("revalidate", 3600)));
      return new Response("set");
    case "/get":
      for (let done = 0; done < numberOf("n"); done += 1) {
        const found = await (begunAnew ? begin() : cache).get(`${key}:html`, { kind: "APP_PAGE" });
        if (!found?.value) throw new Error(`${key} is not there`);
        const state = searchParams.get("state");
        if (state !== null && found.cacheState !== state) throw new Error(`${key} is ${found.cacheState}, not ${state}`);
      }
      return new Response("done");
    case "/invalidate":
      await cache.revalidateTag(searchParams.get("tag"));
      return new Response("invalidated");
    default:
      return new Response("done");
  }
}

export default {
  fetch(request, env, ctx) {
    const [name, options] = (request.headers.get("x-cache") ?? "").split(" ");
    return name === "vinext" ? answer(request, env, JSON.parse(options)) : bench.fetch(request, env, ctx);
  },
};
