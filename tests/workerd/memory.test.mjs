// The memory tier of a whole host: engine, host and the bytes it keeps, over stores that answer at random moments.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isolateOver, newRequest } from "../tools/harness/isolates.mjs";
import { FakeStores } from "../tools/harness/stores.mjs";

const KiB = 1024;

/** Pseudo-random whole numbers below a limit (xorshift32), the same in every run. */
function randomNumbers(seed) {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** A host that tells the most bytes it ever kept; looked at whenever anything happens in it. */
function watchedHost(options, random) {
  let most = 0;
  const look = () => (most = Math.max(most, host.keptBytes));
  const settle = async () => {
    look();
    for (let turns = random(4); turns > 0; turns -= 1) await new Promise(setImmediate);
    look();
  };
  const { host, engine } = isolateOver({ stores: new FakeStores(settle), options });
  return { host, engine, look, most: () => most };
}

/** Reads a page, and renders it where the host says so. Gives the body's length. */
async function visit(host, key, bytes) {
  const context = newRequest();
  const { body, miss } = await host.read(context, { kind: "response", key, caller: "renderer" });
  if (body) return body.byteLength;
  await render(host, context, key, bytes, miss.lease);
  return bytes;
}

/** Stores a page whose bytes come in two runs, as those of the hosts do. */
async function render(host, context, key, bytes, lease) {
  const parts = [
    { name: "html", bytes: new Uint8Array(bytes - 1) },
    { name: "rsc", bytes: new Uint8Array(1) },
  ];
  const value = { shape: "app", parts, tags: [`_N_T_${key}`, "all"], revalidate: 3600, expire: undefined };
  await host.store(context, { kind: "response", key, lease, startedAt: Date.now(), value });
}

/** As many visits as asked for, of pages of random sizes, a few at a time; some render a page anew in another size. */
async function traffic({ memoryBytes, visits, pages, largest, seed }) {
  const random = randomNumbers(seed);
  const { host, engine, look, most } = watchedHost({ memoryBytes }, random);
  const sizes = Array.from({ length: pages }, () => 2 + random(largest));
  for (let done = 0; done < visits; done += 8) {
    const some = Array.from({ length: 8 }, async () => {
      const page = random(pages);
      const key = `/page/${page}`;
      if (random(5) === 0) await render(host, newRequest(), key, (sizes[page] = 2 + random(largest)));
      else await visit(host, key, sizes[page]);
      look();
    });
    await Promise.all(some);
    assert.ok(engine.stats().memoryBytes <= memoryBytes);
  }
  return { most: most(), kept: host.keptBytes, counted: engine.stats().memoryBytes };
}

test("ten thousand reads and renders of random sizes never keep more bytes than the tier may hold", async () => {
  const memoryBytes = 1024 * KiB;
  const { most } = await traffic({ memoryBytes, visits: 10_000, pages: 200, largest: 60 * KiB, seed: 1 });
  assert.ok(most <= memoryBytes, `${most} bytes were kept`);
  assert.ok(most > memoryBytes / 2, `only ${most} bytes were ever kept, so the limit was not tried`);
});

test("the default of 16 MiB holds for pages of megabytes", async () => {
  const memoryBytes = 16 * 1024 * KiB;
  const { most } = await traffic({ memoryBytes, visits: 400, pages: 30, largest: 3000 * KiB, seed: 2 });
  assert.ok(most <= memoryBytes, `${most} bytes were kept`);
  assert.ok(most > memoryBytes / 2, `only ${most} bytes were ever kept, so the limit was not tried`);
});

test("what the host keeps is never more than the engine counts", async () => {
  const { kept, counted } = await traffic({ memoryBytes: 256 * KiB, visits: 2000, pages: 50, largest: 20 * KiB, seed: 3 });
  assert.ok(kept <= counted, `${kept} bytes are kept, ${counted} are counted`);
});

test("a tier of no bytes keeps nothing", async () => {
  const { most } = await traffic({ memoryBytes: 0, visits: 200, pages: 5, largest: 10 * KiB, seed: 4 });
  assert.equal(most, 0);
});

test("a page larger than the whole tier is served and not kept", async () => {
  const random = randomNumbers(5);
  const { host, most } = watchedHost({ memoryBytes: 100 * KiB }, random);
  assert.equal(await visit(host, "/large", 200 * KiB), 200 * KiB);
  assert.equal(await visit(host, "/large", 1), 200 * KiB);
  assert.equal(most(), 0);
});

test("without options a tier holds 16 MiB", async () => {
  const { host, most } = watchedHost({}, randomNumbers(6));
  for (let page = 0; page < 20; page += 1) await visit(host, `/page/${page}`, 1024 * KiB);
  assert.ok(most() > 14 * 1024 * KiB && host.keptBytes <= 16 * 1024 * KiB, `${host.keptBytes} bytes are kept`);
});
