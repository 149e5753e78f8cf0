// `make evidence`: every scene; `--only a,b` plays those alone, `--long` their long forms; `--packages` tells what they need of Debian.
import { runScenesAndExit } from "./runner/scenes.mjs";
import { scenes as apiPanic } from "./api-panic.mjs";
import { scenes as api } from "./api.mjs";
import { scenes as bench } from "./bench.mjs";
import { scenes as chaos } from "./chaos.mjs";
import { scenes as conformance } from "./conformance.mjs";
import { scenes as data } from "./data.mjs";
import { scenes as deployments } from "./deployments.mjs";
import { faultsOpen } from "./faults-table.mjs";
import { scenes as faults } from "./faults.mjs";
import { scenes as fleetOutages } from "./fleet-outages.mjs";
import { scenes as fleet } from "./fleet.mjs";
import { scenes as invalidations } from "./invalidations.mjs";
import { scenes as keyLife } from "./key-life.mjs";
import { scenes as kinds } from "./kinds.mjs";
import { scenes as ledger } from "./ledger.mjs";
import { scenes as limits } from "./limits.mjs";
import { scenes as oneRegeneration } from "./one-regeneration.mjs";
import { scenes as openNextFaults } from "./opennext-faults.mjs";
import { scenes as proofs } from "./proofs.mjs";
import { scenes as tags } from "./tags.mjs";
import { scenes as twoHosts } from "./two-hosts.mjs";
import { scenes as useCache } from "./use-cache.mjs";

// The longest first: they mostly wait.
const scenes = [
  ...openNextFaults,
  ...oneRegeneration,
  ...faults,
  ...fleet,
  ...fleetOutages,
  ...keyLife,
  ...deployments,
  ...twoHosts,
  ...limits,
  ...api,
  ...apiPanic,
  ...useCache,
  ...data,
  ...invalidations,
  ...tags,
  ...conformance,
  ...kinds,
  ...ledger,
  ...bench,
  ...chaos,
  ...proofs,
];

if (process.argv.includes("--packages")) {
  console.log([...new Set(scenes.flatMap(({ packages = [] }) => packages))].join(" "));
} else {
  await runScenesAndExit([...scenes, faultsOpen(scenes)]);
}
