import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

const everyByte = Uint8Array.from({ length: 1024 }, (_, at) => at % 256);

/** Bytes that are no text, under headers of which one comes twice. */
export async function GET(_request, { params }) {
  const { name } = await params;
  const { id } = await rendering(`/kinds/${name}`);
  const headers = new Headers({ "content-type": "application/octet-stream", "x-render": id });
  for (const cookie of ["a=1; Path=/", "b=2; Path=/"]) headers.append("set-cookie", cookie);
  return new Response(everyByte, { status: 202, headers });
}
