/**
 * One process of a world: a Node process around one runtime. Every runtime stands in one, because such a process notices the
 * end of this one, however it ends, and takes its runtime along.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { followGroup, killGroup, refuses } from "./groups.mjs";

const START_LIMIT_MS = 180_000;

export class Member {
  /** @type {Record<string, string>} service or entrypoint to where it listens */
  #urls = {};
  #child;

  /** @param {{ name: string, boot?: string, onLog: (line: object) => void }} member `boot` tells one start of its service from another */
  constructor({ name, boot, onLog }) {
    this.name = name;
    this.boot = boot;
    this.onLog = onLog;
  }

  get alive() {
    return this.#child !== undefined;
  }

  /** Where one of its services, or an entrypoint, listens. */
  url(name) {
    if (!this.alive) throw new Error(`No process of ${this.name} is running.`);
    if (this.#urls[name] === undefined) throw new Error(`The process of ${this.name} has no ${name}; it has ${Object.keys(this.#urls).join(", ")}.`);
    return this.#urls[name];
  }

  /** @param {{ storage: string, registry?: string, workers: object[], addresses: [service: string, entrypoint?: string][] }} message */
  async start(message) {
    // Detached: it leads a process group of its own, which its runtime joins, and both can be ended by one id.
    const child = fork(new URL("./child.mjs", import.meta.url), { detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"], serialization: "advanced" });
    this.#child = child;
    followGroup(child);
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.send(message);
    this.#urls = await new Promise((resolve, reject) => {
      const failed = (why) => reject(new Error(`The process of ${this.name} ${why}\n${output}`));
      const timer = setTimeout(() => failed(`was not ready after ${START_LIMIT_MS} ms.`), START_LIMIT_MS);
      child.on("message", ({ urls, line }) => {
        if (line) this.onLog(line);
        if (urls) {
          clearTimeout(timer);
          resolve(urls);
        }
      });
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        failed(`ended with ${signal ?? code}.`);
      });
    });
  }

  /** SIGKILL to the runtime and to the Node process around it; when this is back, both are gone. */
  async kill() {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    killGroup(child.pid);
    await exited;
    // The runtime is no child of this process: that it is gone shows in its socket, and its storage may be opened again then.
    for (const url of Object.values(this.#urls)) await refuses(url);
    this.#child = undefined;
  }
}
