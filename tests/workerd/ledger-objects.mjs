// The real ledger object, with a door for the test: SQL to set it up with, and many questions at one time.
import { onegenWorker } from "../evidence/outage-tools.mjs";
import { replaced } from "../evidence/switched-off.mjs";
import { tokenList } from "./api-client.mjs";

const DOOR = `
  export class TagLedger extends Ledger {
    async exec(_name, query, ...values) { return this.ctx.storage.sql.exec(query, ...values).toArray(); }
    /** All within one moment: the clock of a Worker stands still while it computes. */
    async crowd(name, times, message) {
      for (let left = times; left > 1; left -= 1) await super.since(name, message);
      return super.since(name, message);
    }
  }
`;

const HANDLER = `{
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/door") return onegen.default.fetch(request, env, ctx);
    const { name, method, args } = await request.json();
    return Response.json(await env.ONEGEN_TAGS.get(env.ONEGEN_TAGS.idFromName(name))[method](name, ...args));
  },
}`;

/** The Onegen Worker with that door; `ledger` is the source of the class behind it. */
export async function ledgerWorker(ledger = "const Ledger = onegen.TagLedger;") {
  const bundle = replaced(await onegenWorker(), ledger + DOOR, HANDLER);
  return { ...bundle, bindings: { ONEGEN_TOKENS: tokenList } };
}

/** The door of one app's ledger. */
export class LedgerDoor {
  #world;
  #name;

  constructor(world, app = "shop") {
    this.#world = world;
    this.#name = `onegen/1/${app}`;
  }

  exec(query, ...values) {
    return this.#call("exec", query, ...values);
  }

  crowd(times, message) {
    return this.#call("crowd", times, message);
  }

  /** As if the tags `product-<from>` to `product-<to>` had been invalidated, one after the other, under their own numbers. */
  async fill(from, to) {
    const numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i < ?2)";
    await this.exec(`${numbers} INSERT INTO tag (tag, hard, soft) SELECT 'product-' || i, i, 0 FROM n`, from, to);
    await this.exec("UPDATE head SET number = ?", to);
  }

  async #call(method, ...args) {
    const { status, text } = await this.#world.visit(0, "/door", { method: "POST", body: JSON.stringify({ name: this.#name, method, args }) });
    if (status !== 200) throw new Error(`the door of the ledger answered ${status}: ${text}`);
    return JSON.parse(text);
  }
}
