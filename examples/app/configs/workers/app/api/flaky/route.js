import { askProbe } from "../../../lib/probe.js";

/** `?path=&mode=fail|ok`: whether renders of that path fail from now on. The probe keeps the switch for all isolates. */
export async function POST(request) {
  const query = new URL(request.url).searchParams;
  const answer = await askProbe("/flaky", { path: query.get("path"), mode: query.get("mode") }, "POST");
  if (!answer) return Response.json({ error: "no probe is bound" }, { status: 501 });
  return Response.json(answer);
}
