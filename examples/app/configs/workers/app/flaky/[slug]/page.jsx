import { Page } from "../../../lib/page.jsx";
import { PostButton } from "../../../lib/post-button.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 5;

export function generateStaticParams() {
  return [];
}

export default async function Flaky({ params }) {
  const { slug } = await params;
  const render = await rendering(`/flaky/${slug}`);
  return (
    <Page render={render} title="A render that can fail">
      <p>While it fails, visitors keep getting the last page that was generated well.</p>
      <PostButton url={`/api/flaky?path=${render.path}&mode=fail`}>Let it fail</PostButton>
      <PostButton url={`/api/flaky?path=${render.path}&mode=ok`}>Let it succeed</PostButton>
    </Page>
  );
}
