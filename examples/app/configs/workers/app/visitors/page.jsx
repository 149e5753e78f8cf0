import { Page } from "../../lib/page.jsx";
import { rendering } from "../../lib/render.js";
import { Visitors } from "./visitors.jsx";

export const revalidate = false;

export default async function VisitorsPage() {
  const render = await rendering("/visitors");
  return (
    <Page render={render} title="50 visitors at once">
      <p>
        The button picks a page that nobody has ever visited and that takes two seconds to generate, and asks for it
        fifty times at once.
      </p>
      <Visitors />
    </Page>
  );
}
