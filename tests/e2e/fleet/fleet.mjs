/** A fleet: several processes of `next start`, each on a port of its own, which share nothing but what Onegen shares. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Visited } from "../../tools/harness/visited.mjs";
import { imageOf } from "./build.mjs";
import { FleetMember } from "./member.mjs";

/**
 * @typedef {object} FleetOptions
 * @property {string} [variant] Which build: one of `variants.mjs`.
 * @property {{ folder: string, command: string }} [image] Another build, as `copyImage` makes it; `imageOf` tells what `command` is.
 * @property {number} [processes] How many; 2 by default.
 * @property {string} [url] Where the Onegen Worker is.
 * @property {string} [token] What opens it.
 * @property {Record<string, string>} [env] More of their environment.
 * @property {(folder: string) => Promise<void>} [amend] Changes each copy of the build before a process starts over it.
 * @property {string[]} [nodeArgs] What Node is given beside, such as scripts to preload.
 * @property {string} [node] The Node that runs them: by default the one that npm installed for the tests, else `systemNode()`.
 */

/** @param {FleetOptions & Partial<import("../../tools/harness/visited.mjs").VisitedOptions>} options @returns {Promise<Fleet>} */
export async function startFleet(options) {
  const fleet = new Fleet(options);
  try {
    await fleet.begin();
    await fleet.start();
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

/** The first Node on the path that npm did not install. */
export function systemNode() {
  const folders = process.env.PATH.split(path.delimiter).filter((folder) => !folder.includes("node_modules"));
  const found = folders.map((folder) => path.join(folder, "node")).find((file) => existsSync(file));
  if (found === undefined) throw new Error("This system has no Node of its own.");
  return found;
}

function npmNode() {
  const manifest = createRequire(import.meta.url).resolve("node/package.json");
  return path.join(path.dirname(manifest), "bin/node");
}

class Fleet extends Visited {
  /** @type {FleetMember[]} */
  #members = [];
  #options;

  constructor({ processes = 2, ...options }) {
    super({ ...options, isolates: processes, name: "onegen-fleet-" });
    this.#options = options;
  }

  /** Starts them all, one after the other: no more than one keeps the machine busy. */
  async start() {
    const { variant, image = imageOf(variant), url, token, env, amend, nodeArgs, node = npmNode() } = this.#options;
    if (!existsSync(image.folder)) throw new Error(`${image.folder} is missing: "make apps" makes it.`);
    for (let index = 0; index < this.isolates; index += 1) {
      const name = `process-${index}`;
      const member = new FleetMember({
        name,
        image,
        folder: path.join(this.storage, name),
        amend,
        node,
        nodeArgs,
        env: {
          PATH: process.env.PATH,
          NEXT_TELEMETRY_DISABLED: "1",
          PROBE: this.probe.address,
          ISOLATE: String(index),
          ...(url && { ONEGEN_URL: url }),
          ...(token && { ONEGEN_TOKEN: token }),
          ...env,
        },
        onLog: (line) => this.keepLog(line),
      });
      this.#members.push(member);
      await member.start();
    }
  }

  urlOf(index) {
    return this.#members[index].url;
  }

  pidOf(index) {
    return this.#members[index].pid;
  }

  /** Asks a script that was preloaded into a process. */
  ask(index, question, given) {
    return this.#members[index].ask(question, given);
  }

  /** SIGKILL to one process. */
  async kill(index) {
    await this.#members[index].kill();
    this.probe.isolateDied(index);
  }

  /** Starts a process anew as a container is: over a fresh copy of the build, on another port. */
  async restart(index) {
    await this.kill(index);
    await this.#members[index].start();
  }

  async end() {
    await Promise.all(this.#members.map((member) => member.kill()));
  }
}
