import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 2;

export function generateStaticParams() {
  return [];
}

export default async function Brief({ params }) {
  const { slug } = await params;
  const render = await rendering(`/brief/${slug}`);
  return (
    <Page render={render} title="Fresh for two seconds">
      <p>After two seconds the next visitor still gets this page, while it is generated again.</p>
    </Page>
  );
}
