import { Page } from "../lib/page.jsx";
import { rendering } from "../lib/render.js";

export const revalidate = 3600;

export default async function Root() {
  return <Page render={await rendering("/")} title="The root" />;
}
