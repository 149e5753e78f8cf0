// A client of the HTTPS API as tests need one: it can also ask for what no honest client would.

/** Two apps and one whose name begins like the first's. */
export const tokens = {
  writer: "shop-writer-token-0123456789",
  rotated: "shop-rotated-token-0123456789",
  reader: "shop-reader-token-0123456789",
  blog: "blog-writer-token-0123456789",
  alike: "shop2-writer-token-0123456789",
};

export const tokenList = [
  `shop:rw:${tokens.writer}, shop:rw:${tokens.rotated}`,
  `shop:ro:${tokens.reader}`,
  `blog:rw:${tokens.blog},shop2:rw:${tokens.alike}`,
].join("\n");

export const keyOf = (path, app = "shop", kind = "response") => `onegen/1/${app}/b1/${kind}/${path}`;

export const beforeEverything = { epoch: 0, number: 0 };

/** A stored frame. `declared` is how long its header says that the body is, `version` of which format it says to be. */
export function frame(text, { generation = 0, declared, version = 1, metadata = {} } = {}) {
  const body = Buffer.from(text);
  const entry = { g: generation, p: beforeEverything, c: 1_795_000_000_000, r: 60, e: 3600, t: ["news"], s: "app", ...metadata };
  const json = Buffer.from(JSON.stringify({ ...entry, b: [{ name: "html", bytes: declared ?? body.byteLength }] }));
  const prefix = Buffer.alloc(12);
  prefix.write("1GEN");
  prefix[4] = version;
  prefix.writeUInt32BE(json.byteLength, 8);
  return Buffer.concat([prefix, json, body]);
}

/** The metadata and the body of a frame. */
export function readFrame(bytes) {
  const end = 12 + bytes.readUInt32BE(8);
  return { metadata: JSON.parse(bytes.subarray(12, end)), body: bytes.subarray(end).toString() };
}

/** Sends a body in pieces and without its length. */
export async function* inPieces(...pieces) {
  for (const piece of pieces) yield Buffer.from(piece);
}

/**
 * One request. `key` may be several; `search` replaces the whole query.
 *
 * @returns {Promise<{ status: number, headers: Headers, body: Buffer, text: string, json: any }>}
 */
export async function ask(world, method, path, { isolate = 0, token, authorization, key = [], search, body, headers = {} } = {}) {
  const query = search ?? new URLSearchParams([key].flat().map((value) => ["key", value])).toString();
  const credentials = authorization ?? (token && `Bearer ${token}`);
  const given = body === undefined || typeof body === "string" || body[Symbol.asyncIterator] || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const visit = await world.visit(isolate, `${path}${query && `?${query}`}`, {
    method,
    headers: { ...(credentials && { authorization: credentials }), ...headers },
    body: given,
    ...(body?.[Symbol.asyncIterator] && { duplex: "half" }),
  });
  if (visit.status === 0) throw visit.error;
  return { ...visit, json: /json/.test(visit.headers.get("content-type")) ? JSON.parse(visit.text) : undefined };
}

export class Client {
  constructor(world, token, isolate = 0) {
    this.ask = (method, path, options) => ask(world, method, path, { token, isolate, ...options });
  }

  acquire(key, message) {
    return this.ask("POST", "/v1/acquire", { key, body: { holder: crypto.randomUUID(), need: "fill", ...message } });
  }

  publish(key, body, message = {}) {
    return this.ask("POST", "/v1/publish", { key, body, headers: { "onegen-message": JSON.stringify(message) } });
  }

  /** A lease, and a render under it. */
  async render(key, text) {
    const { lease } = (await this.acquire(key)).json.answer.granted;
    const { json } = await this.publish(key, frame(text), { lease });
    return { lease, generation: json.accepted.generation };
  }
}

/**
 * For `replaced` of tests/evidence/switched-off.mjs: objects that tell what they store, and which lease they were asked for last. Asked for by the path /stored with the names
 * of routes and ledgers; everything else goes to `handler`.
 */
export const storedState = `
  const tables = (sql) => Object.fromEntries(
    sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\\\_%' ESCAPE '\\\\' AND name NOT LIKE 'sqlite%'").toArray()
      .map(({ name }) => [name, sql.exec("SELECT * FROM " + name).toArray().map((row) => JSON.stringify(row, (_, value) =>
        value instanceof ArrayBuffer ? [...new Uint8Array(value)].join() : value))]),
  );
  export class RouteCoordinator extends onegen.RouteCoordinator {
    async acquire(name, message) {
      this.asked = message;
      return super.acquire(name, message);
    }
    async stored() { return { ...tables(this.ctx.storage.sql), asked: this.asked }; }
  }
  export class TagLedger extends onegen.TagLedger {
    async stored() { return tables(this.ctx.storage.sql); }
  }
  async function stored(url, env) {
    const of = async (namespace, name) => [name, await namespace.get(namespace.idFromName(name)).stored()];
    const routes = url.searchParams.getAll("route").map((name) => of(env.ONEGEN_ROUTES, name));
    const ledgers = url.searchParams.getAll("ledger").map((name) => of(env.ONEGEN_TAGS, name));
    return Response.json(Object.fromEntries(await Promise.all([...routes, ...ledgers])));
  }
`;

/** A handler that tells what is stored; `next` is the source of what answers everything else. */
export const storedHandler = (next = "onegen.default.fetch(request, env, ctx)") => `{
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    return url.pathname === "/stored" ? stored(url, env) : ${next};
  },
}`;

/** Everything that is stored: all of KV, and the objects of these names. */
export async function everythingStored(world, routes, ledgers) {
  const query = new URLSearchParams([...routes.map((name) => ["route", name]), ...ledgers.map((name) => ["ledger", name])]);
  const { text } = await world.visit(0, `/stored?${query}`);
  const kv = {};
  for (const { name } of await world.kv.keys()) kv[name] = (await world.kv.read(name))?.value.toString("base64");
  return { kv, objects: JSON.parse(text) };
}
