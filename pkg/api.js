// The HTTPS API (docs/api.md). What a request may do is decided in wasm; here are bodies, streams, KV and the objects.

// Makes the wasm instance that the functions below belong to.
import "./objects.js";
import {
  api_decide,
  api_header,
  api_header_bytes,
  api_is_known,
  api_message,
  api_refusal,
  heal,
} from "./wasm/objects/objects.js";

/** How many bytes of a frame tell the length of its header. */
const PREFIX_BYTES = 12;
/** A stored body up to this length is read before it is answered with, so that a truncated one is told as such. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** So much of a refused body is still taken, and dropped: a client that cannot go on sending may never read its answer. */
const DROPPED_BYTES = 32 * 1024 * 1024;

/** Mistakes in the configuration that this isolate has told of already. */
const told = new Set();

/** Answers a request to the API; never throws. */
export async function answer(request, env) {
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
export function nothingAt(pathname) {
  return refusal(refused("not-found", pathname));
}

const OPERATIONS = {
  async health({ app, access }) {
    return json({ status: "ok", app, access });
  },

  async entry({ request, env, object: key }) {
    const stored = await reached(() => binding(env, "ONEGEN_KV", "get").get(key, { type: "stream" }));
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
    const message = await sentMessage(call);
    const { answer, waited = false, header, body } = await reached(() => coordinator(env, object).acquire(object, message));
    if (header === undefined) return json({ answer, waited });
    return frame(header, new Bytes(body), body.byteLength, { "onegen-answer": JSON.stringify({ answer, waited }) });
  },

  async publish({ request, sent, env, operation, object, bodyLimit }) {
    const message = messageOf(operation, request.headers.get("onegen-message") ?? "");
    const length = lengthOf(request, bodyLimit);
    const { header, bodyBytes } = await frameHeader(sent, "bad-frame");
    const total = header.byteLength + bodyBytes;
    if (total > bodyLimit) throw tooLarge(bodyLimit);
    if (length !== undefined && length !== total) throw refused("bad-frame", "body-length");
    const body = await wholeBody(sent, bodyBytes, "bad-frame");
    return json(await reached(() => coordinator(env, object).publish(object, message, header, body)));
  },

  async abandon({ env, object, ...call }) {
    const message = await sentMessage(call);
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

async function ledgerOperation({ env, object, ...call }) {
  const message = await sentMessage(call);
  const { operation } = call;
  return json(await reached(() => objectOf(env, "ONEGEN_TAGS", object)[operation](object, message)));
}

// --- decisions ------------------------------------------------------------------------------------------------------------

/** A refusal is thrown by the core as an error that carries it; any other error is a broken instance, and the next call has a fresh one. */
function core(run) {
  try {
    return run();
  } catch (error) {
    if (error?.refusal) throw error;
    heal();
    return run();
  }
}

function permitFor(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  const authorization = request.headers.get("authorization") ?? undefined;
  const { ONEGEN_TOKENS: tokens } = env;
  const list = typeof tokens === "string" ? tokens : undefined;
  return core(() => api_decide(list, request.method, pathname, authorization, searchParams.getAll("key")));
}

const messageOf = (operation, text) => core(() => api_message(operation, text));
const refused = (code, reason = "") => core(() => api_refusal(code, reason));
const tooLarge = (limit) => refused("too-large", `${limit / (1024 * 1024)} MiB`);

// --- requests -------------------------------------------------------------------------------------------------------------

/** How long a body says it is, if it does. */
function lengthOf(request, limit) {
  const header = request.headers.get("content-length");
  if (header === null) return undefined;
  if (!(Number(header) <= limit)) throw tooLarge(limit);
  return Number(header);
}

async function sentMessage({ request, sent, operation, bodyLimit }) {
  const read = await sent.take(lengthOf(request, bodyLimit) ?? bodyLimit);
  if (!(await sent.ended())) throw tooLarge(bodyLimit);
  return messageOf(operation, utf8(read));
}

function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused("bad-message", "it is not UTF-8");
  }
}

/** Reads the header of a frame. Whatever is no frame is refused with the code. */
async function frameHeader(bytes, code) {
  const prefix = await bytes.take(PREFIX_BYTES);
  const length = core(() => api_header_bytes(prefix, code));
  const metadata = await bytes.take(length - PREFIX_BYTES);
  const header = new Uint8Array(PREFIX_BYTES + metadata.byteLength);
  header.set(prefix);
  header.set(metadata, PREFIX_BYTES);
  return { header, ...core(() => api_header(header, code)) };
}

/** The rest of a frame, if it is as long as its header says. */
async function wholeBody(bytes, length, code) {
  const body = await bytes.take(length);
  if (body.byteLength === length && (await bytes.ended())) return body;
  throw refused(code, "body-length");
}

/** Bytes in runs of asked lengths, of a stream, of an array, or of nothing. */
class Bytes {
  #reader;
  #rest = new Uint8Array(0);

  constructor(source) {
    if (source instanceof Uint8Array) this.#rest = source;
    else this.#reader = source?.getReader();
  }

  /** The next so many bytes; fewer when they end. */
  async take(length) {
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
  async pourInto(writer) {
    while (await this.#more()) await writer.write(this.#next(Infinity));
  }

  async ended() {
    return !(await this.#more());
  }

  /** Takes what is left, up to so many bytes, and forgets it. */
  async drop(most) {
    try {
      for (let left = most; left > 0 && (await this.#more()); ) left -= this.#next(left).byteLength;
    } catch {
      // The sender is gone.
    }
    this.cancel();
  }

  cancel() {
    this.#reader?.cancel().catch(() => {});
  }

  #next(most) {
    const run = this.#rest.subarray(0, Math.min(most, this.#rest.byteLength));
    this.#rest = this.#rest.subarray(run.byteLength);
    return run;
  }

  /** Whether there is a next byte. */
  async #more() {
    while (this.#rest.byteLength === 0) {
      const { done, value } = (await this.#reader?.read()) ?? { done: true };
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }
}

// --- KV and the objects -----------------------------------------------------------------------------------------------------

function binding(env, name, method) {
  if (typeof env[name]?.[method] === "function") return env[name];
  throw new Error(`the Worker has no binding ${name} of the right kind`);
}

function objectOf(env, name, object) {
  const namespace = binding(env, name, "idFromName");
  return namespace.get(namespace.idFromName(object));
}

const coordinator = (env, route) => objectOf(env, "ONEGEN_ROUTES", route);

/** Whatever KV or an object throws is told apart: lost on its way, or failed. An overloaded object is best left alone for a while. */
async function reached(send) {
  try {
    return await send();
  } catch (error) {
    // Between two processes of a local runtime an error keeps its message, not its properties.
    const lost = !error?.overloaded && (error?.retryable === true || /^Network connection lost/.test(error?.message));
    throw refused(lost ? "object-lost" : "object-failed", String(error?.message));
  }
}

// --- answers ----------------------------------------------------------------------------------------------------------------

const json = (value) => Response.json(value, { headers: { "cache-control": "no-store" } });

/** A frame as it is stored. Its length is told, so that one that breaks off is noticed. */
function frame(header, bytes, bodyBytes, headers) {
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
  pour();
  return new Response(readable, { headers: { "content-type": "application/octet-stream", "cache-control": "no-store", ...headers } });
}

function refusal(error) {
  if (!error?.refusal) console.error(`onegen: the HTTPS API failed: ${error?.stack ?? error}`);
  try {
    const { problem, headers } = error?.refusal ?? refused("internal").refusal;
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
function complain(detail) {
  if (told.has(detail)) return;
  told.add(detail);
  console.error(`onegen: ${detail}`);
}
