// The engine's effects over the HTTPS API of the Onegen Worker, for processes outside of Workers (docs/api.md).
import http from "node:http";
import https from "node:https";
import { pause } from "../base/deadline.js";
import { messageOf } from "../base/errors.js";
import { SayOnce } from "../base/say-once.js";
import type { Abandon, Acquire, Append, Check, Invalidation, Publish, Published, Since, SinceQuestion } from "../engine/protocol.js";
import type { AcquireAnswer, Stores } from "../host/stores.js";
import { type Answer, Unanswered, brokenOff, isProblem, nonsense, parsed, refusal, tooLate, unanswered } from "./unanswered.js";

/** Longest that anything may take when nobody set a limit: a reader of an entry gives up then. */
const LIMIT_MS = 2500;
/** Milliseconds on a clock that nobody sets: what lasts until then ends when it should, whatever becomes of the time of day. */
const elapsed = (): number => Math.round(performance.now());
/** For so long nobody waits for a Worker that did not answer at all; then one request finds out whether it does again. */
const OUTAGES_MS = { first: 2000, longest: 15_000 };
/** No answer is longer than an entry; a server that goes on is no Onegen Worker. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Pauses before a message that was lost on its way is sent again. */
const PAUSES_MS = { first: 50, longest: 500 };

interface Message {
  /** The entry key that it is about. */
  readonly key?: string;
  /** Made anew for each attempt. */
  readonly body?: () => Uint8Array;
  readonly headers?: Record<string, string>;
  /** Statuses that are an answer, too. */
  readonly accept?: readonly number[];
  /** How long the Worker may hold the answer back. */
  readonly waitMs?: number;
}

/** What is known of an outage that has not ended. */
interface Outage {
  readonly error: unknown;
  readonly pause: number;
  until: number;
}

/** Where the Onegen Worker is, and what the process has that it does not. */
export interface HttpsParts {
  readonly url: string;
  /** A read-write token of the app. */
  readonly token: string;
  /** How long a frame's header is, told by its first bytes; negative when it is none. */
  readonly headerBytes: (stored: Uint8Array) => number;
  /** What the build left under a key of Next.js. */
  readonly readSeed: (key: string) => Promise<Uint8Array | undefined>;
}

export class Https implements Stores {
  /** Says what is down itself: a host need not say what follows from it. */
  readonly tellsCauses = true;
  readonly #base: URL;
  readonly #token: string;
  readonly #agent: http.Agent;
  readonly #send: typeof http.request;
  readonly #headerBytes: HttpsParts["headerBytes"];
  readonly #readSeed: HttpsParts["readSeed"];
  readonly #log = new SayOnce();
  #answeredAt = 0;
  #outage: Outage | undefined;

  constructor({ url, token, headerBytes, readSeed }: HttpsParts) {
    this.#base = new URL(url);
    const { Agent, request } = this.#base.protocol === "https:" ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 128 });
    this.#send = request;
    this.#token = token;
    this.#headerBytes = headerBytes;
    this.#readSeed = readSeed;
  }

  async read(key: string): Promise<Uint8Array | null> {
    const { status, bytes } = await this.#ask("GET", "entry", { key, accept: [404] });
    if (status === 404) return null;
    this.#headerLength(bytes);
    return bytes;
  }

  seed(key: string): Promise<Uint8Array | undefined> {
    return this.#readSeed(key);
  }

  async acquire(key: string, message: Acquire, limitMs?: number): Promise<AcquireAnswer> {
    const begun = elapsed();
    const body = () => json({ ...message, wait_ms: Math.max(0, message.wait_ms - (elapsed() - begun)) });
    const { headers, bytes } = await this.#ask("POST", "acquire", { key, body, waitMs: message.wait_ms }, limitMs);
    const told = headers["onegen-answer"];
    const given = parsed<AcquireAnswer | null>(told === undefined ? bytes : Buffer.from(String(told)));
    if (!given?.answer || (given.answer.newer && told === undefined)) throw nonsense(bytes, "answer to that question");
    if (told === undefined) return given;
    const length = this.#headerLength(bytes);
    return { ...given, header: bytes.subarray(0, length), body: bytes.subarray(length) };
  }

  async publish(key: string, message: Publish, header: Uint8Array, body: Uint8Array, limitMs?: number): Promise<Published> {
    const frame = Buffer.concat([header, body]);
    const headers = { "content-type": "application/octet-stream", "onegen-message": JSON.stringify(message) };
    return parsed((await this.#ask("POST", "publish", { key, body: () => frame, headers }, limitMs)).bytes);
  }

  async abandon(key: string, message: Abandon, limitMs?: number): Promise<void> {
    await this.#ask("POST", "abandon", { key, body: () => json(message) }, limitMs);
  }

  async touch(key: string): Promise<void> {
    await this.#ask("POST", "touch", { key });
  }

  async since(message: SinceQuestion, limitMs?: number): Promise<Since> {
    return parsed((await this.#ask("POST", "since", { body: () => json(message) }, limitMs)).bytes);
  }

  async append(message: Append, limitMs?: number): Promise<Since> {
    return parsed((await this.#ask("POST", "append", { body: () => json(message) }, limitMs)).bytes);
  }

  async check(message: Check, limitMs?: number): Promise<Invalidation> {
    return parsed((await this.#ask("POST", "check", { body: () => json(message) }, limitMs)).bytes);
  }

  #headerLength(frame: Buffer): number {
    const length = this.#headerBytes(frame);
    if (!(length >= 0)) throw nonsense(frame, "entry");
    return length;
  }

  /** Reader and coordinators are behind the same Worker. */
  async sharesNamespace(): Promise<boolean> {
    return true;
  }

  /** Tells each cause once. */
  failed(_what: string, error: unknown): void {
    const cause = error instanceof Unanswered ? error.cause : undefined;
    const said = cause === undefined ? `gave ${messageOf(error)}` : messageOf(error);
    this.#log.warn(
      String(cause ?? "slow"),
      `the Onegen Worker at ${this.#base.origin} ${said}: pages are rendered, and kept in this process alone, until it answers as expected`,
    );
  }

  /** A message is sent again while the API says that it was lost, or a kept connection turns out to be closed. */
  async #ask(method: string, what: string, message: Message, limitMs = LIMIT_MS): Promise<Answer> {
    const until = elapsed() + limitMs;
    for (let wait = PAUSES_MS.first; ; wait = Math.min(2 * wait, PAUSES_MS.longest)) {
      try {
        return await this.#askOnce(method, what, message, until - elapsed());
      } catch (error) {
        if (!isRetryable(error) || elapsed() + wait >= until) throw error;
        await pause(wait);
      }
    }
  }

  async #askOnce(method: string, what: string, message: Message, limitMs: number): Promise<Answer> {
    const { key, body, headers, accept = [], waitMs = 0 } = message;
    const url = new URL(`${this.#base.pathname.replace(/\/$/, "")}/v1/${what}`, this.#base);
    if (key !== undefined) url.searchParams.set("key", key);
    const answer = await this.#exchangeUnlessDown(limitMs, waitMs, () => this.#exchange(url, method, headers, body?.(), limitMs));
    if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) {
      if (answer.status !== 404 || isProblem(answer)) return answer;
    }
    throw refusal(answer);
  }

  async #exchangeUnlessDown(limitMs: number, waitMs: number, exchange: () => Promise<Answer>): Promise<Answer> {
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
      if (!isRetryable(error) && this.#answeredAt < begun) this.#isDown(error);
      throw error;
    }
  }

  #isDown(error: unknown): void {
    const wait = this.#outage ? Math.min(2 * this.#outage.pause, OUTAGES_MS.longest) : OUTAGES_MS.first;
    this.#outage = { error, pause: wait, until: elapsed() + wait };
  }

  #exchange(
    url: URL,
    method: string,
    headers: Record<string, string> | undefined,
    body: Uint8Array | undefined,
    limitMs: number,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(Math.max(1, limitMs));
      const options: http.RequestOptions = {
        method,
        agent: this.#agent,
        signal,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body && { "content-type": "application/json", "content-length": body.byteLength }),
          ...headers,
        },
      };
      const request = this.#send(url, options, (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.byteLength;
          if (length > MOST_BYTES) response.destroy(new Unanswered("nonsense", "answered with more than an entry can be"));
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }));
        response.on("error", (error) => reject(signal.aborted ? tooLate(limitMs) : brokenOff(error)));
      });
      request.on("error", (error) => reject(unanswered(error, limitMs, request.reusedSocket)));
      request.end(body);
    });
  }
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const isRetryable = (error: unknown): boolean => error instanceof Unanswered && error.retryable;
