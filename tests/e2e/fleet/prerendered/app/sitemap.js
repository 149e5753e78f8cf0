import { rendering } from "../lib/render.js";

export const revalidate = 3600;

export default async function sitemap() {
  const { renderedAt } = await rendering("/sitemap.xml");
  return [{ url: "https://app.example/about", lastModified: renderedAt }];
}
