// The builds of the fleet app: of which Next.js, with which configuration, from which environment.
//
// A variant's `files` lie over the app's own; `next.config.mjs` stands beside as `app.config.mjs` for those that extend it.

/** Next.js in its newest releases beside the app's own (its package.json): folders of `versions/`. */
export const otherVersions = ["15.5", "16.2", "16.3"];

const ownCache = { "next.config.mjs": "export default { turbopack: { root: import.meta.dirname } };\n" };

/** Next.js's own cache, in this folder of `versions/` or in the app's own version. */
const nextItself = (version) => ({ version, files: ownCache });

const extended = (more) => `import config from "./app.config.mjs";\n\nexport default { ...config, ...${JSON.stringify(more)} };\n`;

/** How long a page of the `-expire` variants may be used. */
export const EXPIRE_SECONDS = 8;

export const variants = {
  onegen: {},
  next: nextItself(),
  ...Object.fromEntries(otherVersions.map((version) => [`onegen-${version}`, { version }])),
  ...Object.fromEntries(otherVersions.map((version) => [`next-${version}`, nextItself(version)])),
  "onegen-expire": { files: { "next.config.mjs": extended({ expireTime: EXPIRE_SECONDS }) } },
  "next-expire": { files: { "next.config.mjs": `export default { turbopack: { root: import.meta.dirname }, expireTime: ${EXPIRE_SECONDS} };\n` } },
};
