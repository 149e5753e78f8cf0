// The scenes in which nothing is broken, but many visitors, isolates and deployments meet.
import { scenes as fresh } from "./fresh.mjs";
import { scenes as stampedes } from "./stampedes.mjs";
import { scenes as waiting } from "./waiting.mjs";

export const scenes = [...fresh, ...stampedes, ...waiting];
