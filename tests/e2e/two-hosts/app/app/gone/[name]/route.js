import { rendering } from "../../../lib/render.js";

export const dynamic = "force-static";
export const revalidate = 3600;

export function generateStaticParams() {
  return [];
}

/** An answer that is an error, and cached. */
export async function GET(_request, { params }) {
  const { name } = await params;
  const { id, renderedAt } = await rendering(`/gone/${name}`);
  return new Response("It is gone.\n", { status: 410, headers: { "x-render-id": id, "x-rendered-at": renderedAt } });
}
