// What takes the place of the process's cache where Next.js compiles a handler into a route of the edge runtime: there are no files to
// load the engine from. `next start` hands such routes the cache of its process; where nobody does, they keep nothing, and what they
// invalidate is recorded all the same.
import { pause } from "../base/deadline.js";
import { SayOnce } from "../base/say-once.js";
import type { Append } from "../engine/protocol.js";
import { type Durations, Unrecorded, profileOf } from "../next-format/invalidation.js";
import type * as NodeProcess from "../node/process.js";
import type { RequestCache } from "./host.js";

const ATTEMPTS = 3;
const PAUSE_MS = 200;
const BEFORE_EVERYTHING = { epoch: 0, number: 0 };

const log = new SayOnce();

const cache: RequestCache = {
  async get() {
    tell();
    return null;
  },

  async set() {},

  /** Rejects, so that whoever invalidates hears of it, when it could not be recorded. */
  async revalidateTag(given: string | string[], durations?: Durations) {
    const tags = [given].flat();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (await appended({ position: BEFORE_EVERYTHING, tags, profile: profileOf(durations) })) return;
      await pause(attempt * PAUSE_MS);
    }
    throw new Unrecorded(tags, "Onegen Worker");
  },
};

/** Every message may be sent twice. */
async function appended(message: Append): Promise<boolean> {
  const { ONEGEN_URL, ONEGEN_TOKEN } = process.env;
  try {
    const url = new URL("/v1/append", ONEGEN_URL);
    // Next.js does not look after this one.
    const unwatched: object = { cache: "no-store", next: { internal: true } };
    const headers = { authorization: `Bearer ${ONEGEN_TOKEN}` };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(message), ...unwatched });
    return response.ok;
  } catch {
    return false;
  }
}

function tell(): void {
  log.warn(
    "edge",
    'routes with `runtime = "edge"` keep nothing here: the edge runtime cannot load the engine; use the "nodejs" runtime, Next.js\'s default, for what is to be cached',
  );
}

/** As `node/process.ts` has them. */
export const processCache: typeof NodeProcess.processCache = () => ({ forRequest: () => cache, useCache: undefined });
export const giveOptions: typeof NodeProcess.giveOptions = () => {};
export const isPrivate: typeof NodeProcess.isPrivate = () => false;
export const nextItself: typeof NodeProcess.nextItself = () => null;
