import { Page } from "../../../lib/page.jsx";
import { readParcel } from "../../../lib/parcels.js";
import { rendering } from "../../../lib/render.js";

export function generateStaticParams() {
  return [{ name: "built" }];
}

/** A page that is itself stored, of a value that is. */
export default async function Shelf({ params }) {
  const { name } = await params;
  const parcel = await readParcel(name);
  const render = await rendering(`/shelves/${name}`);
  return (
    <Page render={render} title="A shelf">
      <p data-parcel={parcel.id}>It holds a parcel.</p>
    </Page>
  );
}
