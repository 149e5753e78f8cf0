/** Fetches `?from=` through Next.js's data cache: the data of kind `brief` for two seconds, of others for an hour. */
export async function GET(request, { params }) {
  const { kind, name } = await params;
  const from = new URL(request.url).searchParams.get("from");
  const response = await fetch(`http://${from}/read?path=/data/${name}`, { next: { revalidate: kind === "brief" ? 2 : 3600, tags: [`data:${name}`] } });
  return Response.json(await response.json());
}
