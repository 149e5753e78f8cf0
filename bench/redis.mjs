/** A Redis of its own, on loopback and in memory only. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { freePort } from "../tests/e2e/fleet/member.mjs";
import { eachLine } from "../tests/tools/harness/runtime.mjs";

const NAME = "redis-server";
const START_LIMIT_MS = 10_000;

/** Whether this machine has it; where it does not, that is said. */
export function redisIsInstalled() {
  const found = process.env.PATH.split(path.delimiter).some((folder) => existsSync(path.join(folder, NAME)));
  if (!found) console.log(`${NAME} is not installed (Debian: apt-get install ${NAME}): the Redis handler is left out`);
  return found;
}

/** It ends with its shell's standard input: when it is stopped, or this process has ended, however that was. */
const UNTIL_INPUT_ENDS = `${NAME} "$@" & read -r _; kill -KILL $!`;

/** @returns {Promise<{ url: string, stop(): void }>} */
export async function startRedis() {
  const port = await freePort();
  const given = ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no"];
  const shell = spawn("sh", ["-c", UNTIL_INPUT_ENDS, NAME, ...given], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    const fail = (why) => {
      shell.stdin.end();
      reject(new Error(`${NAME} ${why}`));
    };
    const timer = setTimeout(() => fail(`was not ready after ${START_LIMIT_MS} ms.`), START_LIMIT_MS);
    shell.once("error", (error) => fail(`could not be started: ${error.message}`));
    eachLine(shell.stdout, (line) => {
      if (!line.includes("Ready to accept connections")) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return { url: `redis://127.0.0.1:${port}`, stop: () => shell.stdin.end() };
}
