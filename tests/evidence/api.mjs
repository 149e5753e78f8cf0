// A scene about the HTTPS API: nobody gets anything by asking for what is not theirs, or for what makes no sense.
import { scene } from "./runner/scenes.mjs";
import { startWorld } from "../tools/harness/world.mjs";
import { Client, ask, beforeEverything, everythingStored, frame, inPieces, keyOf, storedHandler, storedState, tokenList, tokens } from "../workerd/api-client.mjs";
import { sleep } from "./apps.mjs";
import { onegenWorker, until } from "./outage-tools.mjs";
import { replaced } from "./switched-off.mjs";

const MiB = 1024 * 1024;
const page = keyOf("/page");
const theirs = keyOf("/page", "blog");
const leased = keyOf("/leased");
const untouched = keyOf("/untouched");
const ledgers = ["onegen/1/shop", "onegen/1/blog", "onegen/1/shop2"];

/** Whoever asks is given a read-write token of the app that the key names. */
const EVERYBODY_AUTHORIZED = `(() => {
  const app = (url.searchParams.get("key") ?? "").split("/")[2];
  const token = app === "blog" ? "${tokens.blog}" : "${tokens.writer}";
  const headers = new Headers(request.headers);
  headers.set("authorization", "Bearer " + token);
  return onegen.default.fetch(new Request(request, { headers }), env, ctx);
})()`;

/** Every route, as a request that would be served with a token that allows it. */
function everyRoute(key, lease) {
  const json = (body) => ({ key, body });
  return [
    ["GET", "entry", { key }],
    ["POST", "acquire", json({ holder: "nobody", need: "fill" })],
    ["POST", "publish", { key, body: frame("forged"), headers: { "onegen-message": JSON.stringify({ lease }) } }],
    ["POST", "abandon", json({ lease, reason: "failed" })],
    ["POST", "touch", { key }],
    ["POST", "since", { body: { position: beforeEverything } }],
    ["POST", "append", { body: { position: beforeEverything, tags: ["news"] } }],
    ["POST", "check", { body: { position: beforeEverything, tags: ["news"] } }],
  ];
}

const isAboutKey = ([, , { key }]) => key !== undefined;

/** Requests that must be refused: what is sent, the status, the code. */
function badRequests(lease) {
  const bad = (token, status, code) => ([method, route, options]) => ({ method, route, options: { token, ...options }, status, code });
  const routes = everyRoute(leased, lease);
  const publish = (body, options = {}) => ["POST", "publish", { key: untouched, body, headers: { "onegen-message": "{}" }, ...options }];
  const whole = frame("whole");
  const tricks = [
    { search: "" },
    { key: [page, page] },
    { key: [page, theirs] },
    { search: `key=${encodeURIComponent(encodeURIComponent(page))}` },
    { search: "key=onegen%2F1%2Fshop%252Fb1%2Fb1%2Fresponse%2Fx" },
    { key: "onegen/1/shop" },
    { key: "onegen/1/shop~namespace-id" },
    { key: "onegen/1/../blog/b1/response//page" },
    { key: "onegen/1/shop/../../1/blog/b1/response//page" },
    { key: "onegen/1/shop/b1/response//../../../../blog/b1/response//page" },
    { key: "onegen/1/shop//response//page" },
    { key: "onegen/1/shop/b1/page//page" },
    { key: "onegen/1/shop/b1/response/" },
    { key: page.padEnd(513, "x") },
  ].map((options) => [
    ["GET", "entry", options],
    ["POST", "touch", options],
    publish(whole, { key: undefined, ...options }),
  ]).flat();
  return [
    ...routes.map(bad(undefined, 401, "no-token")),
    ...routes.map(bad("a-guess-of-at-least-24-characters", 401, "unknown-token")),
    ...routes.map(bad(`${tokens.writer}x`, 401, "unknown-token")),
    ...routes.filter(isAboutKey).map(bad(tokens.blog, 403, "foreign-key")),
    ...routes.filter(isAboutKey).map(bad(tokens.alike, 403, "foreign-key")),
    ...everyRoute(theirs, lease).filter(isAboutKey).filter(([, route]) => route !== "entry").map(bad(tokens.reader, 403, "read-only-token")),
    ...everyRoute(theirs, lease).filter(isAboutKey).map(bad(tokens.writer, 403, "foreign-key")),
    ...routes.filter(([, route]) => ["acquire", "publish", "abandon", "touch", "append"].includes(route)).map(bad(tokens.reader, 403, "read-only-token")),
    ...tricks.map(bad(tokens.writer, 400, "bad-key")),
    ...[
      "",
      "no frame",
      whole.subarray(0, 11),
      whole.subarray(0, -1),
      Buffer.concat([whole, whole]),
      frame("x", { version: 2 }),
      frame("x", { metadata: { g: "1" } }),
      inPieces(whole, "x"),
    ].map((body) => bad(tokens.writer, 422, "bad-frame")(publish(body))),
    ...[frame(Buffer.alloc(25 * MiB)), inPieces(frame("x", { declared: 25 * MiB }))].map((body) => bad(tokens.writer, 413, "too-large")(publish(body))),
    bad(tokens.writer, 413, "too-large")(["POST", "append", { body: { position: beforeEverything, tags: ["x".repeat(MiB)] } }]),
    bad(tokens.writer, 400, "bad-message")(publish(whole, { headers: {} })),
    ...["", "{}", "[", '{"holder":"h","need":"fill","have":9007199254740991}'].map((body) =>
      bad(tokens.writer, 400, "bad-message")(["POST", "acquire", { key: untouched, body }]),
    ),
    bad(tokens.writer, 400, "bad-message")(["POST", "append", { body: '{"tags":["news"]}' }]),
    bad(tokens.writer, 405, "method-not-allowed")(["DELETE", "entry", { key: page }]),
    bad(tokens.writer, 405, "method-not-allowed")(["GET", "touch", { key: page }]),
    bad(tokens.writer, 404, "not-found")(["GET", "entry%2F..%2Fhealth", { key: page }]),
  ];
}

/** How many bad requests were accepted, refused as something else, or changed anything that is stored. */
async function badRequestsAccepted({ use }, next) {
  const bundle = replaced(await onegenWorker(), storedState, storedHandler(next));
  const world = await use(startWorld({ bundle: { ...bundle, bindings: { ONEGEN_TOKENS: tokenList } }, isolates: 1, kv: "bridge" }));
  const shop = new Client(world, tokens.writer);
  const { lease: published } = await shop.render(page, "ours");
  await new Client(world, tokens.blog).render(theirs, "theirs");
  const { lease } = (await shop.acquire(leased)).json.answer.granted;
  for (const token of [tokens.writer, tokens.blog, tokens.alike]) {
    await ask(world, "POST", "/v1/append", { token, key: token === tokens.blog ? theirs : page, body: { position: beforeEverything, tags: ["old"] } });
  }
  await until("both pages in KV", async () => (await world.kv.read(page)) && (await world.kv.read(theirs)));
  const stored = async () => JSON.stringify(await everythingStored(world, [page, theirs, leased, untouched], ledgers));
  // The coordinators hear that KV has the pages.
  await sleep(1000);

  let accepted = 0;
  let before = await stored();
  for (const { method, route, options, status, code } of badRequests(lease)) {
    const answer = await ask(world, method, `/v1/${route}`, options);
    const refused = answer.status === status && answer.json?.code === code;
    const after = await stored();
    if (!refused || after !== before) accepted += 1;
    before = after;
  }
  // A publication sent again, with other bytes: it is the accepted one, whatever it says now.
  const replay = await shop.publish(page, frame("replayed"), { lease: published });
  // Whatever any of them started in the background.
  await sleep(1500);
  if (replay.json?.accepted?.generation !== published.generation || (await stored()) !== before) accepted += 1;
  await world.stop();
  return accepted;
}

const apiAcceptedBad = scene("api_accepted_bad", {
  required: "0 bad requests to the HTTPS API accepted, refused as something else, or changing anything stored",
  seconds: 25,
  holds: (worst) => worst === 0,
  run: (context) => badRequestsAccepted(context),
  control: (context) => badRequestsAccepted(context, EVERYBODY_AUTHORIZED),
  controlName: "with authorization switched off",
  limitMs: 180_000,
});

export const scenes = [apiAcceptedBad];
