import { rendering } from "../../lib/render.js";

export const dynamic = "force-static";

export async function GET() {
  const { id } = await rendering("/empty");
  return new Response("", { headers: { "x-render-id": id } });
}
