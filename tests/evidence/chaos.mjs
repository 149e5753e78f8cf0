// What `make chaos` does for an hour, for a minute.
import { chaos } from "../chaos/chaos.mjs";
import { startOnegenPlaces, startOwnPlaces } from "../chaos/places.mjs";
import { scene } from "../harness/scenes.mjs";
import { OWN_CACHES } from "./both-hosts.mjs";

const SECONDS = 60;
const SECONDS_OF_OWN = 20;
const SEED = 20261125;

async function booksOf({ use }, starting, options) {
  const places = await use(starting);
  const books = await chaos(places, { seed: SEED, ...options });
  await places.stop();
  return books;
}

export const scenes = [
  scene("chaos_violations", {
    required: `0 in ${SECONDS} s of mixed traffic on both hosts while processes are killed, stores and networks fail, clocks jump; and in what follows`,
    holds: (violations) => violations === 0,
    alone: true,
    limitMs: 420_000,
    run: async (context) => {
      const { violations, requests, kills, invalidations, renders } = await booksOf(context, startOnegenPlaces({ variant: "two-hosts-interception" }), { seconds: SECONDS });
      for (const one of violations) console.error(`chaos_violations: ${one}`);
      return { worst: violations.length, of: `${requests} requests, ${kills} kills, ${invalidations} invalidations, ${renders} renders` };
    },
    controlName: OWN_CACHES,
    control: async (context) => (await booksOf(context, startOwnPlaces(), { seconds: SECONDS_OF_OWN, recoverWithinMs: 0 })).violations.length,
  }),
];
