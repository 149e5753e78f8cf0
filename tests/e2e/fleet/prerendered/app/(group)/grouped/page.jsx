import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;

export default async function Grouped() {
  return <Page render={await rendering("/grouped")} title="A page in a group" />;
}
