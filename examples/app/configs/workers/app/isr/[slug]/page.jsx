import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;

export function generateStaticParams() {
  return [{ slug: "foo" }, { slug: "baz" }];
}

export default async function Isr({ params }) {
  const { slug } = await params;
  const render = await rendering(`/isr/${slug}`);
  return (
    <Page render={render} title="Fresh for an hour">
      <p><code>foo</code> and <code>baz</code> are built with the app, every other slug on its first visit.</p>
    </Page>
  );
}
