import { Page } from "../../../lib/page.jsx";
import { readProduct } from "../../../lib/products.js";
import { rendering } from "../../../lib/render.js";

export const revalidate = false;

export default async function Deep() {
  const render = await rendering("/nested/deep", () => readProduct("deep"));
  return <Page render={render} title={`A nested page with tags, of version ${render.result.version}`} />;
}
