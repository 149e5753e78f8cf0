// Preloaded into the processes of a fleet: the clock of each is off from the start, by what its place in `CLOCK_SKEWS_MS` says.
import { setClock } from "./clock.mjs";

const { CLOCK_SKEWS_MS, ISOLATE } = process.env;
setClock(Number(CLOCK_SKEWS_MS.split(",")[Number(ISOLATE)]));
