import { tagged } from "../../../lib/data.js";
import { askProbe } from "../../../lib/probe.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A page of data that no cache keeps but itself. */
export default async function MidPage({ params }) {
  const { name } = await params;
  await tagged(name, [`mid:${name}`]);
  const { version } = await askProbe("/read", { path: `/midpage/${name}` });
  return <p data-version={version}>{name}</p>;
}
