// The same pages with nothing but Workers KV in front of them: what Onegen's coordinators are measured against.
import { crowd } from "./crowd.js";

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/crowd") return crowd(request, env);
    const { PROBE, ONEGEN_KV } = env;
    const cached = await ONEGEN_KV.get(path);
    if (cached !== null) return new Response(cached);
    const id = crypto.randomUUID();
    const tell = (what) => PROBE.fetch(`http://probe/${what}?${new URLSearchParams({ path, id })}`, { method: "POST" });
    const { delayMs = 0 } = await (await tell("render")).json();
    await scheduler.wait(delayMs);
    await tell("rendered");
    const html = `<main data-render-id="${id}"></main>`;
    await ONEGEN_KV.put(path, html);
    return new Response(html);
  },
};
