#!/usr/bin/env node
// The package's command.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../base/errors.js";
import { accessFrom } from "../node/access.js";
import { seedAssets } from "./seed-assets.js";
import { seedWorker } from "./seed-worker.js";

const USAGE = `usage: onegen seed [folder] [--app id]
       onegen --version

  seed   makes the pages that the build pre-rendered hits on their first visit. folder is the app's, by default the current one.

         Where OpenNext has built (.open-next), they go among the Worker's assets: run it after "opennextjs-cloudflare build" and
         before "wrangler deploy", or as wrangler's build command.

         Else they are uploaded to the Onegen Worker that "next start" will use: run it after "next build", with ONEGEN_URL and
         ONEGEN_TOKEN set, and the app's id if it is not "app". It may be run again at any time: nothing newer is replaced.`;

const BAR_WIDTH = 40;

const { command, folder, app } = parsed();
try {
  if (existsSync(join(folder, ".open-next"))) await intoAssets();
  else await intoWorker();
} catch (error) {
  console.error(`onegen ${command}: ${messageOf(error)}`);
  process.exit(1);
}

function parsed(): { command: string; folder: string; app: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { app: { type: "string" }, help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } },
    });
    const [name, place = "."] = positionals;
    if (values.version) {
      console.log(version());
      process.exit(0);
    }
    if (name === "seed" && positionals.length <= 2 && !values.help) return { command: name, folder: place, app: values.app };
    console.error(USAGE);
    process.exit(values.help || name === undefined || name === "help" ? 0 : 2);
  } catch (error) {
    console.error(`onegen: ${messageOf(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** The version of the package that this command is part of. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

async function intoAssets(): Promise<void> {
  const { written, skipped, target } = await seedAssets(folder);
  console.log(`onegen: ${written} pre-rendered entries in ${target}`);
  tell(skipped);
}

async function intoWorker(): Promise<void> {
  const advice = 'set it, or run "opennextjs-cloudflare build" first if the app runs on Workers';
  const { url, token } = accessFrom(process.env, advice);
  const { uploaded, present, skipped, record } = await seedWorker(join(folder, ".next"), { url, token, app, onProgress: drawn });
  console.log(`onegen: ${uploaded} pre-rendered entries uploaded, ${present} were there already or had been replaced`);
  if (record) console.log(`onegen: ${record}`);
  tell(skipped);
}

function tell(skipped: { key: string; reason: string }[]): void {
  for (const { key, reason } of skipped) console.log(`onegen: ${key} is not seeded: ${reason}`);
}

/** Draws a progress bar on a terminal, and nothing into a log. */
function drawn(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  const full = Math.round((BAR_WIDTH * done) / all);
  process.stderr.write(`\r[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}] ${done}/${all}${done === all ? "\n" : ""}`);
}
