/** One process of `next start`, over a copy of the build that is its own, as a container's would be. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { followGroup, killGroup, refuses } from "../../tools/harness/groups.mjs";
import { eachLine } from "../../tools/harness/runtime.mjs";

const START_LIMIT_MS = 60_000;
const NEXT = "node_modules/next/dist/bin/next";
const PRELOADED = new URL("./end-with-parent.mjs", import.meta.url).href;

export class FleetMember {
  #options;
  #child;
  #url;
  #asked = 0;
  /** Those that were asked of the process and not answered yet. */
  #questions = new Map();

  /**
   * @param {object} options
   * @param {string} options.name
   * @param {{ folder: string, command: string }} options.image what it starts from, and how: see `imageOf`
   * @param {string} options.folder where its own copy is
   * @param {(folder: string) => Promise<void>} [options.amend] changes each copy before a process starts over it
   * @param {string} options.node
   * @param {string[]} [options.nodeArgs]
   * @param {Record<string, string>} options.env
   * @param {(line: object) => void} options.onLog
   */
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
    const { name, node, nodeArgs = [], env, onLog } = this.#options;
    const { args, ...started } = await this.#command();
    const options = { cwd: await this.#copy(), env: { ...env, ...started.env, ENDS_WITH: String(process.pid) }, detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] };
    const child = spawn(node, ["--import", PRELOADED, ...nodeArgs, ...args], options);
    await once(child, "spawn");
    this.#child = child;
    followGroup(child);
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
      for (const { reject } of this.#questions.values()) reject(new Error(`${name} ended before it answered.`));
      this.#questions.clear();
    });
    child.on("message", ({ id, answer }) => {
      this.#questions.get(id)?.resolve(answer);
      this.#questions.delete(id);
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

  async #command() {
    const { command } = this.#options.image;
    // A standalone server takes no port 0 for a free one.
    if (command.endsWith(".js")) return { args: [command], env: { HOSTNAME: "127.0.0.1", PORT: String(await freePort()) } };
    return { args: [NEXT, command, "--hostname", "127.0.0.1", "--port", "0"] };
  }

  /** `next dev` works on the sources themselves: what is installed beside them must not lie outside. */
  async #copy() {
    const { image, folder, amend } = this.#options;
    if (image.command === "dev") return image.folder;
    await rm(folder, { recursive: true, force: true });
    // The files are as old as the copy: a build that is kept for long would be one of stale pages.
    await cp(image.folder, folder, { recursive: true, verbatimSymlinks: true });
    await amend?.(folder);
    return folder;
  }

  /** Asks a script that was preloaded into the process, such as `watched.mjs`. */
  async ask(question, given) {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.#options.name} is not running.`);
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      child.send({ id, question, given }, (error) => error && reject(error));
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

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
