#!/usr/bin/env node
// The package's command.
import { seedAssets } from "./seed.js";

const USAGE = `usage: onegen seed [folder]

  seed   puts the pages that the build pre-rendered among the Worker's assets, where a first visit finds them.
         Run it after "opennextjs-cloudflare build" and before "wrangler deploy", or as wrangler's build command.
         folder is the app's, by default the current one.`;

const [command, folder = "."] = process.argv.slice(2);
if (command !== "seed") {
  console.error(USAGE);
  process.exit(command === undefined || command === "help" || command === "--help" ? 0 : 2);
}
try {
  const { written, skipped, target } = await seedAssets(folder);
  console.log(`onegen: ${written} pre-rendered entries in ${target}`);
  for (const { key, reason } of skipped) console.log(`onegen: ${key} is not seeded: ${reason}`);
} catch (error) {
  console.error(`onegen seed: ${error.message}`);
  process.exit(1);
}
