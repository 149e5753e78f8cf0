/** What the Pages Router promises, between any two of those that run the app: `one` is asked first, or told; `other` has to know. */

import assert from "node:assert/strict";
import { renderOf, sleep } from "../../evidence/apps.mjs";
import { until } from "../../evidence/outage-tools.mjs";

const WINDOW_MS = 1000;
const LIMIT_MS = 10_000;

/** @typedef {{ hosts: object, one: object, other: object, slug: string }} Pair `slug` is one that no other check uses */

const post = (place, path) => place.visit(path, { method: "POST" });

/** A visit that has to be answered like this. */
async function answered(place, path, status = 200) {
  const visit = await place.visit(path);
  assert.equal(visit.status, status, `${place.name} about ${path}`);
  return visit;
}

/** The render that a page's data is of. */
const dataRenderOf = ({ text }) => JSON.parse(text).pageProps.render?.id;

const isShell = ({ text }) => text.includes("data-shell");

/** @type {Record<string, (pair: Pair) => Promise<void>>} */
export const checks = {
  async "the build's page is there, and its data"({ hosts, one, other }) {
    const path = "/hourly/built";
    const ids = [renderOf(await answered(one, path)), renderOf(await answered(other, path)), dataRenderOf(await answered(other, hosts.dataOf(path)))];
    assert.equal(new Set(ids).size, 1, ids.join());
    assert.equal(hosts.probe.renders(path).length, 0, "renders");
  },

  async "a page that nobody has built is complete on its first visit, and the same on the next"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    const first = renderOf(await answered(one, path));
    assert.ok(first, "the first visitor got a page");
    assert.equal(renderOf(await answered(other, path)), first);
    assert.equal(hosts.probe.renders(path).length, 1, "renders");
  },

  async "two who ask at the same time get one render"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    hosts.probe.behave(path, { delayMs: 300 });
    const [a, b] = await Promise.all([answered(one, path), answered(other, hosts.dataOf(path))]);
    assert.equal(dataRenderOf(b), renderOf(a));
    assert.equal(hosts.probe.renders(path).length, 1, "renders");
  },

  async "a stale page is shown while it is generated again, once"({ hosts, one, other, slug }) {
    const path = `/fleeting/${slug}`;
    const first = renderOf(await answered(one, path));
    await sleep(2200);
    hosts.probe.behave(path, { hold: true });
    // If one waits for the render, the time limit ends both.
    const limit = setTimeout(() => hosts.probe.release(path), LIMIT_MS);
    try {
      assert.equal(renderOf(await answered(other, path)), first, "what the other shows");
      assert.equal(renderOf(await answered(one, path)), first, "what it shows itself");
      await hosts.probe.waitForRenders(path, 2);
      await sleep(500);
    } finally {
      clearTimeout(limit);
      hosts.probe.release(path);
    }
    assert.equal((await hosts.probe.waitForEnd(path, 2)).length, 2, "renders");
    const shows = async (place) => renderOf(await answered(place, path));
    await until("both show the new page", async () => (await shows(one)) !== first && (await shows(other)) !== first, LIMIT_MS);
  },

  async "a page's data is of the render that its HTML is of"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    const data = await answered(one, hosts.dataOf(path));
    const html = await answered(other, path);
    const [, props] = /<script id="__NEXT_DATA__" type="application\/json">(.*?)<\/script>/.exec(html.text);
    assert.deepEqual(JSON.parse(props).props, JSON.parse(data.text), "what the page was made of");
    assert.match(data.headers.get("content-type"), /^application\/json/);
    assert.deepEqual((await answered(other, hosts.dataOf(path))).body, data.body, "the other's data");
    assert.equal(hosts.probe.renders(path).length, 1, "renders");
  },

  async "with a shell: the shell comes first, then the data, and then the page is there"({ hosts, one, other, slug }) {
    const path = `/fallback/${slug}`;
    assert.ok(isShell(await answered(one, path)), "the first visitor gets the shell");
    assert.ok(isShell(await answered(other, path)), "and so does the other's");
    assert.equal(hosts.probe.renders(path).length, 0, "renders for shells");
    const id = dataRenderOf(await answered(one, hosts.dataOf(path)));
    for (const place of [other, one]) assert.equal(renderOf(await answered(place, path)), id, `what ${place.name} shows`);
    assert.equal(dataRenderOf(await answered(other, hosts.dataOf(path))), id, "the other's data");
    assert.equal(hosts.probe.renders(path).length, 1, "renders");
  },

  async "who was shown the shell waits for nobody, and one renders the data"({ hosts, one, other, slug }) {
    const path = `/fallback/${slug}`;
    hosts.probe.behave(path, { delayMs: 300 });
    await Promise.all([one, other].map((place) => answered(place, path)));
    const data = await Promise.all([one, other].map((place) => answered(place, hosts.dataOf(path))));
    assert.equal(dataRenderOf(data[0]), dataRenderOf(data[1]));
    const [render, ...more] = hosts.probe.renders(path);
    assert.equal(more.length, 0, "renders beside the first");
    assert.ok(render.startedAt - Math.min(...data.map(({ startedAt }) => startedAt)) < 900, "the render began when the data was asked for");
  },

  async "a page that is not there is remembered as such"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    hosts.probe.behave(path, { outcome: "not-found" });
    const renders = () => hosts.probe.renders(path).length;
    for (const place of [one, other]) {
      await answered(place, path, 404);
      const data = await answered(place, hosts.dataOf(path), 404);
      if (!place.onWorkers) assert.equal(data.text, '{"notFound":true}');
    }
    // OpenNext takes no cached 404 of this router (`adapters/cache.js` makes a miss of a value that is null), so an isolate finds
    // out again each time. That is for isolates alone: `next start` knows it, also from an isolate's visit onwards.
    const found = renders();
    if (!one.onWorkers && !other.onWorkers) assert.equal(found, 1, "renders");
    const processes = [one, other].filter(({ onWorkers }) => !onWorkers);
    for (const place of processes) await answered(place, path, 404);
    assert.equal(renders(), found, "renders for what is known already");
  },

  async "a page that was not there appears after its lifetime, everywhere"({ hosts, one, other, slug }) {
    const path = `/fleeting/${slug}`;
    hosts.probe.behave(path, { outcome: "not-found" });
    for (const place of [one, other]) await answered(place, path, 404);
    hosts.probe.behave(path, {});
    await sleep(2200);
    const shows = async (place) => renderOf(await place.visit(path));
    await until("both show the page, and the same", async () => {
      const shown = await shows(one);
      return shown !== undefined && shown === (await shows(other));
    }, LIMIT_MS);
  },

  async "a redirect leads to the same place, for visitors and for data"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    hosts.probe.behave(path, { outcome: "redirect" });
    const first = (await answered(one, path, 307)).headers.get("location");
    assert.match(first, /^\/about\?/);
    assert.equal((await answered(other, path, 307)).headers.get("location"), first, "the other's");
    assert.equal((await answered(one, path, 307)).headers.get("location"), first, "its own once more");
    const { pageProps } = JSON.parse((await answered(other, hosts.dataOf(path))).text);
    assert.deepEqual([pageProps.__N_REDIRECT, pageProps.__N_REDIRECT_STATUS], [first, 307]);
    assert.equal(hosts.probe.renders(path).length, 1, "renders");
  },

  async "res.revalidate is seen by the other within one window"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    await replaced({ hosts, one, other, path }, `/api/regenerate?path=${path}`);
  },

  async "revalidatePath is seen by the other within one window"({ hosts, one, other, slug }) {
    const path = `/hourly/${slug}`;
    await replaced({ hosts, one, other, path }, `/api/revalidate?path=${path}`);
  },
};

/** A page that both know is replaced through `one`. */
async function replaced({ hosts, one, other, path }, call) {
  const before = renderOf(await answered(one, path));
  assert.equal(renderOf(await answered(other, path)), before, "what both know");
  const answer = await post(one, call);
  assert.equal(answer.status, 200, answer.text);
  await sleep(WINDOW_MS);
  const seen = renderOf(await answered(other, path));
  assert.notEqual(seen, before, "what the other shows");
  assert.equal(renderOf(await answered(one, path)), seen, "what it shows itself");
  assert.equal(hosts.probe.renders(path).length, 2, "renders");
}

/** The checks that fail, in words: every one between two of each host, and across. */
export async function failures(hosts) {
  const { process, otherProcess, isolate, otherIsolate } = hosts;
  const pairs = [[process, otherProcess], [isolate, otherIsolate], [process, isolate], [isolate, process]];
  const failed = await Promise.all(pairs.map(([one, other], pair) => failuresOf({ hosts, one, other }, pair)));
  return failed.flat();
}

async function failuresOf({ hosts, one, other }, pair) {
  const failed = [];
  for (const [at, [name, check]] of Object.entries(checks).entries()) {
    try {
      await check({ hosts, one, other, slug: `check-${pair}-${at}` });
    } catch (error) {
      failed.push(`${name} (${one.name}, ${other.name}): ${error.message.replace(/\s*\n\s*/g, " ")}`);
    }
  }
  return failed;
}
