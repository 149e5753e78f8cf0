/** The scenes in which something dies, fails or lags. */

import { scenes as deaths } from "./deaths.mjs";
import { scenes as outages } from "./outages.mjs";

export const scenes = [...deaths, ...outages];
