import { rendering } from "../../lib/render.js";

export const dynamic = "force-static";
export const revalidate = 3600;

export async function GET() {
  const { id } = await rendering("/feed");
  return new Response(`<feed><id>${id}</id></feed>`, { headers: { "content-type": "application/atom+xml", "x-made-by": "feed" } });
}
