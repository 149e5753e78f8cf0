// A Worker without Next.js that uses Onegen as OpenNext does: it asks the cache, generates on a miss, and stores in the
// background what it has answered with.
import { core } from "../../../pkg/dist/engine/workerd.js";
import { incrementalCache, wrapWorker } from "../../../pkg/dist/opennext/worker.js";
import { crowd } from "./crowd.js";

const YEAR_SECONDS = 365 * 24 * 3600;
const REVALIDATE_SECONDS = 3600;
const lifetimeOf = (query) => Number(query.get("lifetime") ?? REVALIDATE_SECONDS);

// OpenNext's bundle sets both as it is loaded.
process.env.OPEN_NEXT_BUILD_ID = "plain";
process.env.NEXT_PREVIEW_MODE_ID = "preview";

const pages = {
  async fetch(request, { PROBE }, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/engine") return Response.json(engineState(searchParams.get("find")));
    const cached = await incrementalCache.get(pathname, "cache");
    if (cached) return respond(cached.value);
    const value = await generate(PROBE, pathname, searchParams);
    ctx.waitUntil(incrementalCache.set(pathname, value, "cache"));
    return respond(value);
  },
};

/** `mark` repeated up to `bytes` makes a body that can be recognised wherever it lies. */
async function generate(probe, path, query) {
  const id = crypto.randomUUID();
  const tell = (what) => probe.fetch(`http://probe/${what}?${new URLSearchParams({ path, id })}`, { method: "POST" });
  const { delayMs = 0 } = await (await tell("render")).json();
  await scheduler.wait(delayMs);
  await tell("rendered");
  const mark = query.get("mark") ?? "-";
  return {
    type: "app",
    html: `<main data-render-id="${id}">${mark.repeat(Number(query.get("bytes") ?? 0) / mark.length)}</main>`,
    rsc: `0:${JSON.stringify(id)}`,
    meta: { headers: { "content-type": "text/html; charset=utf-8", "x-next-cache-tags": `_N_T_${path}` } },
    revalidate: lifetimeOf(query),
  };
}

/** As Next.js tells a page's lifetime. */
function respond({ html, meta }) {
  const lifetime = `s-maxage=${REVALIDATE_SECONDS}, stale-while-revalidate=${YEAR_SECONDS - REVALIDATE_SECONDS}`;
  return new Response(html, { headers: { "content-type": meta.headers["content-type"], "cache-control": lifetime } });
}

/** The wasm memories of this isolate. The Worker that hosts the objects adds theirs. */
export const memories = { engine: () => core.initSync().memory };

/** What they hold: whether a text is among it, beside the engine's own count. */
function engineState(text) {
  const buffers = Object.entries(memories).map(([name, memory]) => [name, memory().buffer]);
  const found = buffers.filter(([, buffer]) => Buffer.from(buffer).includes(text)).map(([name]) => name);
  const wasmBytes = Object.fromEntries(buffers.map(([name, buffer]) => [name, buffer.byteLength]));
  return { found, wasmBytes, stats: core.stats() };
}

// Each set of options that a request names makes a wrapper of its own, and without a name there is the default one.
const wrappers = new Map();

function wrapperFor(options) {
  if (!wrappers.has(options)) wrappers.set(options, options === "none" ? pages : wrapWorker(pages, JSON.parse(options)));
  return wrappers.get(options);
}

export default {
  fetch(request, bindings, ctx) {
    if (new URL(request.url).pathname === "/crowd") return crowd(request, bindings);
    const build = request.headers.get("x-build-id");
    if (build === "none") delete process.env.OPEN_NEXT_BUILD_ID;
    else if (build !== null) process.env.OPEN_NEXT_BUILD_ID = build;
    return wrapperFor(request.headers.get("x-options") ?? "{}").fetch(request, bindings, ctx);
  },
};
