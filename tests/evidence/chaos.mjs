// What `make chaos` does for an hour: for a minute, and as a long form for the hour.
import { chaos } from "./chaos/chaos.mjs";
import { startOnegenPlaces, startOwnPlaces } from "./chaos/places.mjs";
import { scene } from "./runner/scenes.mjs";
import { OWN_CACHES } from "./both-hosts.mjs";

const SECONDS = 60;
const LONG_SECONDS = 3600;
const SECONDS_OF_OWN = 20;
const SEED = 20261125;

async function booksOf({ use }, starting, options) {
  const places = await use(starting);
  const books = await chaos(places, { seed: SEED, ...options });
  await places.stop();
  return books;
}

const playedFor = (seconds) => ({
  required: `0 in ${seconds} s of mixed traffic on both hosts while processes are killed, stores and networks fail, clocks jump; and in what follows`,
  limitMs: (seconds + 360) * 1000,
  run: async (context) => {
    const { violations, requests, kills, invalidations, renders } = await booksOf(context, startOnegenPlaces({ variant: "two-hosts-interception" }), { seconds });
    for (const one of violations) console.error(`chaos_violations: ${one}`);
    return { worst: violations.length, of: `${requests} requests, ${kills} kills, ${invalidations} invalidations, ${renders} renders` };
  },
});

export const scenes = [
  scene("chaos_violations", {
    ...playedFor(SECONDS),
    seconds: 150,
    holds: (violations) => violations === 0,
    quiet: true,
    controlName: OWN_CACHES,
    control: async (context) => (await booksOf(context, startOwnPlaces(), { seconds: SECONDS_OF_OWN, recoverWithinMs: 0 })).violations.length,
    long: { ...playedFor(LONG_SECONDS), seconds: LONG_SECONDS + 120, inputs: ["src", "pkg/src", "tests/evidence/chaos"] },
  }),
];
