import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 5;

export function generateStaticParams() {
  return [{ slug: "built" }];
}

export default async function Quick({ params }) {
  const { slug } = await params;
  const render = await rendering(`/quick/${slug}`);
  return (
    <Page render={render} title="Fresh for five seconds">
      <p>After five seconds the next visitor still gets this page, while it is generated again.</p>
    </Page>
  );
}
