import { DurableObject } from "cloudflare:workers";

/** Limits of a route's coordinator. Every one has a default. */
export interface RouteOptions {
  /** Lease for a route whose render times are not known yet. Default 10000. */
  firstLeaseMs?: number;
  /** Shortest lease. Default 3000. */
  minLeaseMs?: number;
  /** Longest lease. Default 60000. */
  maxLeaseMs?: number;
  /** Wait after a first failed render, doubled with each further one. Default 1000. */
  firstBackOffMs?: number;
  /** Longest wait after failed renders. Default 300000. */
  maxBackOffMs?: number;
  /** How long renders without a store make nobody wait, at first; doubled with each further one. Default 5000. */
  firstHitForMissMs?: number;
  /** Longest such time. Default 60000. */
  maxHitForMissMs?: number;
  /** Lifetime of a KV key that nobody touches, in seconds. Default 2592000 (30 days). */
  kvTtlSeconds?: number;
}

/** Coordinates one route. Bind it as `ONEGEN_ROUTES`; its Worker needs the KV binding `ONEGEN_KV`. */
export class RouteCoordinator extends DurableObject {
  /** Subclass with another value to change limits. */
  static options: RouteOptions;
}

/** Limits of an app's ledger. Every one has a default. */
export interface LedgerOptions {
  /** Above so many bytes of storage it forgets what was invalidated longest ago. Default 4294967296 (4 GiB). */
  storageBytes?: number;
}

/** An app's ordered log of tag invalidations. Bind it as `ONEGEN_TAGS`. */
export class TagLedger extends DurableObject {
  /** Subclass with another value to change limits. */
  static options: LedgerOptions;
}
