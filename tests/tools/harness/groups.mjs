/** Process groups that were started here, and end with this process at the latest. */

import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

const EXIT_LIMIT_MS = 10_000;

/** Ids of the groups that may still run. */
const groups = new Set();
process.on("exit", () => groups.forEach(killGroup));

/** Keeps an eye on the group that a child, started detached, leads: what it leaves behind is ended with it. */
export function followGroup(child) {
  groups.add(child.pid);
  child.once("exit", () => {
    killGroup(child.pid);
    groups.delete(child.pid);
  });
}

/** SIGKILL to all that still run in a group. */
export function killGroup(id) {
  try {
    process.kill(-id, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** Waits until nobody listens at an address any more. */
export async function refuses(url) {
  const { hostname, port } = new URL(url);
  for (const deadline = Date.now() + EXIT_LIMIT_MS; Date.now() < deadline; await wait(5)) {
    const socket = connect({ host: hostname, port: Number(port) });
    const open = await once(socket, "connect").then(() => true, () => false);
    socket.destroy();
    if (!open) return;
  }
  throw new Error(`${url} still listens ${EXIT_LIMIT_MS} ms after its process was killed.`);
}
