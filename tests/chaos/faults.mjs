/** What goes wrong, and when: episodes from a sequence that is always the same, one after the other in each of two lanes. */

import { sleep } from "../evidence/apps.mjs";

/** Between two episodes of a lane, and within one, so long. */
const PAUSE_MS = [500, 2500];
const EPISODE_MS = [800, 3500];
/** A clock goes wrong by so much at most. */
const JUMP_MS = 30_000;

/**
 * Who may not hear of invalidations while it lasts: nobody does without the ledger, and no process of `next start` through a door
 * that loses answers. Everything else must leave them as they are.
 *
 * @typedef {"everybody" | "processes" | undefined} Deaf
 *
 * @typedef {{ name: string, begin: (chaos: object, random: () => number) => Promise<void>, end?: (chaos: object) => Promise<void>, deaf?: Deaf }} Fault
 */

const between = ([least, most], random) => least + (most - least) * random();
const oneOf = (list, random) => list[Math.floor(random() * list.length)];

/** @type {Fault[]} What ends processes. */
const deaths = [
  ...Array(5).fill({ name: "kill", begin: ({ world }, random) => world.kill(oneOf(world.mortal, random)) }),
  {
    name: "objects killed",
    deaf: "everybody",
    begin: ({ world }) => world.world.killObjects(),
    end: ({ world }) => world.world.startObjects(),
  },
];

const objects = (mode, classes, deaf) => ({
  name: `${classes[0]} ${mode}`,
  deaf,
  begin: ({ world }) => whileAlive(() => world.world.objects.behave(mode, { classes })),
  end: ({ world }) => whileAlive(() => world.world.objects.heal()),
});

const kv = (name, rules) => ({
  name,
  begin: ({ world }) => rules(world.world.kv),
  end: ({ world }) => world.world.kv.heal(),
});

const door = (name, fault, deaf) => ({
  name,
  deaf,
  begin: async ({ world }, random) => world.door.behave(() => (random() < 0.3 ? fault(random) : {})),
  end: async ({ world }) => world.door.heal(),
});

/** @type {Fault[]} What goes on all the same. */
const disorders = [
  objects("throw", ["RouteCoordinator"]),
  objects("loseAnswer", ["RouteCoordinator"]),
  objects("abort", ["RouteCoordinator"]),
  objects("throw", ["TagLedger"], "everybody"),
  kv("KV lags", (control) => control.lag(5000)),
  kv("KV is not read", (control) => control.fail({ get: { mode: "throw" } })),
  kv("KV is not written", (control) => control.fail({ put: { mode: "throwAfter" } })),
  door("slow network", (random) => ({ lateMs: 300 * random() })),
  door("lossy network", () => ({ reset: true }), "processes"),
  { name: "clock jumps", begin: ({ world }, random) => world.fleet.ask(1, "shift", Math.round(JUMP_MS * (2 * random() - 1))).catch(() => {}) },
];

/** The objects' process may be down: then their rule is told to the next. */
async function whileAlive(tell) {
  await tell().catch(() => {});
}

/**
 * Plays episodes until `over` says so.
 *
 * @param {{ world: object, books: import("./books.mjs").Books }} chaos
 * @param {{ random: () => number, over: () => boolean, own?: boolean }} how `own`: the hosts' own caches, which have no door
 */
export async function playFaults(chaos, { random, over, own = false }) {
  const lanes = own ? [deaths.filter(({ deaf }) => !deaf)] : [deaths, disorders];
  await Promise.all(
    lanes.map(async (faults) => {
      while (!over()) {
        await sleep(between(PAUSE_MS, random));
        await play(chaos, oneOf(faults, random), random);
      }
    }),
  );
}

async function play(chaos, { name, deaf, begin, end }, random) {
  const episode = chaos.books.faultBegins(name, deaf);
  await begin(chaos, random);
  await sleep(between(EPISODE_MS, random));
  await end?.(chaos);
  chaos.books.faultEnds(episode);
}
