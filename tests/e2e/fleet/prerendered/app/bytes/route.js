import { rendering } from "../../lib/render.js";

export const dynamic = "force-static";
export const revalidate = false;

/** Every byte there is, which no text holds. */
export async function GET() {
  const { id } = await rendering("/bytes");
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  return new Response(Buffer.concat([bytes, Buffer.from(id)]), { headers: { "content-type": "image/png" } });
}
