import type { KvNamespace, ObjectNamespace } from "../stores/cloudflare.js";

/** What the Onegen Worker is bound to. */
export interface Env {
  /** The namespace that the entries are in. */
  ONEGEN_KV: KvNamespace;
  ONEGEN_ROUTES: ObjectNamespace;
  ONEGEN_TAGS: ObjectNamespace;
  /** A secret: `app:access:token` entries between commas or line ends, access being `ro` or `rw`. Without it the HTTPS API refuses everything. */
  ONEGEN_TOKENS?: string;
}
