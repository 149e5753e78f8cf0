// What takes the place of the process's cache where Next.js compiles a handler into a route of the edge runtime: there are no files to
// load the engine from. `next start` hands such routes the cache of its process; where nobody does, they keep nothing, and what they
// invalidate is recorded all the same.
import { Unrecorded, profileOf } from "../invalidation.js";

const ATTEMPTS = 3;
const PAUSE_MS = 200;
const BEFORE_EVERYTHING = { epoch: 0, number: 0 };

let told = false;

const cache = {
  async get() {
    tell();
    return null;
  },

  async set() {},

  /** Rejects, so that whoever invalidates hears of it, when it could not be recorded. */
  async revalidateTag(given, durations) {
    const tags = [given].flat();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (await appended({ position: BEFORE_EVERYTHING, tags, profile: profileOf(durations) })) return;
      await new Promise((resolve) => setTimeout(resolve, attempt * PAUSE_MS));
    }
    throw new Unrecorded(tags, "Onegen Worker");
  },
};

/** Every message may be sent twice. */
async function appended(message) {
  const { ONEGEN_URL, ONEGEN_TOKEN } = process.env;
  try {
    const url = new URL("/v1/append", ONEGEN_URL);
    // Next.js does not look after this one.
    const response = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${ONEGEN_TOKEN}` }, body: JSON.stringify(message), cache: "no-store", next: { internal: true } });
    return response.ok;
  } catch {
    return false;
  }
}

function tell() {
  if (told) return;
  told = true;
  console.warn('onegen: routes with `runtime = "edge"` keep nothing here: the edge runtime cannot load the engine; use the "nodejs" runtime, Next.js\'s default, for what is to be cached');
}

/** As `process.js` has them. */
export const processCache = () => ({ forRequest: () => cache });
export const giveOptions = () => {};
export const isPrivate = () => false;
export const nextItself = () => null;
