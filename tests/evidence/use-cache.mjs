// Scenes of `use cache`, on both hosts.
import { scene } from "./runner/scenes.mjs";
import { sealsOf } from "../e2e/use-cache/checks.mjs";
import { builtApp, inWorld } from "./apps.mjs";
import { withNextItself, withOnegen } from "./fleet-tools.mjs";

const PARCELS = ["one", "two", "three", "four", "five", "six"];
const ROUNDS = 2;

/** Answers that do not hold, byte for byte, the one value that was made for all. */
async function mismatches(visited) {
  let found = 0;
  for (const name of PARCELS) {
    let sealed;
    for (let visit = 0; visit < ROUNDS * visited.isolates; visit += 1) {
      const [seal, seen] = sealsOf(await visited.visit(visit % visited.isolates, `/parcels/${name}`));
      sealed ??= seal;
      if (seal === undefined || seal !== sealed || seen !== seal) found += 1;
    }
  }
  return found;
}

/** Throws where anything but the values is not as it should be. */
async function mismatchesOfOne(visited) {
  const found = await mismatches(visited);
  const made = PARCELS.map((name) => visited.probe.renders(`/parcels/${name}`).length);
  if (made.some((times) => times !== 1)) throw new Error(`the values were made ${made.join(", ")} times`);
  return found;
}

const world = async (variant) => ({ bundle: await builtApp(variant), isolates: 2 });

const useCacheMismatches = scene("use_cache_mismatches", {
  required: "0, each made once",
  seconds: 35,
  holds: (found) => found === 0,
  run: async (context) => {
    const fleet = await withOnegen(context, { variant: "onegen-use-cache" }, mismatchesOfOne);
    return fleet + (await inWorld(context, await world("onegen-use-cache"), mismatchesOfOne));
  },
  controlName: "Next.js's own memory and OpenNext's own adapter, whichever does better",
  control: async (context) => {
    const fleet = await withNextItself(context, { variant: "next-use-cache" }, mismatches);
    return Math.min(fleet, await inWorld(context, await world("opennext-use-cache"), mismatches));
  },
});

export const scenes = [useCacheMismatches];
