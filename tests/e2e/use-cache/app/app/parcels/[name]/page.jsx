import * as nextCache from "next/cache";
import { connection } from "next/server";
import { Page } from "../../../lib/page.jsx";
import { readParcel, sealOf } from "../../../lib/parcels.js";

async function replace(form) {
  "use server";
  const updateTag = nextCache.updateTag ?? nextCache.revalidateTag;
  updateTag(`parcel:${form.get("name")}`);
}

/** Rendered for every visitor, of a value that is not. */
export default async function Parcel({ params }) {
  await connection();
  const { name } = await params;
  const parcel = await readParcel(name);
  return (
    <Page render={parcel} title="A parcel">
      <p data-seal={parcel.seal} data-found={sealOf(parcel.bytes)}>
        <code>{name}</code> holds {parcel.bytes.byteLength} bytes.
      </p>
      <form action={replace}>
        <input type="hidden" name="name" value={name} />
        <button>Replace it</button>
      </form>
    </Page>
  );
}
