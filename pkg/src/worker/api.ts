// The HTTPS API (docs/api.md). What a request may do is decided in wasm; here are bodies, streams, KV and the objects.

// Makes the wasm instance that the functions below belong to.
import "./objects.js";
import { api_decide, api_header, api_header_bytes, api_is_known, api_message, api_refusal, heal } from "../../wasm/objects/objects.js";
import { joined } from "../base/bytes.js";
import { messageOf as wordsOf } from "../base/errors.js";
import { SayOnce } from "../base/say-once.js";
import { prefixBytes } from "../engine/prefix.js";
import type { Abandon, Acquire, Append, Check, Publish, SinceQuestion } from "../engine/protocol.js";
import type { KvNamespace, LedgerMethods, ObjectNamespace, RouteMethods } from "../stores/cloudflare.js";
import { isLost } from "../stores/lost.js";

/** What the Onegen Worker is bound to. */
export interface Env {
  /** The namespace that the entries are in. */
  ONEGEN_KV: KvNamespace;
  ONEGEN_ROUTES: ObjectNamespace;
  ONEGEN_TAGS: ObjectNamespace;
  /** A secret: `app:access:token` entries between commas or line ends, access being `ro` or `rw`. Without it the HTTPS API refuses everything. */
  ONEGEN_TOKENS?: string;
}

type LedgerOperation = "since" | "append" | "check";
type Operation = "health" | "entry" | "acquire" | "publish" | "abandon" | "touch" | LedgerOperation;

/** What a request may do. */
interface Permit {
  readonly operation: Operation;
  readonly app: string;
  readonly access: string;
  /** The route or the ledger that it is about. */
  readonly object: string;
  /** Most bytes of its body. */
  readonly bodyLimit: number;
}

/** A request that may do something. */
interface Call extends Permit {
  readonly request: Request;
  readonly sent: Bytes;
  readonly env: Env;
}

/** What is answered to a request that may not do what it asks for. */
interface Refusal {
  readonly problem: { readonly status: number; readonly detail: string };
  readonly headers: readonly [name: string, value: string][];
}

/** What is read of a frame. */
interface FrameHead {
  readonly header: Uint8Array;
  readonly generation: number;
  readonly bodyBytes: number;
}

/** A stored body up to this length is read before it is answered with, so that a truncated one is told as such. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** So much of a refused body is still taken, and dropped: a client that cannot go on sending may never read its answer. */
const DROPPED_BYTES = 32 * 1024 * 1024;

/** Mistakes in the configuration. */
const log = new SayOnce();

/** Answers a request to the API; never throws. */
export async function answer(request: Request, env: Env): Promise<Response> {
  const sent = new Bytes(request.body);
  try {
    const permit = permitFor(request, env);
    return await OPERATIONS[permit.operation]({ request, sent, env, ...permit });
  } catch (error) {
    await sent.drop(DROPPED_BYTES);
    return refusal(error);
  }
}

/** The answer to a request that is none of the API's. */
export function nothingAt(pathname: string): Response {
  return refusal(refused("not-found", pathname));
}

const OPERATIONS: Record<Operation, (call: Call) => Promise<Response>> = {
  async health({ app, access }) {
    return json({ status: "ok", app, access });
  },

  async entry({ request, env, object: key }) {
    const stored = await reached(() => binding<KvNamespace>(env, "ONEGEN_KV", "get").get(key, { type: "stream" }));
    if (stored === null) throw refused("no-entry");
    const bytes = new Bytes(stored);
    try {
      const { header, generation, bodyBytes } = await frameHeader(bytes, "corrupt-entry");
      const headers = { etag: `"${generation}"` };
      const known = request.headers.get("if-none-match");
      if (known !== null && core(() => api_is_known(known, generation))) return new Response(null, { status: 304, headers });
      if (bodyBytes > READ_AHEAD_BYTES) return frame(header, bytes, bodyBytes, headers);
      const body = await wholeBody(bytes, bodyBytes, "corrupt-entry");
      return frame(header, new Bytes(body), bodyBytes, headers);
    } catch (error) {
      bytes.cancel();
      throw error;
    }
  },

  async acquire({ env, object, ...call }) {
    const message = await sentMessage<Acquire>(call);
    const { header, body, ...given } = await reached(() => coordinator(env, object).acquire(object, message));
    const told = { answer: given.answer, waited: given.waited ?? false };
    if (header === undefined || body === undefined) return json(told);
    return frame(header, new Bytes(body), body.byteLength, { "onegen-answer": JSON.stringify(told) });
  },

  async publish({ request, sent, env, operation, object, bodyLimit }) {
    const message = messageOf<Publish>(operation, request.headers.get("onegen-message") ?? "");
    const length = lengthOf(request, bodyLimit);
    const { header, bodyBytes } = await frameHeader(sent, "bad-frame");
    const total = header.byteLength + bodyBytes;
    if (total > bodyLimit) throw tooLarge(bodyLimit);
    if (length !== undefined && length !== total) throw refused("bad-frame", "body-length");
    const body = await wholeBody(sent, bodyBytes, "bad-frame");
    return json(await reached(() => coordinator(env, object).publish(object, message, header, body)));
  },

  async abandon({ env, object, ...call }) {
    const message = await sentMessage<Abandon>(call);
    await reached(() => coordinator(env, object).abandon(object, message));
    return new Response(null, { status: 204 });
  },

  async touch({ env, object }) {
    await reached(() => coordinator(env, object).touch(object));
    return new Response(null, { status: 204 });
  },

  since: ledgerOperation,
  append: ledgerOperation,
  check: ledgerOperation,
};

async function ledgerOperation({ env, object, ...call }: Call): Promise<Response> {
  const message = await sentMessage<SinceQuestion & Append & Check>(call);
  const operation = call.operation as LedgerOperation;
  return json(await reached<unknown>(() => objectOf<LedgerMethods>(env, "ONEGEN_TAGS", object)[operation](object, message)));
}

// --- decisions ------------------------------------------------------------------------------------------------------------

/** A refusal is thrown by the core as an error that carries it; any other error is a broken instance, and the next call has a fresh one. */
function core<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (refusalIn(error)) throw error;
    heal();
    return run();
  }
}

/** The refusal that an error carries, if it does. */
function refusalIn(error: unknown): Refusal | undefined {
  return (error as { refusal?: Refusal } | null | undefined)?.refusal;
}

function permitFor(request: Request, env: Env): Permit {
  const { pathname, searchParams } = new URL(request.url);
  const authorization = request.headers.get("authorization") ?? undefined;
  const { ONEGEN_TOKENS: tokens } = env;
  const list = typeof tokens === "string" ? tokens : undefined;
  return core(() => api_decide(list, request.method, pathname, authorization, searchParams.getAll("key")) as Permit);
}

const messageOf = <Message>(operation: Operation, text: string) => core(() => api_message(operation, text) as Message);
const refused = (code: string, reason = "") => core(() => api_refusal(code, reason) as Error & { refusal: Refusal });
const tooLarge = (limit: number) => refused("too-large", `${limit / (1024 * 1024)} MiB`);

// --- requests -------------------------------------------------------------------------------------------------------------

/** How long a body says it is, if it does. */
function lengthOf(request: Request, limit: number): number | undefined {
  const header = request.headers.get("content-length");
  if (header === null) return undefined;
  if (!(Number(header) <= limit)) throw tooLarge(limit);
  return Number(header);
}

async function sentMessage<Message>({ request, sent, operation, bodyLimit }: Omit<Call, "env" | "object">): Promise<Message> {
  const read = await sent.take(lengthOf(request, bodyLimit) ?? bodyLimit);
  if (!(await sent.ended())) throw tooLarge(bodyLimit);
  return messageOf(operation, utf8(read));
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused("bad-message", "it is not UTF-8");
  }
}

/** Reads the header of a frame. Whatever is no frame is refused with the code. */
async function frameHeader(bytes: Bytes, code: string): Promise<FrameHead> {
  const prefix = await bytes.take(prefixBytes());
  const length = core(() => api_header_bytes(prefix, code));
  const metadata = await bytes.take(length - prefixBytes());
  const header = joined([prefix, metadata]);
  return { header, ...core(() => api_header(header, code) as Omit<FrameHead, "header">) };
}

/** The rest of a frame, if it is as long as its header says. */
async function wholeBody(bytes: Bytes, length: number, code: string): Promise<Uint8Array> {
  const body = await bytes.take(length);
  if (body.byteLength === length && (await bytes.ended())) return body;
  throw refused(code, "body-length");
}

/** Bytes in runs of asked lengths, of a stream, of an array, or of nothing. */
class Bytes {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: Uint8Array | ReadableStream<Uint8Array> | null) {
    if (source instanceof Uint8Array) this.#rest = source;
    else this.#reader = source?.getReader();
  }

  /** The next so many bytes; fewer when they end. */
  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length && (await this.#more())) {
      const run = this.#next(length - at);
      taken.set(run, at);
      at += run.byteLength;
    }
    return at === length ? taken : taken.slice(0, at);
  }

  /** Writes all that is left, run by run. */
  async pourInto(writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
    while (await this.#more()) await writer.write(this.#next(Infinity));
  }

  async ended(): Promise<boolean> {
    return !(await this.#more());
  }

  /** Takes what is left, up to so many bytes, and forgets it. */
  async drop(most: number): Promise<void> {
    try {
      for (let left = most; left > 0 && (await this.#more());) left -= this.#next(left).byteLength;
    } catch {
      // The sender is gone.
    }
    this.cancel();
  }

  cancel(): void {
    this.#reader?.cancel().catch(() => {});
  }

  #next(most: number): Uint8Array {
    const run = this.#rest.subarray(0, Math.min(most, this.#rest.byteLength));
    this.#rest = this.#rest.subarray(run.byteLength);
    return run;
  }

  /** Whether there is a next byte. */
  async #more(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#reader?.read();
      if (next?.value === undefined) return false;
      this.#rest = next.value;
    }
    return true;
  }
}

// --- KV and the objects -----------------------------------------------------------------------------------------------------

function binding<Bound>(env: Env, name: keyof Env, method: string): Bound {
  const bound = env[name] as unknown as Record<string, unknown> | undefined;
  if (typeof bound?.[method] === "function") return bound as Bound;
  throw new Error(`the Worker has no binding ${name} of the right kind`);
}

function objectOf<Methods>(env: Env, name: keyof Env, object: string): Methods {
  const namespace = binding<ObjectNamespace<Methods>>(env, name, "idFromName");
  return namespace.get(namespace.idFromName(object) as never);
}

const coordinator = (env: Env, route: string) => objectOf<RouteMethods>(env, "ONEGEN_ROUTES", route);

/** Whatever KV or an object throws is told apart: lost on its way, or failed. An overloaded object is best left alone for a while. */
async function reached<Answer>(send: () => Promise<Answer>): Promise<Answer> {
  try {
    return await send();
  } catch (error) {
    throw refused(isLost(error) ? "object-lost" : "object-failed", wordsOf(error));
  }
}

// --- answers ----------------------------------------------------------------------------------------------------------------

const json = (value: unknown) => Response.json(value, { headers: { "cache-control": "no-store" } });

/** A frame as it is stored. Its length is told, so that one that breaks off is noticed. */
function frame(header: Uint8Array, bytes: Bytes, bodyBytes: number, headers: Record<string, string>): Response {
  const { readable, writable } = new FixedLengthStream(header.byteLength + bodyBytes);
  const pour = async () => {
    const writer = writable.getWriter();
    try {
      await writer.write(header);
      await bytes.pourInto(writer);
      await writer.close();
    } catch (error) {
      // The visitor went away, or the value is not as long as it says: either way the transfer breaks off.
      bytes.cancel();
      await writer.abort(error).catch(() => {});
    }
  };
  void pour();
  return new Response(readable, { headers: { "content-type": "application/octet-stream", "cache-control": "no-store", ...headers } });
}

function refusal(error: unknown): Response {
  const told = refusalIn(error);
  if (!told) console.error(`onegen: the HTTPS API failed: ${error instanceof Error ? error.stack : String(error)}`);
  try {
    const { problem, headers } = told ?? refused("internal").refusal;
    if (problem.status === 503 && !headers.length) complain(problem.detail);
    return Response.json(problem, {
      status: problem.status,
      headers: [...headers, ["content-type", "application/problem+json"], ["cache-control", "no-store"]],
    });
  } catch {
    return new Response(null, { status: 500 });
  }
}

/** A refusal of everything is also for whoever reads the log. */
function complain(detail: string): void {
  log.error(detail, detail);
}
