// Fails when modules import each other in a circle: `node tests/tools/circles.mjs src pkg`.
//
// A folder with a lib.rs or main.rs is a crate of Rust, any other one of JavaScript or TypeScript.
import path from "node:path";
import { circlesOf } from "./circles/graph.mjs";
import { importsOfFiles } from "./circles/javascript.mjs";
import { isCrate, usesOfCrate } from "./circles/rust.mjs";

let found = 0;
for (const folder of process.argv.slice(2)) {
  const graphs = isCrate(folder) ? usesOfCrate(folder) : [importsOfFiles(folder)];
  for (const circle of graphs.flatMap(circlesOf)) {
    found += 1;
    console.error(`${folder}: these modules import each other: ${circle.map((name) => path.normalize(name)).join(", ")}`);
  }
}
if (found > 0) {
  console.error("Move what they share into a module that both can import.");
  process.exit(1);
}
