import { Page } from "../../lib/page.jsx";
import { rendering } from "../../lib/render.js";

export async function getStaticProps() {
  return { props: { render: { ...(await rendering("/old/static")), result: null } } };
}

export default function Static({ render }) {
  return <Page render={render} title="A page of the Pages Router" />;
}
