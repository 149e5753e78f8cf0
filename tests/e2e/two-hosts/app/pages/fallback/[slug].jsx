import { Page } from "../../lib/page.jsx";
import { staticProps } from "../../lib/static-props.js";

export function getStaticPaths() {
  return { paths: [{ params: { slug: "built" } }], fallback: true };
}

export function getStaticProps({ params }) {
  return staticProps(`/fallback/${params.slug}`, 3600);
}

export default function FallbackPage({ render }) {
  if (!render) return <main data-shell="fallback">Its data is on its way.</main>;
  return <Page render={render} title="A page with a shell" />;
}
