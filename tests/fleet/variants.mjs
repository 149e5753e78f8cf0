// The builds of the fleet app: of which Next.js, with which configuration, from which environment.
//
// A variant's `files` lie over the app's own; `next.config.mjs` stands beside as `app.config.mjs` for those that extend it. `args` are
// for `next build`; of a `standalone` variant the image is what Next.js puts together itself; `dev` is not built at all.

/** Next.js in its newest releases beside the app's own (its package.json): folders of `versions/`. */
export const otherVersions = ["15.5", "16.2", "16.3"];

const ownCache = { "next.config.mjs": "export default { turbopack: { root: import.meta.dirname } };\n" };

/** Next.js's own cache, in this folder of `versions/` or in the app's own version. */
const nextItself = (version) => ({ version, files: ownCache });

const extended = (more) => `import config from "./app.config.mjs";\n\nexport default { ...config, ...${JSON.stringify(more)} };\n`;

/** How long a page of the `-expire` variants may be used. */
export const EXPIRE_SECONDS = 8;

const shortExpire = (version) => ({ version, files: { "next.config.mjs": extended({ expireTime: EXPIRE_SECONDS }) } });

const onOtherVersions = (name, variantOf) => Object.fromEntries(otherVersions.map((version) => [`${name}-${version}`, variantOf(version)]));

/** The same in CommonJS, which a package of type "module" could not hold. */
const commonJs = {
  "package.json": JSON.stringify({ name: "onegen-fleet-app", private: true }),
  "next.config.js": `module.exports = { cacheHandler: require.resolve("onegen/next"), cacheMaxMemorySize: 0 };\n`,
};

export const variants = {
  onegen: {},
  next: nextItself(),
  ...onOtherVersions("onegen", (version) => ({ version })),
  ...onOtherVersions("next", nextItself),
  "onegen-commonjs-webpack": { files: commonJs, args: ["--webpack"] },
  "onegen-standalone": { files: { "next.config.mjs": extended({ output: "standalone" }) }, standalone: true },
  "onegen-standalone-webpack": { files: { "next.config.mjs": extended({ output: "standalone" }) }, args: ["--webpack"], standalone: true },
  "onegen-dev": { dev: true },
  "onegen-expire": shortExpire(),
  ...onOtherVersions("onegen-expire", shortExpire),
  "next-expire": { files: { "next.config.mjs": `export default { turbopack: { root: import.meta.dirname }, expireTime: ${EXPIRE_SECONDS} };\n` } },
};
