import { Page } from "../../lib/page.jsx";
import { rendering } from "../../lib/render.js";

export const revalidate = false;

export default async function About() {
  const render = await rendering("/about");
  return (
    <Page render={render} title="A static page">
      <p>Built with the app and never generated again, until the next build.</p>
    </Page>
  );
}
