import { getCloudflareContext } from "@opennextjs/cloudflare";

// The probe is an observer that the demo and the tests bind to the app as a service: it counts renders, and can slow one
// down or make it fail. The app works without it. A call to a binding does not pass through the `fetch` that Next.js
// patches, so it is never cached and does not make a page dynamic.

/** The probe's answer, or null where none is bound. */
export async function askProbe(path, query, method = "GET") {
  const probe = boundProbe();
  if (!probe) return null;
  const response = await probe.fetch(`http://probe${path}?${new URLSearchParams(query)}`, { method });
  return response.json();
}

function boundProbe() {
  try {
    return getCloudflareContext().env.PROBE;
  } catch {
    return undefined; // `next build` renders pages outside of a Worker
  }
}
