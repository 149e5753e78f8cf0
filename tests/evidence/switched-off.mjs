// Onegen with one of its mechanisms switched off: what controls run.
import { builtApp } from "./apps.mjs";

/** A coordinator that grants every question a lease of its own, and accepts whatever is published. */
const GRANTS_EVERYBODY = `
  export class RouteCoordinator extends onegen.RouteCoordinator {
    async acquire(_name, { have, holder, position }) {
      const generation = Math.max(have ?? 0, Date.now()) + 1;
      return { answer: { granted: { lease: { generation, holder, position }, remaining_ms: 10_000 } } };
    }

    async publish(name, message, header, body) {
      return super.publish(name, { ...message, lease: undefined }, header, body);
    }

    async abandon() {}
  }
`;

/** Without one lease per route. */
export async function grantingEverybody(variant) {
  return replaced(await builtApp(variant), GRANTS_EVERYBODY);
}

/** Whose coordinators keep to other limits (the crate's `policy` module). */
export function withLimits(bundle, limits) {
  return replaced(bundle, `export class RouteCoordinator extends onegen.RouteCoordinator { static options = ${JSON.stringify(limits)}; }`);
}

/** A bundle with another entry module; its source sees the bundle's own as `onegen`, and what it exports takes that one's place. */
export function replaced(bundle, source, handler = "onegen.default") {
  const own = JSON.stringify(`./${bundle.modules[0].name}`);
  const contents = `import * as onegen from ${own};\nexport * from ${own};\nexport default ${handler};\n${source}`;
  return { ...bundle, modules: [{ type: "ESModule", name: `switched-off-${bundle.modules.length}.js`, contents }, ...bundle.modules] };
}
