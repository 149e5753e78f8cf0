import { Page } from "../../../lib/page.jsx";
import { PostButton } from "../../../lib/post-button.jsx";
import { readProduct } from "../../../lib/products.js";
import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;

export function generateStaticParams() {
  return [];
}

export default async function Tagged({ params }) {
  const { slug } = await params;
  const render = await rendering(`/tagged/${slug}`, () => readProduct(slug));
  const product = render.result;
  return (
    <Page render={render} title="A page with tags">
      <p data-version={product.version} data-read-at={product.readAt}>
        The product <code>{slug}</code> was read at {product.readAt} in version <code>{product.version}</code>.
      </p>
      <PostButton url={`/api/revalidate?tag=product:${slug}`}>Expire product:{slug}</PostButton>
      <PostButton url="/api/revalidate?tag=products&profile=max">Make products stale</PostButton>
      <PostButton url={`/api/revalidate?path=${render.path}`}>Revalidate this path</PostButton>
    </Page>
  );
}
