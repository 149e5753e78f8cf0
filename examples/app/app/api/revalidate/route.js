import { revalidatePath, revalidateTag } from "next/cache";

/** `?tag=` expires a tag at once, or makes it stale as `&profile=` says; `?path=` revalidates a path. */
export async function POST(request) {
  const query = new URL(request.url).searchParams;
  const tag = query.get("tag");
  const path = query.get("path");
  const profile = query.get("profile") ?? { expire: 0 };
  if (!tag && !path) return Response.json({ error: "tag or path is needed" }, { status: 400 });
  if (tag) revalidateTag(tag, profile);
  if (path) revalidatePath(path);
  return Response.json({ revalidated: tag ?? path });
}
