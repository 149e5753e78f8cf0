import { request } from "node:http";

// The probe is an observer that the tests start: it counts renders, and can slow one down or make it fail. The app works
// without it. It is asked through node:http, not through the `fetch` that Next.js patches: that might keep the answer, or
// make the page dynamic.

/** The probe's answer, or null where there is none. */
export async function tellProbe(path, query) {
  const { PROBE, ISOLATE } = process.env;
  if (!PROBE) return null;
  const url = `http://${PROBE}${path}?${new URLSearchParams(query)}`;
  const text = await new Promise((resolve, reject) => {
    request(url, { method: "POST", headers: { "x-isolate": ISOLATE ?? "" } }, (response) => {
      response.setEncoding("utf8");
      response.toArray().then((chunks) => resolve(chunks.join("")), reject);
    })
      .on("error", reject)
      .end();
  });
  return JSON.parse(text);
}
