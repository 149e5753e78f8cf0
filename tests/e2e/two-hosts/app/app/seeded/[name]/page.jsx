import { Page } from "../../../lib/page.jsx";
import { tagged } from "../../../lib/data.js";
import { rendering } from "../../../lib/render.js";

export const revalidate = false;
export const generateStaticParams = () => ["one", "two", "three", "four"].map((name) => ({ name }));

/** A page that the build renders. */
export default async function Seeded({ params }) {
  const { name } = await params;
  await tagged(`seeded ${name}`, [`seeded:${name}`]);
  return <Page render={await rendering(`/seeded/${name}`)} title="A page of the build" />;
}
