/** Processes that hold the real caches of a version of Next.js, over the same store. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { imageOf } from "../../e2e/fleet/build.mjs";

const PROCESS = fileURLToPath(new URL("process.mjs", import.meta.url));
const FIRST_HANDLER = fileURLToPath(new URL("first-handler.mjs", import.meta.url));
const ANSWER_LIMIT_MS = 20_000;

/** Of each version the app that was built with Onegen. */
export const versions = { 15.5: "onegen-15.5", 16.2: "onegen-16.2", 16.3: "onegen-16.3", 16.4: "onegen" };

export const overOnegen = ({ url, token }) => ({ CACHE_HANDLER: "onegen/next", USE_CACHE_HANDLER: "onegen/use-cache", ONEGEN_URL: url, ONEGEN_TOKEN: token });
export const overFirstHandler = (folder) => ({ CACHE_HANDLER: FIRST_HANDLER, USE_CACHE_HANDLER: "built-in", FIRST_HANDLER_FOLDER: folder });

/** @param {string} version @param {Record<string, string>} env */
export async function startCaches(version, env) {
  const caches = new Caches(version, env);
  await caches.start();
  return caches;
}

class Caches {
  #child;
  #ended;
  #asked = 0;
  #questions = new Map();
  #version;
  #env;

  constructor(version, env) {
    this.#version = version;
    this.#env = env;
  }

  async start() {
    const env = { PATH: process.env.PATH, NODE_ENV: "production", ...this.#env };
    this.#child = fork(PROCESS, [], { cwd: imageOf(versions[this.#version]).folder, env, serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc"] });
    const said = [];
    this.#child.stderr.on("data", (chunk) => said.push(chunk));
    this.#child.once("exit", () => {
      this.#ended = new Error(`a process ended: ${Buffer.concat(said)}`);
      for (const { reject } of this.#questions.values()) reject(this.#ended);
      this.#questions.clear();
    });
    this.#child.on("error", () => {});
    const [first] = await Promise.race([once(this.#child, "message"), once(this.#child, "exit")]);
    if (!first?.ready) throw new Error(`a process with the caches of ${this.#version} did not start: ${Buffer.concat(said)}`);
    this.#child.on("message", ({ id, answer, error }) => {
      const question = this.#questions.get(id);
      this.#questions.delete(id);
      if (error === undefined) question?.resolve(answer);
      else question?.reject(new Error(error));
    });
  }

  ask(question, given) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${question} within ${ANSWER_LIMIT_MS} ms`)), ANSWER_LIMIT_MS);
      const settled = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#questions.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#child.send({ id, question, given });
    });
  }

  async stop() {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}
