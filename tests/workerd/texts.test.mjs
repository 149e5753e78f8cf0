// What OpenNext is handed for a page in memory: the same value every time, and a new one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Texts } from "../../pkg/dist/opennext/texts.js";
import { fromStored, toStored } from "../../pkg/dist/next-format/opennext-values.js";

const bytes = Buffer.from([0, 255, 128, 10]);
const values = {
  app: { type: "app", html: "<p>žluťoučký 🦀</p>", rsc: "0:{}", segmentData: { "/a": "one" }, meta: { headers: { "x-next-cache-tags": "a" } } },
  page: { type: "page", html: "<p></p>", json: { props: { n: [1] } } },
  route: { type: "route", body: bytes.toString("base64"), meta: { headers: { "content-type": "image/png" } } },
};

function stored(value) {
  const { parts } = toStored(value, "/a");
  const entry = { parts: parts.map(({ name, bytes: run }) => ({ name, bytes: run.byteLength })) };
  return [entry, new Uint8Array(Buffer.concat(parts.map(({ bytes: run }) => run)))];
}

test("a value of any shape is the same when it is made from kept texts", () => {
  const texts = new Texts();
  for (const value of Object.values(values)) {
    const [entry, body] = stored(value);
    for (let time = 0; time < 3; time += 1) assert.deepEqual(texts.valueOf(entry, body), fromStored(entry, body));
    assert.deepEqual(texts.valueOf(entry, body), value);
  }
});

test("what a host writes into a value is not in the next one", () => {
  const texts = new Texts();
  const [entry, body] = stored(values.app);
  const first = texts.valueOf(entry, body);
  first.meta.headers["x-mine"] = "1";
  first.segmentData["/a"] = first.html = "mine";
  assert.deepEqual(texts.valueOf(entry, body), values.app);
});

test("texts are kept of what was decoded once, unless it is large, and not of more than is allowed", () => {
  const texts = new Texts();
  const decodings = ([entry, body]) => {
    let runs = 0;
    const watched = new Proxy(body, {
      get: (target, name) => {
        if (name !== "subarray") return target[name];
        runs += 1;
        return target.subarray.bind(target);
      },
    });
    texts.valueOf(entry, watched);
    return runs;
  };
  const pageOf = (length) => stored({ type: "app", html: "x".repeat(length), rsc: "", meta: {} });
  const small = pageOf(1000);
  assert.ok(decodings(small) > 0);
  assert.equal(decodings(small), 0);
  const large = pageOf(200_000);
  decodings(large);
  assert.ok(decodings(large) > 0, "it would leave no room for others");
  for (let page = 0; page < 50; page += 1) decodings(pageOf(100_000));
  assert.ok(decodings(small) > 0, "others have taken the place");
  assert.equal(decodings(small), 0);
});
