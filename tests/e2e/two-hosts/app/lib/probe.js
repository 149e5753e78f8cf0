import { request } from "node:http";
import { getCloudflareContext } from "@opennextjs/cloudflare";

// On both hosts: through the binding where there is one, else by the address in the environment. Neither is the `fetch` that
// Next.js patches.

/** The probe's answer, or null where there is none. */
export async function askProbe(path, query, method = "GET") {
  const target = `${path}?${new URLSearchParams(query)}`;
  const probe = boundProbe();
  if (probe) return (await probe.fetch(`http://probe${target}`, { method })).json();
  const { PROBE, ISOLATE } = process.env;
  return PROBE ? askAddress(`http://${PROBE}${target}`, { method, headers: { "x-isolate": ISOLATE ?? "" } }) : null;
}

function boundProbe() {
  try {
    return getCloudflareContext().env.PROBE;
  } catch {
    return undefined; // `next build` and `next start` render outside of a Worker
  }
}

async function askAddress(url, options) {
  const text = await new Promise((resolve, reject) => {
    request(url, options, (response) => {
      response.setEncoding("utf8");
      response.toArray().then((chunks) => resolve(chunks.join("")), reject);
    })
      .on("error", reject)
      .end();
  });
  return JSON.parse(text);
}
