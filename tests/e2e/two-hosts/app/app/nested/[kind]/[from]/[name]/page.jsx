import { readers } from "../../../../../lib/data.js";
import { rendering } from "../../../../../lib/render.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A page that is stored, of data that is. */
export default async function Nested({ params }) {
  const { kind, from, name } = await params;
  const { id, result } = await rendering(`/nested/${kind}/${name}`, () => readers[kind](name, decodeURIComponent(from)));
  return (
    <p data-render-id={id} data-version={result.version}>
      {name}
    </p>
  );
}
