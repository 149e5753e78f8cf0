// `onegen/objects`: the Durable Object classes.
export { RouteCoordinator, type RouteOptions } from "./route-coordinator.js";
export { TagLedger, type LedgerOptions } from "./tag-ledger.js";
