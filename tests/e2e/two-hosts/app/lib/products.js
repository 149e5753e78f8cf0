import { unstable_cache } from "next/cache";
import { askProbe } from "./probe.js";

/** As the example's; every read is known to the probe. */
export function readProduct(slug) {
  return unstable_cache(() => loadProduct(slug), ["product", slug], {
    tags: ["products", `product:${slug}`],
    revalidate: 3600,
  })();
}

async function loadProduct(slug) {
  const answer = await askProbe("/read", { path: `/product/${slug}` });
  return { version: answer?.version ?? crypto.randomUUID(), readAt: new Date().toISOString() };
}
