import { useRouter } from "next/router";
import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export function getStaticPaths() {
  return { paths: [{ params: { id: "one" } }], fallback: true };
}

export async function getStaticProps({ params: { id } }) {
  return { props: { render: { ...(await rendering(`/old/lazy/${id}`)), result: null } }, revalidate: 3600 };
}

export default function Lazy({ render }) {
  return useRouter().isFallback ? <p data-fallback>One moment…</p> : <Page render={render} title="An item behind a shell" />;
}
