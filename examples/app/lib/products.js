import { unstable_cache } from "next/cache";

/** A product, read at most once an hour unless one of its tags is invalidated. */
export function readProduct(slug) {
  return unstable_cache(loadProduct, ["product", slug], {
    tags: ["products", `product:${slug}`],
    revalidate: 3600,
  })();
}

/** Stands for a database: every read sees another version. */
async function loadProduct() {
  return { version: crypto.randomUUID(), readAt: new Date().toISOString() };
}
