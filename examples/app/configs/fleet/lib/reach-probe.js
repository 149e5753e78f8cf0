import { request } from "node:http";

// The probe's address comes from the environment. It is asked through node:http, not through the `fetch` that Next.js patches: that
// might keep the answer, or make the page dynamic.

/** The probe's answer, or null where there is no address. */
export async function reachProbe(target, method) {
  const { PROBE, ISOLATE } = process.env;
  if (!PROBE) return null;
  const text = await new Promise((resolve, reject) => {
    request(`http://${PROBE}${target}`, { method, headers: { "x-isolate": ISOLATE ?? "" } }, (response) => {
      response.setEncoding("utf8");
      response.toArray().then((chunks) => resolve(chunks.join("")), reject);
    })
      .on("error", reject)
      .end();
  });
  return JSON.parse(text);
}
