import { Page } from "../../../lib/page.jsx";
import { tagged } from "../../../lib/data.js";
import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A page of ten cached calls with a hundred tags each. */
export default async function Many({ params }) {
  const { name } = await params;
  const tagsOf = (call) => Array.from({ length: 100 }, (_, n) => `many:${name}:${100 * call + n}`);
  const render = await rendering(`/many/${name}`, () => Promise.all(Array.from({ length: 10 }, (_, call) => tagged(`${name} ${call}`, tagsOf(call)))));
  return <Page render={render} title="A page of a thousand tags" />;
}
