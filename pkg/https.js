// The engine's effects over the HTTPS API of the Onegen Worker, for processes outside of Workers (docs/api.md).
import http from "node:http";
import https from "node:https";

/** Longest that anything may take when nobody set a limit: a reader of an entry gives up then. */
const LIMIT_MS = 2500;
/** Milliseconds on a clock that nobody sets: what lasts until then ends when it should, whatever becomes of the time of day. */
const elapsed = () => Math.round(performance.now());
/** For so long nobody waits for a Worker that did not answer at all; then one request finds out whether it does again. */
const OUTAGES_MS = { first: 2000, longest: 15_000 };
const PREFIX_BYTES = 12;
/** No answer is longer than an entry; a server that goes on is no Onegen Worker. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Pauses before a message that was lost on its way is sent again. */
const PAUSES_MS = { first: 50, longest: 500 };

/** A request that got no usable answer. `cause` tells outages apart, so that each is told once. */
class Unanswered extends Error {
  constructor(cause, message, { retryable = false } = {}) {
    super(message);
    this.cause = cause;
    this.retryable = retryable;
  }
}

export class Https {
  /** Says what is down itself: a host need not say what follows from it. */
  tellsCauses = true;
  #base;
  #token;
  #agent;
  #send;
  #headerBytes;
  #readSeed;
  #told = new Set();
  #answeredAt = 0;
  /** What is known of an outage that has not ended: `{ error, pause, until }`. */
  #outage;

  /**
   * @param {object} parts
   * @param {string} parts.url where the Onegen Worker is
   * @param {string} parts.token a read-write token of the app
   * @param {(prefix: Uint8Array) => number} parts.headerBytes how long a frame's header is
   * @param {(key: string) => Promise<Uint8Array | undefined>} parts.readSeed what the build left under a key of Next.js
   */
  constructor({ url, token, headerBytes, readSeed }) {
    this.#base = new URL(url);
    const { Agent, request } = this.#base.protocol === "https:" ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 128 });
    this.#send = request;
    this.#token = token;
    this.#headerBytes = headerBytes;
    this.#readSeed = readSeed;
  }

  async read(key) {
    const { status, bytes } = await this.#ask("GET", "entry", { key, accept: [404] });
    if (status === 404) return null;
    this.#headerLength(bytes);
    return bytes;
  }

  seed(key) {
    return this.#readSeed(key);
  }

  async acquire(key, message, limitMs) {
    const begun = elapsed();
    const body = () => json({ ...message, wait_ms: Math.max(0, message.wait_ms - (elapsed() - begun)) });
    const { headers, bytes } = await this.#ask("POST", "acquire", { key, body, limitMs, waitMs: message.wait_ms });
    const { "onegen-answer": told } = headers;
    const given = parsed(told === undefined ? bytes : Buffer.from(told));
    if (!given?.answer || (given.answer.newer && told === undefined)) throw nonsense(bytes, "answer to that question");
    if (told === undefined) return given;
    const length = this.#headerLength(bytes);
    return { ...given, header: bytes.subarray(0, length), body: bytes.subarray(length) };
  }

  async publish(key, message, header, body, limitMs) {
    const frame = Buffer.concat([header, body]);
    const headers = { "content-type": "application/octet-stream", "onegen-message": JSON.stringify(message) };
    return parsed((await this.#ask("POST", "publish", { key, body: () => frame, headers, limitMs })).bytes);
  }

  async abandon(key, message, limitMs) {
    await this.#ask("POST", "abandon", { key, body: () => json(message), limitMs });
  }

  async touch(key) {
    await this.#ask("POST", "touch", { key });
  }

  async since(message, limitMs) {
    return parsed((await this.#ask("POST", "since", { body: () => json(message), limitMs })).bytes);
  }

  async append(message, limitMs) {
    return parsed((await this.#ask("POST", "append", { body: () => json(message), limitMs })).bytes);
  }

  async check(message, limitMs) {
    return parsed((await this.#ask("POST", "check", { body: () => json(message), limitMs })).bytes);
  }

  #headerLength(frame) {
    const length = this.#headerBytes(frame.subarray(0, PREFIX_BYTES));
    if (!(length >= 0)) throw nonsense(frame, "entry");
    return length;
  }

  /** Reader and coordinators are behind the same Worker. */
  async sharesNamespace() {
    return true;
  }

  /** Tells each cause once. */
  failed(_what, error) {
    const cause = error.cause ?? "slow";
    if (this.#told.has(cause)) return;
    this.#told.add(cause);
    console.warn(
      `onegen: the Onegen Worker at ${this.#base.origin} ${error.cause ? error.message : `gave ${error.message}`}: pages are rendered, and kept in this process alone, until it answers as expected`,
    );
  }

  /** A message is sent again while the API says that it was lost, or a kept connection turns out to be closed. */
  async #ask(method, what, { limitMs = LIMIT_MS, ...request }) {
    const until = elapsed() + limitMs;
    for (let pause = PAUSES_MS.first; ; pause = Math.min(2 * pause, PAUSES_MS.longest)) {
      try {
        return await this.#askOnce(method, what, request, until - elapsed());
      } catch (error) {
        if (!error.retryable || elapsed() + pause >= until) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async #askOnce(method, what, { key, body, headers, accept = [], waitMs = 0 }, limitMs) {
    const url = new URL(`${this.#base.pathname.replace(/\/$/, "")}/v1/${what}`, this.#base);
    if (key !== undefined) url.searchParams.set("key", key);
    const answer = await this.#exchangeUnlessDown({ limitMs, waitMs }, () => this.#exchange(url, method, headers, body?.(), limitMs));
    if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) {
      if (answer.status !== 404 || isProblem(answer)) return answer;
    }
    throw refusal(answer);
  }

  async #exchangeUnlessDown({ limitMs, waitMs }, exchange) {
    const begun = elapsed();
    if (this.#outage && begun < this.#outage.until) throw this.#outage.error;
    if (this.#outage) this.#outage.until = begun + limitMs;
    try {
      const answer = await exchange();
      this.#answeredAt = elapsed();
      // What comes too late for readers does not tell that they need not wait in vain any more.
      if (this.#outage && elapsed() - begun - waitMs > LIMIT_MS) this.#isDown(this.#outage.error);
      else this.#outage = undefined;
      return answer;
    } catch (error) {
      // One object that hangs is no outage: others were answered meanwhile.
      if (!error.retryable && this.#answeredAt < begun) this.#isDown(error);
      throw error;
    }
  }

  #isDown(error) {
    const pause = this.#outage ? Math.min(2 * this.#outage.pause, OUTAGES_MS.longest) : OUTAGES_MS.first;
    this.#outage = { error, pause, until: elapsed() + pause };
  }

  #exchange(url, method, headers, body, limitMs) {
    return new Promise((resolve, reject) => {
      const options = {
        method,
        agent: this.#agent,
        signal: AbortSignal.timeout(Math.max(1, limitMs)),
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body && { "content-type": "application/json", "content-length": body.byteLength }),
          ...headers,
        },
      };
      const request = this.#send(url, options, (response) => {
        const chunks = [];
        let length = 0;
        response.on("data", (chunk) => {
          chunks.push(chunk);
          length += chunk.byteLength;
          if (length > MOST_BYTES) response.destroy(new Unanswered("nonsense", "answered with more than an entry can be"));
        });
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }));
        response.on("error", (error) => reject(options.signal.aborted ? tooLate(limitMs) : brokenOff(error)));
      });
      request.on("error", (error) => reject(unanswered(error, limitMs, request.reusedSocket)));
      request.end(body);
    });
  }
}

const json = (value) => Buffer.from(JSON.stringify(value));
const isProblem = ({ headers }) => /^application\/problem\+json/.test(headers["content-type"] ?? "");

function parsed(bytes) {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw nonsense(bytes, "JSON");
  }
}

function nonsense(bytes, expected) {
  return new Unanswered("nonsense", `answered ${JSON.stringify(bytes.subarray(0, 40).toString("latin1"))}, which is no ${expected}`);
}

const tooLate = (limitMs) => new Unanswered("slow", `gave no answer within ${limitMs} ms`);

function brokenOff(error) {
  if (error instanceof Unanswered) return error;
  return new Unanswered("broken-off", `breaks off in the middle of its answers (${error.code ?? error.message})`);
}

function unanswered(error, limitMs, wasIdle = false) {
  if (error.name === "AbortError" || error.name === "TimeoutError") return tooLate(limitMs);
  // The other end closed a kept connection just as it was used again.
  return new Unanswered("unreachable", `cannot be reached (${error.code ?? error.message})`, { retryable: wasIdle });
}

function refusal(answer) {
  const { status } = answer;
  if (!isProblem(answer)) return new Unanswered("nonsense", `answered ${status} without saying why, so it is no Onegen Worker`);
  const { code, detail } = parsed(answer.bytes) ?? {};
  return new Unanswered(code ?? status, `answered ${status} ${code ?? ""} (${detail})`, { retryable: status === 503 && code === "object-failed" });
}
