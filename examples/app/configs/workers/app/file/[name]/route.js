import { fileBody } from "../../../lib/file-body.js";
import { rendering } from "../../../lib/render.js";

export const dynamic = "force-static";
export const revalidate = 3600;

export function generateStaticParams() {
  return [{ name: "text" }, { name: "bytes" }];
}

export async function GET(_request, { params }) {
  const { name } = await params;
  const { id, renderedAt, result: file } = await rendering(`/file/${name}`, () => fileBody(name));
  if (!file) return new Response("There is no such file.\n", { status: 404 });
  return new Response(file.body, {
    headers: { "content-type": file.type, "x-render-id": id, "x-rendered-at": renderedAt },
  });
}
