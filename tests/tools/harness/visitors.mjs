/** Visitors: HTTP over loopback to the isolates of a world, as many at once as asked for. */

import { Agent, fetch } from "undici";

const ANSWER_LIMIT_MS = 120_000;

/**
 * @typedef {object} Visit
 * @property {number} isolate
 * @property {string} path
 * @property {number} status 0 when there was no answer at all; `error` then tells why.
 * @property {import("undici").Headers} headers
 * @property {Buffer} body
 * @property {string} text
 * @property {number} startedAt Milliseconds since the epoch, as all times here.
 * @property {number} answeredAt When the response's head was there.
 * @property {number} endedAt
 * @property {Error} [error]
 */

export class Visitors {
  // A connection each: requests to one isolate never wait for each other here, and none is sent on a connection that the
  // runtime is about to close (it does so after 5 idle seconds, and on a machine that stalls that is at any time).
  #agent = new Agent({ pipelining: 0, headersTimeout: ANSWER_LIMIT_MS, bodyTimeout: ANSWER_LIMIT_MS, connect: { timeout: 30_000 } });
  #asVisitor;
  #urlOf;

  /** @param {(isolate: number) => string} urlOf @param {string} host what the app takes for its host name, the same on every isolate */
  constructor(urlOf, host) {
    this.#urlOf = urlOf;
    // fetch() takes the Host header from the address, whatever it is given.
    this.#asVisitor = this.#agent.compose((dispatch) => (options, handler) => dispatch({ ...options, headers: { ...options.headers, host } }, handler));
  }

  /** @param {number} isolate @param {string} path @param {import("undici").RequestInit} [init] */
  async fetch(isolate, path, init = {}) {
    return fetch(new URL(path, this.#urlOf(isolate)), { redirect: "manual", ...init, dispatcher: this.#asVisitor });
  }

  /** A request to any address. */
  async ask(url, init = {}) {
    return fetch(url, { ...init, dispatcher: this.#agent });
  }

  /** A whole visit, with its times; never throws. @returns {Promise<Visit>} */
  async visit(isolate, path, init) {
    const visit = { isolate, path, status: 0, headers: undefined, body: Buffer.alloc(0), text: "", startedAt: Date.now() };
    try {
      const response = await this.fetch(isolate, path, init);
      visit.answeredAt = Date.now();
      visit.status = response.status;
      visit.headers = response.headers;
      visit.body = Buffer.from(await response.arrayBuffer());
      visit.text = visit.body.toString("utf8");
    } catch (error) {
      visit.status = 0;
      visit.error = error;
    }
    visit.endedAt = Date.now();
    return visit;
  }

  /**
   * `each` visits at once on each of the isolates.
   *
   * @param {{ isolates: number[], each: number, path: string, init?: import("undici").RequestInit }} crowd
   * @returns {Promise<Visit[]>}
   */
  async crowd({ isolates, each, path, init }) {
    const visits = isolates.flatMap((isolate) => Array.from({ length: each }, () => this.visit(isolate, path, init)));
    return Promise.all(visits);
  }

  async close() {
    await this.#agent.destroy();
  }
}
