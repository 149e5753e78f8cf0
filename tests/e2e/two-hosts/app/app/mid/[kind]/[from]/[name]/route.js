import { connection } from "next/server";
import { readers } from "../../../../../lib/data.js";

/** Made for every visitor, of data that is not. */
export async function GET(request, { params }) {
  await connection();
  const { kind, from, name } = await params;
  const { version } = await readers[kind](name, decodeURIComponent(from));
  return new Response(`<p data-version="${version}"></p>`, { headers: { "content-type": "text/html" } });
}
