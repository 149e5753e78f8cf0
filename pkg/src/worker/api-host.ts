// What the HTTPS API reaches, made of a Worker's bindings. Another process hands in its own.
import type { Coordinator, Host, Ledger } from "../../wasm/api/api.js";
import type { Env } from "./env.js";

export const hostOf = (env: Env): Host => ({
  tokens: typeof env.ONEGEN_TOKENS === "string" ? env.ONEGEN_TOKENS : undefined,
  readEntry: (key) => binding(env, "ONEGEN_KV", "get").get(key, { type: "stream" }),
  route: (name) => objectOf(env, "ONEGEN_ROUTES", name) as Coordinator,
  ledger: (name) => objectOf(env, "ONEGEN_TAGS", name) as Ledger,
  joined(bytes, pieces, source) {
    const { readable, writable } = new FixedLengthStream(bytes);
    // The visitor went away, or the value is not as long as it says: either way the transfer breaks off.
    pour(pieces, source, writable).catch(() => {});
    return readable;
  },
});

/** A binding, if it is one: a mistake in the Worker's configuration is told to the client. */
function binding<Name extends "ONEGEN_KV" | "ONEGEN_ROUTES" | "ONEGEN_TAGS">(env: Env, name: Name, method: string): Env[Name] {
  const bound: unknown = env[name];
  if (typeof (bound as Record<string, unknown> | undefined)?.[method] !== "function")
    throw new Error(`the Worker has no binding ${name} of the right kind`);
  return env[name];
}

function objectOf(env: Env, name: "ONEGEN_ROUTES" | "ONEGEN_TAGS", object: string): unknown {
  const namespace = binding(env, name, "idFromName");
  return namespace.get(namespace.idFromName(object) as never);
}

/** Writes the pieces, then all of the source. */
async function pour(
  pieces: Uint8Array[],
  source: ReadableStream<Uint8Array> | undefined,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  const writer = writable.getWriter();
  try {
    for (const piece of pieces) await writer.write(piece);
    if (source === undefined) return await writer.close();
  } catch (error) {
    await Promise.all([writer.abort(error), source?.cancel(error)]);
    throw error;
  }
  writer.releaseLock();
  return source.pipeTo(writable);
}
