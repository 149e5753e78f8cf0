import { cacheLife, cacheTag, unstable_cache } from "next/cache";
import { askProbe } from "./probe.js";

/** What is read at the probe, which knows when, through each of Next.js's caches of data: `{ version }`, tagged `mid:<name>`. */
export const readers = {
  async fetch(name, from) {
    const response = await fetch(`http://${from}/read?path=/mid/fetch/${name}`, { next: { revalidate: 3600, tags: [`mid:${name}`] } });
    return response.json();
  },

  unstable_cache: (name) =>
    unstable_cache(() => askProbe("/read", { path: `/mid/unstable_cache/${name}` }), ["mid", name], { revalidate: 3600, tags: [`mid:${name}`] })(),

  async use_cache(name) {
    "use cache";
    cacheTag(`mid:${name}`);
    cacheLife({ stale: 30, revalidate: 3600, expire: 86400 });
    return askProbe("/read", { path: `/mid/use_cache/${name}` });
  },
};

/** Gives a page these tags, for as long as it lives. */
export const tagged = (key, tags) => unstable_cache(async () => key, ["tagged", key], { revalidate: false, tags })();
