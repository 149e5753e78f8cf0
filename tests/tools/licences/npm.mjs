import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** The npm packages that are installed with a package, as its lock file tells of them. @returns {{ name: string, version: string, licence?: string }[]} */
export function installedWith(folder) {
  const { dependencies = {} } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  if (Object.keys(dependencies).length === 0) return [];
  const lock = path.join(folder, "package-lock.json");
  if (!existsSync(lock)) throw new Error(`${lock} is missing, and so are the licences of ${Object.keys(dependencies).join(", ")}: run \`npm install\` there and commit it.`);
  const { packages } = JSON.parse(readFileSync(lock, "utf8"));
  return Object.entries(packages)
    .filter(([name, { dev, peer }]) => name !== "" && !dev && !peer)
    .map(([name, { version, license }]) => ({ name: name.replace(/^.*node_modules\//, ""), version, licence: license }));
}
