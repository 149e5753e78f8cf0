/** An address before the Onegen Worker whose answers can be made late, lost, broken, or another server's. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, request as send } from "node:http";

/**
 * What becomes of a request; of the first thing named here:
 *
 * @typedef {object} Fault
 * @property {boolean} [reset] The connection is reset.
 * @property {boolean} [silent] It is never answered.
 * @property {(response: import("node:http").ServerResponse) => void} [answer] Another server answers.
 *
 * or else the Worker's answer comes,
 * @property {string} [authorization] to a request with another token,
 * @property {number} [lateMs] so much later,
 * @property {boolean} [garbled] with other bytes in place of its own where it is a success,
 * @property {boolean} [cutOff] or broken off in the middle of its body.
 */

/** @param {string | (() => string)} [url] where the Worker is; without one something else must answer @returns {Promise<FaultyDoor>} */
export async function openDoor(url) {
  const door = new FaultyDoor(url);
  await door.open();
  return door;
}

class FaultyDoor {
  /** How many requests have come. */
  asked = 0;
  #target;
  #agent = new Agent({ keepAlive: true });
  #server = createServer({ keepAliveTimeout: 0 }, (request, response) => this.#pass(request, response));
  #faultOf = () => ({});
  #pending = new Set();
  #mostPending = 0;

  constructor(target) {
    this.#target = typeof target === "function" ? target : () => target;
  }

  async open() {
    this.#server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** What becomes of requests from now on. @param {Fault | ((request: import("node:http").IncomingMessage) => Fault)} fault */
  behave(fault) {
    this.#faultOf = typeof fault === "function" ? fault : () => fault;
  }

  /** Requests pass again; those that were never to be answered lose their connection. */
  heal() {
    this.behave({});
    for (const { response, silent } of this.#pending) if (silent) reset(response);
  }

  /** The most requests that waited for an answer at the same time since this was last asked. */
  takeMostPending() {
    const most = this.#mostPending;
    this.#mostPending = this.#pending.size;
    return most;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async #pass(request, response) {
    this.asked += 1;
    const fault = this.#faultOf(request);
    const pending = { response, silent: fault.silent };
    this.#pending.add(pending);
    this.#mostPending = Math.max(this.#mostPending, this.#pending.size);
    response.on("close", () => this.#pending.delete(pending));
    request.on("error", () => {});
    try {
      const sent = Buffer.concat(await request.toArray());
      if (fault.reset) return reset(response);
      if (fault.silent) return undefined;
      if (fault.answer) return fault.answer(response);
      const answer = await this.#askWorker(request, sent, fault);
      if (fault.lateMs) await new Promise((resolve) => setTimeout(resolve, fault.lateMs).unref());
      return give(response, answer, fault);
    } catch {
      return reset(response);
    }
  }

  async #askWorker({ method, url, headers }, body, { authorization = headers.authorization }) {
    const { host, connection, ...passed } = headers;
    const request = send(new URL(url, this.#target()), { method, agent: this.#agent, headers: { ...passed, authorization } });
    request.end(body);
    const [answer] = await once(request, "response");
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(await answer.toArray()) };
  }
}

function give(response, { status, headers, body }, { garbled, cutOff }) {
  const { connection, "keep-alive": keepAlive, "transfer-encoding": encoding, ...own } = headers;
  const bytes = garbled && status < 300 ? randomBytes(Math.max(64, body.byteLength)) : body;
  response.writeHead(status, { ...own, ...(status !== 204 && { "content-length": bytes.byteLength }) });
  if (!cutOff || bytes.byteLength === 0) return response.end(status === 204 ? undefined : bytes);
  // Not reset: what has been sent arrives.
  return response.write(bytes.subarray(0, bytes.byteLength / 2), () => response.destroy());
}

const reset = (response) => response.socket?.resetAndDestroy();
