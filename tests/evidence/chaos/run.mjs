// `make chaos`: for as long as asked, on both hosts; prints what goes wrong as it does, and the books.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bothWays } from "../../e2e/two-hosts/hosts.mjs";
import { chaos } from "./chaos.mjs";
import { startOnegenPlaces, startOwnPlaces } from "./places.mjs";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "3600" }, seed: { type: "string", default: "1" }, own: { type: "boolean", default: false }, logs: { type: "string" } } });
const SHOWN = 50;
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];

const places = values.own ? await startOwnPlaces() : await startOnegenPlaces({ variant: bothWays[seed % bothWays.length] });
const { violations, ...books } = await chaos(places, { seconds, seed, print: console.log });
if (values.logs) writeFileSync(values.logs, places.logged("").map(({ at, source, text }) => `${new Date(at).toISOString().slice(11, 23)}  ${source}  ${text}\n`).join(""));
await places.stop();
for (const one of violations.slice(0, SHOWN)) console.log(`VIOLATION: ${one}`);
console.log(`chaos_violations: ${violations.length} (${JSON.stringify({ seed, seconds, ...books })})`);
process.exit(violations.length === 0 ? 0 : 1);
