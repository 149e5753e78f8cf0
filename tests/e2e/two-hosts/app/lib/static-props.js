import { rendering } from "./render.js";

/** What `getStaticProps` returns for a path: a page, or what the probe orders instead. */
export async function staticProps(path, revalidate) {
  const { id, renderedAt, outcome } = await rendering(path);
  if (outcome === "not-found") return { notFound: true, revalidate };
  if (outcome === "redirect") return { redirect: { destination: `/about?${id}`, permanent: false }, revalidate };
  return { props: { render: { path, id, renderedAt } }, revalidate };
}
