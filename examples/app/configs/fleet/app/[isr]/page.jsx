import { Page } from "../../lib/page.jsx";
import { rendering } from "../../lib/render.js";

// The page of vercel/next.js#72020: built ahead for one slug, generated on the first visit for all others. A process that has
// not generated one of those itself took it for stale.
export const revalidate = 3600;

export function generateStaticParams() {
  return [{ isr: "foo" }];
}

export default async function Isr({ params }) {
  const { isr } = await params;
  const render = await rendering(`/${isr}`);
  return (
    <Page render={render} title="Fresh for an hour">
      <p>
        <code>foo</code> is built with the app, every other slug on its first visit.
      </p>
    </Page>
  );
}
