/** A value of every kind that Next.js hands a cache (next, `server/response-cache/types.d.ts`). */

const everyByte = Buffer.from(Uint8Array.from({ length: 256 * 4 }, (_, at) => at % 256));
const headers = { "x-next-cache-tags": "posts,_N_T_/blog/one", "x-nextjs-stale-time": "300", "set-cookie": ["a=1; Path=/", "b=2; Path=/"] };

/** What is kept: its kind, its value, and for how long; `since` is the first version that knows it. */
export const kinds = {
  "a page": {
    kind: "APP_PAGE",
    value: { kind: "APP_PAGE", html: "<p>žluťoučký 🐎</p>", rscData: everyByte, headers, postponed: undefined, status: 200, segmentData: new Map([["/_tree", everyByte], ["/blog/$d$slug", Buffer.alloc(0)]]) },
  },
  "a page with a postponed part": {
    kind: "APP_PAGE",
    value: { kind: "APP_PAGE", html: "<p>shell</p>", rscData: undefined, headers, postponed: `[${"x".repeat(70_000)}]`, status: undefined, segmentData: new Map([["/_tree", everyByte]]) },
  },
  "a page without segments": {
    kind: "APP_PAGE",
    value: { kind: "APP_PAGE", html: "", rscData: Buffer.from("1:[]"), headers: undefined, postponed: undefined, status: 404, segmentData: undefined },
  },
  "a binary route": { kind: "APP_ROUTE", value: { kind: "APP_ROUTE", body: everyByte, status: 201, headers: { ...headers, "content-type": "image/png" } } },
  "a text route": { kind: "APP_ROUTE", value: { kind: "APP_ROUTE", body: Buffer.from("日本語"), status: 200, headers: { "content-type": "text/plain" } } },
  "an empty route": { kind: "APP_ROUTE", value: { kind: "APP_ROUTE", body: Buffer.alloc(0), status: 204, headers: {} } },
  "a page of the Pages Router": { kind: "PAGES", value: { kind: "PAGES", html: "<p>pages</p>", pageData: { pageProps: { list: [1, null, "🐎"] } }, headers: undefined, status: undefined } },
  "a page that is not there": { kind: "PAGES", value: null },
  "a redirect": { kind: "PAGES", value: { kind: "REDIRECT", props: { pageProps: { __N_REDIRECT: "/new", __N_REDIRECT_STATUS: 308 } } } },
};

/** Images go by other calls, from 16.2 on. */
export const image = { kind: "IMAGE", etag: "e", upstreamEtag: "u", buffer: everyByte, extension: "webp", revalidate: 60 };

/** Fetched data goes by others again. */
export const data = {
  "a fetched response": { kind: "FETCH", data: { headers: { "content-type": "image/png" }, body: everyByte.toString("base64"), status: 200, url: "https://example.com/a" }, revalidate: 60 },
  "an unstable_cache value": { kind: "FETCH", data: { headers: {}, body: JSON.stringify({ a: ["🐎"] }), status: 200, url: "" }, revalidate: 31_536_000 },
};
