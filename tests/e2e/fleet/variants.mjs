// The builds of the example app: of which Next.js, with which configuration, from which environment.
//
// A variant's `files` lie over the app's own; `next.config.mjs` stands beside as `app.config.mjs` for those that extend it. `args` are
// for `next build`; of a `standalone` variant the image is what Next.js puts together itself; into a `compiled` one Next.js compiles
// Onegen's handler; `dev` is not built at all; what is `compared` is built only when it is asked for by name, as `make bench` does.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { filesOf } from "../stage.mjs";

/** Next.js in its newest releases beside the app's own (its package.json): folders of `versions/`. */
export const otherVersions = ["15.5", "16.2", "16.3"];

const ownCache = { "next.config.mjs": "export default { turbopack: { root: import.meta.dirname } };\n" };

/** Next.js's own cache, in this folder of `versions/` or in the app's own version. */
const nextItself = (version) => ({ version, files: ownCache });

/** The app's own configuration, and more. @param {string} more source of it */
export const extended = (more) => `import config from "./app.config.mjs";\n\nexport default { ...config, ${more} };\n`;

/** How long a page of the `-expire` variants may be used, where the environment of a process does not say otherwise. */
export const EXPIRE_SECONDS = 8;

const expireTime = `expireTime: Number(process.env.EXPIRE_SECONDS ?? ${EXPIRE_SECONDS})`;

const shortExpire = (version) => ({ version, files: { "next.config.mjs": extended(expireTime) } });

/** The same in CommonJS, which a package of type "module" could not hold. */
const commonJs = {
  "package.json": JSON.stringify({ name: "onegen-app", private: true }),
  "next.config.js": `module.exports = { cacheHandler: require.resolve("onegen/next"), cacheMaxMemorySize: 0 };\n`,
};

const standalone = { files: { "next.config.mjs": extended(`output: "standalone"`) }, standalone: true };

/** Every page tells which build made it. Next.js makes the build id a constant where there is a deployment id. */
const build = (name) => ({
  files: {
    "next.config.mjs": extended(`deploymentId: "deployment-${name}", env: { BUILD_NAME: "${name}" }`),
    "app/layout.jsx": layout("data-build={process.env.BUILD_NAME}"),
  },
});

/** Which app it is the environment of a process says, and every page that was rendered there tells. */
const appOfItsOwn = {
  files: {
    "onegen.mjs": `import { cacheHandler } from "onegen/next";\n\nexport default cacheHandler({ app: process.env.APP_ID });\n`,
    "next.config.mjs": extended(`cacheHandler: new URL("onegen.mjs", import.meta.url).pathname`),
    "app/layout.jsx": layout("data-app={process.env.APP_NAME}"),
  },
};

function layout(attribute) {
  return `export default function Layout({ children }) {
  return (
    <html lang="en" ${attribute}>
      <body>{children}</body>
    </html>
  );
}
`;
}

/** A page or route of every kind that Next.js renders ahead: the files of this folder, laid over the app's. */
const prerendered = await filesOf(fileURLToPath(new URL("prerendered", import.meta.url)));

const onOtherVersions = (name, variantOf) => Object.fromEntries(otherVersions.map((version) => [`${name}-${version}`, variantOf(version)]));

/** Routes in the edge runtime, into which Next.js compiles the handler. */
const edge = await filesOf(fileURLToPath(new URL("edge", import.meta.url)));

/** A handler as one would write it first: what controls run. */
const naive = {
  "naive-handler.mjs": readFileSync(new URL("naive-handler.mjs", import.meta.url), "utf8"),
  "next.config.mjs": `import { join } from "node:path";

export default {
  cacheHandler: join(import.meta.dirname, "naive-handler.mjs"),
  cacheMaxMemorySize: 0,
  turbopack: { root: import.meta.dirname },
};
`,
};

/** The handler that apps with Redis use. */
const redis = await filesOf(fileURLToPath(new URL("redis", import.meta.url)));

const useCacheFiles = await filesOf(fileURLToPath(new URL("../use-cache/app", import.meta.url)));

const HANDLERS = "cacheHandlers: { default: handler, remote: handler }";

/** The app with `use cache`; before 16 its handlers are an experiment. */
const useCache = (version) => {
  const more = version === "15.5" ? `experimental: { useCache: true, ${HANDLERS} }` : `experimental: { useCache: true }, ${HANDLERS}`;
  const config = useCacheConfig(more);
  return { version, files: { ...useCacheFiles, "next.config.mjs": config } };
};

const useCacheConfig = (more) => `
import { fileURLToPath } from "node:url";
import config from "./app.config.mjs";

const handler = fileURLToPath(import.meta.resolve("onegen/use-cache"));

export default { ...config, ${more} };
`;

/** With Cache Components, which know no lifetimes of whole pages: what is not cached streams into a shell. */
const nothing = "export default function Nothing() {\n  return null;\n}\n";
const cacheComponents = {
  ...useCacheFiles,
  ...Object.fromEntries(["[isr]", "about", "brief/[slug]", "tagged/[slug]", "shelves/[name]"].map((page) => [`app/${page}/page.jsx`, nothing])),
  "app/layout.jsx": `
import { Suspense } from "react";

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Suspense fallback={<p>Loading</p>}>{children}</Suspense>
      </body>
    </html>
  );
}
`,
  "next.config.mjs": useCacheConfig(`cacheComponents: true, ${HANDLERS}`),
};

const useCacheOfNext = "export default { turbopack: { root: import.meta.dirname }, experimental: { useCache: true } };\n";

export const variants = {
  onegen: {},
  next: nextItself(),
  naive: { files: naive },
  redis: { version: "redis", files: redis, compared: true },
  // One build of each other version serves every test that its configuration does not matter to.
  ...onOtherVersions("onegen", (version) => ({ version, files: prerendered })),
  ...onOtherVersions("next", nextItself),
  "onegen-commonjs-webpack": { files: commonJs, args: ["--webpack"] },
  "onegen-standalone": standalone,
  "onegen-standalone-webpack": { ...standalone, args: ["--webpack"] },
  "onegen-dev": { dev: true },
  "onegen-use-cache": useCache(),
  "onegen-use-cache-15.5": useCache("15.5"),
  "onegen-use-cache-16.2": useCache("16.2"),
  "onegen-use-cache-standalone": {
    files: { ...useCacheFiles, "next.config.mjs": useCacheConfig(`experimental: { useCache: true }, output: "standalone", cacheHandler: undefined, ${HANDLERS}`) },
    standalone: true,
  },
  "onegen-cache-components": { files: cacheComponents },
  "next-use-cache": { files: { ...useCacheFiles, "next.config.mjs": useCacheOfNext } },
  "onegen-edge": { files: edge, compiled: true },
  "onegen-edge-webpack": { files: { "app/edge/page.jsx": edge["app/edge/page.jsx"] }, args: ["--webpack"], compiled: true },
  "onegen-expire": shortExpire(),
  ...onOtherVersions("onegen-expire", shortExpire),
  "next-expire": { files: { "next.config.mjs": `export default { turbopack: { root: import.meta.dirname }, ${expireTime} };\n` } },
  "onegen-build-a": build("a"),
  "onegen-build-b": build("b"),
  "onegen-app": appOfItsOwn,
  "onegen-prerendered": { files: prerendered },
  "next-prerendered": { files: { ...prerendered, ...ownCache } },
};

/** What `make test` needs, all of it on the app's own version of Next.js; the others are for scenes, and for the same tests on other builds. */
export const testVariants = [
  "onegen",
  "next",
  "onegen-commonjs-webpack",
  "onegen-standalone",
  "onegen-dev",
  "onegen-use-cache",
  "onegen-use-cache-standalone",
  "onegen-cache-components",
  "onegen-edge",
  "onegen-expire",
  "onegen-prerendered",
];
