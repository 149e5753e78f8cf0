import { Page } from "../../lib/page.jsx";
import { rendering } from "../../lib/render.js";

export async function getStaticProps() {
  return { props: { render: { ...(await rendering("/old/timed")), result: null } }, revalidate: 3600 };
}

export default function Timed({ render }) {
  return <Page render={render} title="A page of the Pages Router with a lifetime" />;
}
