// docs/faults.md, held to what was played: every fault of OpenNext's is excluded where its scenes passed beside controls that failed.
import { readFileSync } from "node:fs";
import { scene } from "./runner/scenes.mjs";

const FAULTS = Array.from({ length: 26 }, (_, n) => `H${n}`);

/** The rows of the table. @returns {Map<string, { scenes: string[], controls: string }>} */
export function faultsTold(text = readFileSync(new URL("../../docs/faults.md", import.meta.url), "utf8")) {
  const rows = text.matchAll(/^\| \*\*(H\d+)\*\* [^|]+\|[^|]+\|([^|]+)\|([^|]+)\|$/gm);
  return new Map(Array.from(rows, ([, fault, shown, controls]) => [fault, { scenes: Array.from(shown.matchAll(/`(\w+)`/g), ([, name]) => name), controls: controls.trim() }]));
}

/** What is wrong with a row, before anything is played. */
function untrue({ scenes: names, controls }, scenes) {
  const unknown = names.filter((name) => !scenes.some((one) => one.name === name));
  if (names.length === 0 || unknown.length > 0) return `names no scene, or none there is: ${unknown}`;
  // Of how many is for the line of evidence.
  const told = [...new Set(names.map((name) => scenes.find((one) => one.name === name).controlName.split(", of ")[0]))].join("; ");
  return told === controls ? undefined : `tells of the controls "${controls}" where they are "${told}"`;
}

/** @param {import("./runner/scenes.mjs").Scene[]} scenes all others */
export function faultsOpen(scenes) {
  const told = faultsTold();
  const open = (ended, isExcluded) =>
    FAULTS.filter((fault) => {
      const row = told.get(fault);
      const wrong = row === undefined ? "has no row" : untrue(row, scenes);
      if (wrong) console.error(`faults_open: ${fault} ${wrong}`);
      return wrong !== undefined || !row.scenes.every((name) => isExcluded(ended.get(name)));
    });
  return scene("faults_open", {
    required: `0 of ${FAULTS.length} faults of OpenNext's in docs/faults.md`,
    seconds: 1,
    holds: (count) => count === 0,
    sums: [...new Set([...told.values()].flatMap(({ scenes: names }) => names))],
    run: async ({ ended }) => open(ended, (end) => end?.passed).length,
    controlName: "by the controls of the same scenes",
    controlFails: (count) => count === FAULTS.length,
    control: async ({ ended }) => open(ended, (end) => end && !end.controlFailed).length,
  });
}
