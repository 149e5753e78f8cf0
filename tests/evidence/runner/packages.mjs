/** What scenes need of Debian. They fail where it is missing; `.ci/run` installs it. */

import { accessSync, constants } from "node:fs";
import path from "node:path";

/** The program by which a package is known to be installed. */
const PROGRAMS = { chromium: "chromium", "redis-server": "redis-server" };

/** @param {string[]} packages names of Debian packages, as a scene declares them */
export function missingPackages(packages) {
  return packages.filter((name) => {
    if (!Object.hasOwn(PROGRAMS, name)) throw new Error(`The package ${name} is not known: add it to PROGRAMS in tests/evidence/runner/packages.mjs.`);
    return !isInstalled(PROGRAMS[name]);
  });
}

function isInstalled(program) {
  return (process.env.PATH ?? "").split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
