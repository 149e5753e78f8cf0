import { Page } from "../../lib/page.jsx";
import { staticProps } from "../../lib/static-props.js";

export function getStaticPaths() {
  return { paths: [{ params: { slug: "built" } }], fallback: "blocking" };
}

export function getStaticProps({ params }) {
  return staticProps(`/hourly/${params.slug}`, 3600);
}

export default function PagesPage({ render }) {
  return <Page render={render} title="A page of the Pages Router" />;
}
