// A scene about a panic in the HTTPS API: whoever is waiting in it is answered.
import { scene } from "./runner/scenes.mjs";
import { panickingWorld, panics, withoutDeadline } from "../workerd/panicking-api.mjs";

/** How many requests got no answer of the API's: of those in flight at a panic, and of those that came after one. */
async function strandedAtPanics({ use }, { thin, rounds }) {
  const world = await use(panickingWorld(thin));
  const { answers, next } = await panics(world, { rounds });
  const stranded = answers.filter((answer) => answer.stranded !== undefined).length;
  const unserved = next.filter(({ status }) => status !== 200).length;
  await world.stop();
  return { worst: stranded + unserved, of: `${answers.length} in flight at ${rounds} panics, ${next.length} after one` };
}

const apiPanicStranded = scene("api_panic_stranded", {
  required: "0 requests in flight at a panic of the HTTPS API without an answer, and each next one served",
  seconds: 30,
  holds: (worst) => worst === 0,
  run: (context) => strandedAtPanics(context, { rounds: 4 }),
  control: async (context) => (await strandedAtPanics(context, { thin: withoutDeadline, rounds: 1 })).worst,
  controlName: "without the outer deadline",
});

export const scenes = [apiPanicStranded];
