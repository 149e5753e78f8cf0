// The Onegen Worker over an HTTPS API that has a panic on demand (`make .build/panicking-api/api_bg.wasm`), and requests that wait in it.
import { readFileSync } from "node:fs";
import { onegenWorker } from "../evidence/outage-tools.mjs";
import { replaced } from "../evidence/switched-off.mjs";
import { startWorld } from "../tools/harness/world.mjs";
import { Client, beforeEverything, frame, keyOf, tokenList, tokens } from "./api-client.mjs";

const GLUE = "wasm/api/api.js";
const THIN = "dist/worker/api.js";

const built = (name) => readFileSync(new URL(`../../.build/panicking-api/${name}`, import.meta.url));

const HANDLER = `{
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname !== "/panic") return onegen.default.fetch(request, env, ctx);
    inject_panic(Number(url.searchParams.get("calls")));
    return new Response("a panic is set");
  },
}`;

/** A world of one isolate whose API can be made to panic. `thin` rewrites the source of the fetch around it. */
export async function panickingWorld(thin = (source) => source) {
  const worker = await onegenWorker();
  const contents = {
    [GLUE]: () => built("api.js").toString(),
    "wasm/api/api_bg.wasm": () => built("api_bg.wasm"),
    [THIN]: () => thin(readFileSync(`${worker.root}/${THIN}`, "utf8")),
  };
  const modules = worker.modules.map((module) => (contents[module.name] ? { ...module, contents: contents[module.name]() } : module));
  const bundle = replaced({ ...worker, modules, bindings: { ONEGEN_TOKENS: tokenList } }, `import { inject_panic } from "./${GLUE}";`, HANDLER);
  return startWorld({ bundle, isolates: 1, kv: "bridge", wrapObjects: true });
}

/** A source with texts replaced, each of which it has. */
export function changed(source, changes) {
  return Object.entries(changes).reduce((left, [text, other]) => {
    if (!left.includes(text)) throw new Error(`${THIN} has no ${text} any more.`);
    return left.replace(text, other);
  }, source);
}

/** Without anything that ends the wait of a request but the API's own answer. */
export const withoutDeadline = (source) => changed(source, { "inFlight.set(end,": "new Map().set(end,", "deadline = setTimeout(": "void (" });

/** Without the report of a panic, and with another deadline for each request. */
export const unreported = (ms) => (source) => changed(source, { "host, endAll)": "host, () => {})", "breakOff, outer_limit_ms()": `breakOff, ${ms}` });

/** An answer of the API's own: a success, or a problem with a code. */
const isAnswer = ({ status, json }) => (status >= 200 && status < 300) || json?.code !== undefined;

/** What becomes of a request within a time: its answer, or what there was instead of one. */
async function answerWithin(ms, asked) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve({ stranded: `no answer within ${ms} ms` }), ms)));
  const answer = asked.then(
    (answered) => (isAnswer(answered) ? answered : { stranded: `${answered.status} ${answered.text.slice(0, 100)}` }),
    (error) => ({ stranded: error.message }),
  );
  const first = await Promise.race([answer, late]);
  clearTimeout(timer);
  return first;
}

/** Every kind of waiting at once: for a lease, for KV, for the ledger, for the rest of a body. */
async function waitingRequests(world, round, each) {
  const shop = new Client(world, tokens.writer);
  const key = keyOf(`/leased-${round}`);
  await shop.acquire(key);
  await world.kv.fail({ get: { mode: "hang" } });
  await world.objects.behave("hang", { methods: ["since"] });
  async function* slowly() {
    yield frame("x").subarray(0, 5);
    await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  }
  const kinds = [
    () => shop.acquire(key, { wait_ms: 25_000 }),
    () => shop.ask("GET", "/v1/entry", { key }),
    () => shop.ask("POST", "/v1/since", { body: { position: beforeEverything } }),
    () => shop.publish(key, slowly()),
  ];
  const asked = kinds.flatMap((ask) => Array.from({ length: each }, ask));
  // What becomes of one that nobody looks at is told below.
  for (const one of asked) one.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 700));
  return asked;
}

/**
 * Panics while requests wait: at a request's begin, and where one goes on after it has waited.
 *
 * @returns {Promise<{ answers: object[], next: object[] }>} of each request in flight, and of each one after a panic
 */
export async function panics(world, { rounds = 2, each = 8, limitMs = 5000 } = {}) {
  const shop = new Client(world, tokens.writer);
  const answers = [];
  const next = [];
  for (let round = 0; round < rounds; round += 1) {
    const waiting = await waitingRequests(world, round, each);
    await world.visit(0, `/panic?calls=${1 + (round % 2)}`);
    const striking = shop.ask("POST", "/v1/touch", { key: keyOf("/struck") });
    answers.push(...(await Promise.all([...waiting, striking].map((asked) => answerWithin(limitMs, asked)))));
    await world.kv.heal();
    await world.objects.heal();
    const key = keyOf(`/next-${round}`);
    next.push(await answerWithin(limitMs, shop.acquire(key)), await answerWithin(limitMs, shop.ask("POST", "/v1/since", { body: { position: beforeEverything } })));
  }
  return { answers, next };
}

/** Panics in a request, and what becomes of the ones that follow at once, while nothing has ended that request yet. @returns {Promise<object[]>} */
export async function afterPanic(world, { limitMs = 5000 } = {}) {
  const shop = new Client(world, tokens.writer);
  await world.visit(0, "/panic?calls=1");
  shop.ask("POST", "/v1/touch", { key: keyOf("/struck") }).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 300));
  const key = keyOf("/after žluťoučký kůň");
  return [await answerWithin(limitMs, shop.render(key, "rendered").then(() => shop.acquire(key))), await answerWithin(limitMs, shop.acquire(keyOf("/other")))];
}

/**
 * Requests one after the other on many lanes, and panics among them.
 *
 * @returns {Promise<object[]>} what became of each
 */
export async function panicsUnderTraffic(world, { lanes = 12, panics: count = 5, limitMs = 5000 } = {}) {
  const shop = new Client(world, tokens.writer);
  const outcomes = [];
  let over = false;
  const traffic = Array.from({ length: lanes }, async (_, lane) => {
    for (let visit = 0; !over; visit += 1) {
      const key = keyOf(`/traffic-${lane}-${visit}`);
      const asked = visit % 2 === 0 ? shop.acquire(key) : shop.ask("POST", "/v1/since", { body: { position: beforeEverything } });
      outcomes.push(await answerWithin(limitMs, asked));
    }
  });
  for (let panic = 0; panic < count; panic += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await world.visit(0, `/panic?calls=${3 + panic}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  over = true;
  await Promise.all(traffic);
  return outcomes;
}
