const RULE = `\n\n${"-".repeat(100)}\n\n`;

const HEAD = `The wasm files of this package hold compiled code of the following projects. Each list is followed by the licence that its projects
ask to be passed on.`;

/** The text of THIRD-PARTY-NOTICES: licences that are the same for several stand there once. @param {import("./crates.mjs").Shipped[]} shipped */
export function noticesOf(shipped) {
  const without = shipped.filter(({ texts }) => texts.length === 0);
  if (without.length > 0) throw new Error(`No text of a licence was found for ${without.map(({ name }) => name).join(", ")}.`);
  const projectsOf = new Map();
  for (const { name, version, licence, texts } of shipped) {
    const text = texts.map((one) => one.replaceAll("\r\n", "\n").trim()).join(RULE);
    projectsOf.set(text, [...(projectsOf.get(text) ?? []), `${name} ${version} (${licence})`]);
  }
  const parts = [...projectsOf].map(([text, projects]) => `${projects.join("\n")}\n\n${text}`);
  return `${[HEAD, ...parts].join(RULE)}\n`;
}
