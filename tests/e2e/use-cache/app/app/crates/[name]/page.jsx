import { connection } from "next/server";
import { Page } from "../../../lib/page.jsx";
import { readCrate } from "../../../lib/parcels.js";

/** Rendered for every visitor, of a value that is made of another one. */
export default async function Crate({ params }) {
  await connection();
  const { name } = await params;
  const crate = await readCrate(name);
  return (
    <Page render={crate} title="A crate">
      <p data-parcel={crate.parcel}>It holds a parcel.</p>
    </Page>
  );
}
