// `make bill`: counts operations, and writes docs/cost.md with what they cost.
import { mkdirSync, writeFileSync } from "node:fs";
import { countOperations } from "./operations.mjs";
import { bars } from "./plot.mjs";
import { PRICES, PRICES_AS_OF, priceOf } from "./prices.mjs";
import { SITES, WARM, billRatio, forAMillionViews, staleShare, withOnegen, withOpenNextKv, withOpenNextLarge, withOpenNextSmall } from "./traffic.mjs";

const kinds = {
  again: "a hit within the window",
  sibling: "a hit of another page of its route, likewise",
  hit: "a hit in an isolate that has the page, after the window",
  cold: "a hit in an isolate that has not",
  stale: "a stale page, with its regeneration",
  waiting: "another stale one meanwhile",
  first: "a page's very first request, for which the tables of its objects are made",
  invalidation: "an invalidation of one tag, and the page that answers it",
};

const onegen = await countOperations("onegen");
const opennext = await countOperations("opennext");
const intercepted = await countOperations("opennext-interception");
const small = await countOperations("opennext-small");
const large = await countOperations("opennext-large");
const lazily = await countOperations("opennext-large-lazily");

const dollars = (amount) => `$${amount.toFixed(2)}`;
const table = (head, rows) => [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
const listed = (...times) => times.map((each) => Number(each.toFixed(1))).join(" · ");
const withKv = ({ kvReads, kvWrites, objectRequests, rowsWritten }) => listed(kvReads, kvWrites, objectRequests, rowsWritten);
const withR2 = ({ r2Reads, r2Writes, objectRequests, rowsWritten, d1RowsWritten }) => listed(r2Reads, r2Writes, objectRequests, rowsWritten + d1RowsWritten);

/** What each kind of visit takes, and what that costs, with several setups. */
const perKind = (told, setups) =>
  table(
    ["", ...Object.keys(setups).flatMap((name) => [name, "for a million"])],
    Object.entries(kinds).map(([kind, name]) => [name, ...Object.values(setups).flatMap((setup) => [told(setup[kind]), dollars(priceOf(setup[kind]))])]),
  );

const setups = [
  [withOnegen, onegen],
  [withOpenNextKv, opennext],
  [withOpenNextKv, intercepted],
  [withOpenNextSmall, small],
  [withOpenNextLarge, large],
  [withOpenNextLarge, lazily],
];
const perSite = Object.values(SITES).map((site) => {
  const rows = WARM.map((warm) => [`${warm * 100} %`, ...setups.map(([setup, operations]) => dollars(forAMillionViews(site, setup(site, warm, operations))))]);
  const { name, views, pages, places, lifetime } = site;
  return `**${name}**: ${views.toLocaleString("en")} views a day of ${pages} pages in ${places} places, each page good for ${lifetime} s; with KV alone ${(100 * staleShare(site)).toFixed(1)} % of the views find a stale page.

${table(["warm", "Onegen", "OpenNext: KV, queue, 12 shards", "with its interceptor", "R2 and D1", "R2, regional cache", "the same, refreshed"], rows)}`;
});

const [ratio, ratioIntercepted] = [opennext, intercepted].map((operations) => billRatio(onegen, operations));
writeFileSync(
  new URL("../docs/cost.md", import.meta.url),
  `# Cost

Written by \`make bill\`. Operations are counted on real workerd, through the example's app on Next.js 16.4, whose pages have the five tags of
their paths; prices are Cloudflare's list prices of ${PRICES_AS_OF}, beyond what a plan includes. What a Worker costs besides (requests and CPU time) is the same with
any cache, and left out.

## What a visit has the stores do

KV reads · KV writes · requests to Durable Objects · rows that these write, alarms among them.

${perKind(withKv, { Onegen: onegen, "OpenNext's KV setup": opennext, "with its interceptor": intercepted })}

OpenNext's documentation (opennext.js.org/cloudflare/caching) has two setups with R2 and the interceptor: for small sites with tags in D1, for large ones with a regional cache before
R2 and tags in objects of six regions. The regional cache is counted as documented (\`bypassTagCacheOnCacheHit\`, opennextjs/docs#185, with purges by Cloudflare's API, which are not
counted), and with what its code does of itself on Next.js 16, where it advises against that: it asks for tags, and reads R2 again behind every hit. Each isolate here is in a region
of its own.

R2 reads · R2 writes · requests to Durable Objects · rows that these or D1 write. What is read in rows is in the prices: two for a tag that was ever invalidated, $0.001 for a million.

${perKind(withR2, { "R2 and D1": small, "R2, regional cache": large, "the same, refreshed": lazily })}

- The window is 1 s with Onegen; in the large setup a region takes what it knows of tags for granted for 5 s.
- Without its interceptor, which is off by default, OpenNext takes a page for stale that an isolate has not seen before ([H1](faults.md)): its "hit in an isolate that has not" is a regeneration.
- An isolate of Onegen asks the ledger at most once per window, however many views and tags there are. OpenNext asks one object for each shard that a
  page's tags fall into, on every view: up to twelve, four or five here; in the large setup once in 5 s, if at all, and
  an invalidation is written to 12 objects, or 24 for a path.
- Whoever waits for a render holds the coordinator at work: ${dollars(PRICES.objectSeconds)} for a million seconds, whether one waits or a thousand do.

## What a million views cost

![A shop's bill by how many views are warm](figures/bill.svg)

\`warm\` is the share of views whose isolate has the page in memory. Pages are asked for as in Zipf's law; a page renders for half a second; a write to KV is seen
elsewhere after a minute; an object is at work for 1 ms per call, and for 300 ms while it writes to KV. The model is \`bench/traffic.mjs\`.

${perSite.join("\n\n")}

R2 and D1 is the cheapest for the blog and the news site, of whose views a quarter and a half meet a stale page: a write to R2 is $4.50 for a million, one to KV $5, and nobody but the
queue is asked for a lease. In the shop R2 and D1, and the regional
cache as documented, cost less than Onegen while half of the views or fewer are warm, and more from nine of ten on. The regional cache as documented asks nobody, and then it does not see soft invalidations ([H16](faults.md)); refreshed, as the code would have it, it
costs as much as R2 and D1, and the tags besides. All have the other faults of [the table](faults.md).

With nine of ten views warm and 5 % stale the shop's bill is **${ratio.toFixed(2)}** of OpenNext's KV setup's (\`bench_bill_ratio\`), and ${ratioIntercepted.toFixed(2)} with OpenNext's interceptor, which spares it H1. What stands in the way of less is the write of a
new version: both write it to KV, $5 for a million, whoever reads it, and most pages of such a site are asked for about once per lifetime. The fresh views alone
cost ${((0.1 * priceOf(onegen.cold) + 0.9 * priceOf(onegen.hit)) / (0.1 * priceOf(opennext.stale) + 0.9 * priceOf(opennext.again))).toFixed(2)} of OpenNext's.

## What one request can cost at most

A read asks KV once and the ledger once, and then the coordinator: once, or as often as its answers are held back for 5 s within \`waitMs\`. A render that is stored is one
call more, an invalidation one, and up to four while the ledger does not answer. Messages that were lost are sent again for as long as the call may take (2 to 15 s), ever more rarely.

## What to turn

| | |
|---|---|
| \`windowMs\` | twice the window, half the requests to the ledger; and invalidations of others are seen as much later |
| \`memoryBytes\` | a page in memory costs no KV read |
| \`kvTtlSeconds\` | a page that is asked for is written once more in each half of it |
| lifetimes | each regeneration costs about ${dollars(priceOf(onegen.stale) / 1e6 * 1e5)} for a hundred thousand: tags instead of short lifetimes cost nothing while nothing changes |
`,
);
mkdirSync(new URL("../docs/figures", import.meta.url), { recursive: true });
writeFileSync(
  new URL("../docs/figures/bill.svg", import.meta.url),
  bars({
    title: "What caching adds to the bill of a million views: a shop, 5 % stale",
    series: ["Onegen", "OpenNext, KV", "KV, interceptor", "R2 and D1", "regional cache"],
    groups: WARM.map((warm) => ({
      name: `${warm * 100} % warm`,
      values: setups.slice(0, 5).map(([setup, operations]) => forAMillionViews(SITES.shop, setup(SITES.shop, warm, operations))),
    })),
    told: dollars,
  }),
);
console.log(`docs/cost.md is written; bench_bill_ratio ${ratio.toFixed(3)}`);
process.exit(0);
