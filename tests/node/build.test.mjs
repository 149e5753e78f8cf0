// What tells one build from another, and what a build left behind: over folders that look like one.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Build } from "../../pkg/dist/node/build.js";
import { pathTags } from "../../pkg/dist/next-format/paths.js";

const CONSTANT = "build-TfctsWXpff2fKS";
const scoped = (kind, source, name) => `/route-cache/${kind}/${createHash("sha256").update(source).digest("hex")}/$${name}`;

/** A build of these files, below `.next`. */
async function buildOf(t, files) {
  const folder = await mkdtemp(path.join(tmpdir(), "onegen-build-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, contents] of Object.entries({ BUILD_ID: CONSTANT, ...files })) {
    await mkdir(path.join(folder, path.dirname(name)), { recursive: true });
    await writeFile(path.join(folder, name), typeof contents === "string" ? contents : JSON.stringify(contents));
  }
  return new Build(path.join(folder, "server"));
}

const configured = (config) => ({ "required-server-files.json": { config } });

test("a build is told by its deployment id, else by its build id, whatever a process is started with", async (t) => {
  t.after(() => delete process.env.NEXT_DEPLOYMENT_ID);
  for (const environment of ["", "of-every-process"]) {
    process.env.NEXT_DEPLOYMENT_ID = environment;
    assert.equal((await buildOf(t, configured({ deploymentId: "a" }))).id, "a");
    assert.equal((await buildOf(t, { BUILD_ID: "random", ...configured({}) })).id, "random");
  }
  const leftOpen = configured({ deploymentId: "", experimental: { runtimeServerDeploymentId: true } });
  assert.equal((await buildOf(t, leftOpen)).id, "of-every-process");
});

const page = { initialRevalidateSeconds: 60, initialExpireSeconds: 600, srcRoute: null };

test("the key of a page that is not there follows from its route, where keys have routes in them", async (t) => {
  const manifest = { routes: { "/there": page, "/cs/gone": page }, notFoundRoutes: ["/cs/gone"] };
  const key = scoped("PAGES", "/there", "/there");
  const files = {
    "prerender-manifest.json": manifest,
    "server/pages/there.html": "<p>",
    "server/pages/there.json": { pageProps: {} },
    ...configured({ i18n: { locales: ["en", "cs"] } }),
  };
  const older = await buildOf(t, files);
  assert.deepEqual([await older.keyOf("/there"), await older.keyOf("/cs/gone")], ["/there", "/cs/gone"]);
  const newer = await buildOf(t, { ...files, "server/pages/there.meta": { routeCache: { key } } });
  assert.deepEqual([await newer.keyOf("/there"), await newer.keyOf("/cs/gone")], [key, scoped("PAGES", "/gone", "/cs/gone")]);
  assert.ok(await newer.seed(scoped("PAGES", "/gone", "/cs/gone")));
  assert.equal(await newer.seed(scoped("PAGES", "/another", "/cs/gone")), undefined);
  assert.equal(await newer.seed(scoped("PAGES", "/another", "/there")), undefined);
});

test("a page named index, and one below a page, are not the root or that page", async (t) => {
  const routes = { "/": page, "/index": page, "/docs": page, "/docs/index": page };
  const files = ["index", "index/index", "docs", "docs/index"].flatMap((name) => [
    [`server/app/${name}.meta`, { headers: {} }],
    [`server/app/${name}.html`, `<p>${name}</p>`],
  ]);
  const build = await buildOf(t, { "prerender-manifest.json": { routes }, ...Object.fromEntries(files) });
  const keys = await Promise.all(build.paths.map((one) => build.keyOf(one)));
  assert.deepEqual(keys, ["/index", "/index/index", "/docs", "/docs/index"]);
  for (const key of keys) assert.match(Buffer.from(await build.seed(key)).toString(), new RegExp(`<p>${key.slice(1)}</p>`));
});

test("a shell is seeded for each locale, with the lifetime that the build gave it", async (t) => {
  const dynamicRoutes = { "/items/[id]": { fallback: "/items/[id].html", fallbackRevalidate: 60 }, "/other/[id]": { fallback: null } };
  const build = await buildOf(t, {
    "prerender-manifest.json": { routes: {}, dynamicRoutes },
    "server/pages/en/items/[id].html": "<p>shell",
    ...configured({ i18n: { locales: ["en", "cs"] } }),
  });
  assert.deepEqual(build.paths, ["/en/items/[id]", "/cs/items/[id]"]);
  const frame = Buffer.from(await build.seed("/en/items/[id]")).toString();
  assert.match(frame, /"r":60\b/);
  assert.match(frame, /<p>shell/);
});

test("a page has the tags by which any version names its path", () => {
  assert.deepEqual(pathTags("/old/timed"), ["_N_T_/old/timed"]);
  assert.deepEqual(pathTags(scoped("PAGES", "/", "/index")), ["_N_T_/"]);
  assert.deepEqual(pathTags("/words/žluť"), ["_N_T_/words/žluť", "_N_T_/words/%C5%BElu%C5%A5"]);
  assert.deepEqual(pathTags("/a&b/50%"), ["_N_T_/a&b/50%", "_N_T_/a&b/50%25", "_N_T_/a%26b/50%25"]);
});
