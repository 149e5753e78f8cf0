export { RouteCoordinator, TagLedger } from "./objects.js";

/** What the Onegen Worker is bound to. */
export interface Env {
  /** The namespace that the entries are in. */
  ONEGEN_KV: KVNamespace;
  ONEGEN_ROUTES: DurableObjectNamespace;
  ONEGEN_TAGS: DurableObjectNamespace;
  /** A secret: `app:access:token` entries between commas or line ends, access being `ro` or `rw`. Without it the HTTPS API refuses everything. */
  ONEGEN_TOKENS?: string;
}

declare const worker: { fetch(request: Request, env: Env): Promise<Response> };
export default worker;
