import { getCloudflareContext } from "@opennextjs/cloudflare";

// The probe is bound to the app as a service. A call to a binding does not pass through the `fetch` that Next.js patches, so it is
// never cached and does not make a page dynamic.

/** The probe's answer, or null where none is bound. */
export async function reachProbe(target, method) {
  const probe = boundProbe();
  if (!probe) return null;
  const response = await probe.fetch(`http://probe${target}`, { method });
  return response.json();
}

function boundProbe() {
  try {
    return getCloudflareContext().env.PROBE;
  } catch {
    return undefined; // `next build` renders pages outside of a Worker
  }
}
