import { revalidateTag } from "next/cache";

/** `?tag=` is stale at once, and expired `?seconds=` later. */
export async function POST(request) {
  const query = new URL(request.url).searchParams;
  revalidateTag(query.get("tag"), { expire: Number(query.get("seconds")) });
  return Response.json({ ok: true });
}
