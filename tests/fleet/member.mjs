/** One process of `next start`, over a copy of the build that is its own, as a container's would be. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { followGroup, killGroup, refuses } from "../harness/groups.mjs";
import { eachLine } from "../harness/runtime.mjs";

const START_LIMIT_MS = 60_000;
const NEXT = "node_modules/next/dist/bin/next";
const PRELOADED = new URL("./end-with-parent.mjs", import.meta.url).href;

export class FleetMember {
  #options;
  #child;
  #url;

  /** @param {{ name: string, image: string, folder: string, node: string, env: Record<string, string>, onLog: (line: object) => void }} options */
  constructor(options) {
    this.#options = options;
  }

  get pid() {
    return this.#child?.pid;
  }

  get url() {
    if (this.#child === undefined) throw new Error(`${this.#options.name} is not running.`);
    return this.#url;
  }

  /** Starts over a new copy of the build: what an earlier process wrote into its own is lost. */
  async start() {
    const { name, image, folder, node, env, onLog } = this.#options;
    await rm(folder, { recursive: true, force: true });
    await cp(image, folder, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    const args = ["--import", PRELOADED, NEXT, "start", "--hostname", "127.0.0.1", "--port", "0"];
    const child = spawn(node, args, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    await once(child, "spawn");
    this.#child = child;
    followGroup(child);
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    const output = [];
    this.#url = await new Promise((resolve, reject) => {
      const failed = (why) => reject(new Error(`${name} ${why}\n${output.join("\n")}`));
      const timer = setTimeout(() => failed(`was not ready after ${START_LIMIT_MS} ms.`), START_LIMIT_MS);
      let url;
      const keep = (stream) => (text) => {
        output.push(text);
        onLog({ source: name, stream, text, at: Date.now() });
        url ??= /Local:\s+(http:\S+)/.exec(text)?.[1];
        if (!/Ready in/.test(text) || url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      };
      eachLine(child.stdout, keep("out"));
      eachLine(child.stderr, keep("error"));
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        failed(`ended with ${signal ?? code}.`);
      });
    });
  }

  /** SIGKILL; when this is back, the process is gone. */
  async kill() {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    killGroup(child.pid);
    await exited;
    if (this.#url !== undefined) await refuses(this.#url);
  }
}
