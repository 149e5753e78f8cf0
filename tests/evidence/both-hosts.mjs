// What the scenes on both hosts at once share.
import { bothWays, startHosts, startOwnCaches } from "../e2e/two-hosts/hosts.mjs";
import { worstOf } from "./apps.mjs";

export const OWN_CACHES = "Next.js's and OpenNext's own caches";

/** What `measure` makes of both hosts, which are stopped when it is back. */
async function onHosts({ use }, starting, measure) {
  const hosts = await use(starting);
  const measured = await measure(hosts);
  await hosts.stop();
  return measured;
}

/** What `measure` makes of both with Onegen, which may not complain but of what is `expected`. */
export function withOnegen(context, measure, { variant = bothWays[0], expected, ...options } = {}) {
  return onHosts(context, startHosts({ variant, ...options }), async (hosts) => {
    const measured = await measure(hosts);
    const complaints = hosts.complaints.filter((text) => !expected?.test(text));
    if (complaints.length > 0) throw new Error(`it complained: ${complaints.join(" | ")}`);
    return measured;
  });
}

/** The worst of that with OpenNext's cache interception off and on. */
export const withOnegenBothWays = (context, measure, options) => worstOf(bothWays, (variant) => withOnegen(context, measure, { ...options, variant }));

export const withOwnCaches = (context, measure, options) => onHosts(context, startOwnCaches(options), measure);
