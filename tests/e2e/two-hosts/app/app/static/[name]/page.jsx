import { Page } from "../../../lib/page.jsx";
import { tagged } from "../../../lib/data.js";
import { rendering } from "../../../lib/render.js";

export const revalidate = false;
export const generateStaticParams = () => [];

/** A page that lives until it is invalidated. */
export default async function Static({ params }) {
  const { name } = await params;
  await tagged(name, [`static:${name}`]);
  return <Page render={await rendering(`/static/${name}`)} title="A static page" />;
}
