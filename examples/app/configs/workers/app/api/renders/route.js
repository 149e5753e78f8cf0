import { askProbe } from "../../../lib/probe.js";

/** `?path=`: how many times that path was rendered, in all isolates. */
export async function GET(request) {
  const path = new URL(request.url).searchParams.get("path");
  const answer = await askProbe("/renders", { path });
  if (!answer) return Response.json({ error: "no probe is bound" }, { status: 501 });
  return Response.json(answer);
}
