import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export function getStaticPaths() {
  return { paths: ["one", "žluť"].map((id) => ({ params: { id } })), fallback: "blocking" };
}

export async function getStaticProps({ params: { id } }) {
  const render = { ...(await rendering(`/old/items/${id}`)), result: null };
  if (id === "gone") return { notFound: true, revalidate: 3600 };
  if (id === "moved") return { redirect: { destination: "/about", permanent: false }, revalidate: 3600 };
  return { props: { render }, revalidate: 3600 };
}

export default function Item({ render }) {
  return <Page render={render} title="An item" />;
}
