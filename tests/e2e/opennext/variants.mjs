// The Workers that the end-to-end tests compare: the example app with OpenNext's own cache (the control) and with
// Onegen. A variant's `files` lie over the example's own; `onegen-interception` is the example as it stands. A variant with an
// `image` also leaves what processes of `next start` are started from, with these files.

import { fileURLToPath } from "node:url";
import { filesOf } from "../stage.mjs";

const onegen = {
  "open-next.config.ts": `
import { defineCloudflareConfig } from "@opennextjs/cloudflare";
import { withOnegen } from "onegen/opennext";

export default withOnegen(defineCloudflareConfig());
`,
};

const split = {
  "worker.js": `
import handler from "./.open-next/worker.js";
import { wrapWorker } from "onegen/opennext";

export default wrapWorker(handler);
`,
  "wrangler.jsonc": wranglerConfig({
    main: "worker.js",
    build: { command: "npx onegen seed" },
    kv_namespaces: [{ binding: "ONEGEN_KV" }],
    durable_objects: {
      bindings: [
        { name: "ONEGEN_ROUTES", class_name: "RouteCoordinator", script_name: "onegen" },
        { name: "ONEGEN_TAGS", class_name: "TagLedger", script_name: "onegen" },
      ],
    },
  }),
};

/** The ledger's window can be told to it. */
const twoHosts = {
  ...split,
  "worker.js": `
import handler from "./.open-next/worker.js";
import { wrapWorker } from "onegen/opennext";

export default wrapWorker(handler, { windowMs: Number(process.env.WINDOW_MS ?? 1000) });
`,
};

export const variants = {
  opennext: { files: openNextFiles({ interception: false }), usesOnegen: false },
  "opennext-interception": { files: openNextFiles({ interception: true }), usesOnegen: false },
  onegen: { files: onegen, usesOnegen: true },
  "onegen-interception": { files: {}, usesOnegen: true },
  "onegen-split": { files: split, usesOnegen: true },
  "onegen-use-cache": { files: onegen, usesOnegen: true, next: "use-cache" },
  "opennext-use-cache": { files: openNextFiles({ interception: false }), usesOnegen: false, next: "use-cache" },
  "onegen-expire": { files: onegen, usesOnegen: true, next: "short-expire" },
  "onegen-expire-interception": { files: {}, usesOnegen: true, next: "short-expire" },
  "onegen-15.5": { files: onegen, usesOnegen: true, next: "15.5" },
  "opennext-15.5": { files: openNextFiles({ interception: false }), usesOnegen: false, next: "15.5" },
  "two-hosts": { files: { ...onegen, ...twoHosts }, usesOnegen: true, next: "two-hosts", image: ["onegen.mjs"] },
  "two-hosts-interception": { files: twoHosts, usesOnegen: true, next: "two-hosts" },
  "two-hosts-opennext": { files: openNextFiles({ interception: true }), usesOnegen: false, next: "two-hosts" },
};

/** What `make test` needs; the others are for scenes. */
export const testVariants = ["onegen", "onegen-interception", "onegen-split", "onegen-use-cache"];

/**
 * Built for `make bench` and `make bill` alone: the setups that OpenNext's documentation has for small and for large sites, and the large
 * one with what its code does of itself on Next.js 16.
 */
export const benchVariants = {
  "opennext-small": { files: openNextSmall(), usesOnegen: false },
  "opennext-large": { files: openNextLarge({ mode: "long-lived", bypassTagCacheOnCacheHit: true }), usesOnegen: false },
  "opennext-large-lazily": { files: openNextLarge({ mode: "long-lived" }), usesOnegen: false },
};

/**
 * The Next.js builds behind the variants: environment variables for `next build`, files that lie over the example's own, and which
 * version, if it is another than the example's: a folder of `versions/`.
 */
export const nextBuilds = {
  default: {},
  "15.5": { version: "15.5" },
  "short-expire": { env: { EXPIRE_TIME: "8" } },
  "two-hosts": { files: await filesOf(fileURLToPath(new URL("../two-hosts/app", import.meta.url))) },
  "use-cache": {
    files: {
      ...(await filesOf(fileURLToPath(new URL("../use-cache/app", import.meta.url)))),
      "next.config.mjs": "export default { turbopack: { root: import.meta.dirname }, experimental: { useCache: true } };\n",
    },
  },
};

function openNextFiles({ interception }) {
  return {
    "open-next.config.ts": `
import { defineCloudflareConfig } from "@opennextjs/cloudflare";
import incrementalCache from "@opennextjs/cloudflare/overrides/incremental-cache/kv-incremental-cache";
import queue from "@opennextjs/cloudflare/overrides/queue/do-queue";
import doShardedTagCache from "@opennextjs/cloudflare/overrides/tag-cache/do-sharded-tag-cache";

export default defineCloudflareConfig({
  incrementalCache,
  queue,
  tagCache: doShardedTagCache({ baseShardSize: 12 }),
  enableCacheInterception: ${interception},
});
`,
    "wrangler.jsonc": wranglerConfig({
      main: ".open-next/worker.js",
      kv_namespaces: [{ binding: "NEXT_INC_CACHE_KV" }],
      durable_objects: {
        bindings: [
          { name: "NEXT_CACHE_DO_QUEUE", class_name: "DOQueueHandler" },
          { name: "NEXT_TAG_CACHE_DO_SHARDED", class_name: "DOShardedTagCache" },
        ],
      },
      migrations: [{ tag: "v1", new_sqlite_classes: ["DOQueueHandler", "DOShardedTagCache"] }],
    }),
  };
}

function openNextSmall() {
  return {
    "open-next.config.ts": `
import { defineCloudflareConfig } from "@opennextjs/cloudflare";
import r2IncrementalCache from "@opennextjs/cloudflare/overrides/incremental-cache/r2-incremental-cache";
import doQueue from "@opennextjs/cloudflare/overrides/queue/do-queue";
import d1NextTagCache from "@opennextjs/cloudflare/overrides/tag-cache/d1-next-tag-cache";

export default defineCloudflareConfig({
  incrementalCache: r2IncrementalCache,
  queue: doQueue,
  tagCache: d1NextTagCache,
  enableCacheInterception: true,
});
`,
    "wrangler.jsonc": wranglerConfig({
      main: ".open-next/worker.js",
      r2_buckets: [{ binding: "NEXT_INC_CACHE_R2_BUCKET", bucket_name: "incremental-cache" }],
      d1_databases: [{ binding: "NEXT_TAG_CACHE_D1", database_name: "tag-cache", database_id: "tag-cache" }],
      durable_objects: { bindings: [{ name: "NEXT_CACHE_DO_QUEUE", class_name: "DOQueueHandler" }] },
      migrations: [{ tag: "v1", new_sqlite_classes: ["DOQueueHandler"] }],
    }),
  };
}

function openNextLarge(regionalCache) {
  return {
    "open-next.config.ts": `
import { defineCloudflareConfig } from "@opennextjs/cloudflare";
import { purgeCache } from "@opennextjs/cloudflare/overrides/cache-purge/index";
import r2IncrementalCache from "@opennextjs/cloudflare/overrides/incremental-cache/r2-incremental-cache";
import { withRegionalCache } from "@opennextjs/cloudflare/overrides/incremental-cache/regional-cache";
import doQueue from "@opennextjs/cloudflare/overrides/queue/do-queue";
import doShardedTagCache from "@opennextjs/cloudflare/overrides/tag-cache/do-sharded-tag-cache";

export default defineCloudflareConfig({
  incrementalCache: withRegionalCache(r2IncrementalCache, ${JSON.stringify(regionalCache)}),
  queue: doQueue,
  tagCache: doShardedTagCache({
    baseShardSize: 12,
    regionalCache: true,
    regionalCacheTtlSec: 5,
    regionalCacheDangerouslyPersistMissingTags: true,
    shardReplication: { numberOfSoftReplicas: 4, numberOfHardReplicas: 2, regionalReplication: { defaultRegion: "enam" } },
  }),
  enableCacheInterception: true,
  cachePurge: purgeCache({ type: "direct" }),
});
`,
    "wrangler.jsonc": wranglerConfig({
      main: ".open-next/worker.js",
      r2_buckets: [{ binding: "NEXT_INC_CACHE_R2_BUCKET", bucket_name: "incremental-cache" }],
      durable_objects: {
        bindings: [
          { name: "NEXT_CACHE_DO_QUEUE", class_name: "DOQueueHandler" },
          { name: "NEXT_TAG_CACHE_DO_SHARDED", class_name: "DOShardedTagCache" },
        ],
      },
      migrations: [{ tag: "v1", new_sqlite_classes: ["DOQueueHandler", "DOShardedTagCache"] }],
    }),
  };
}

function wranglerConfig(own) {
  const shared = {
    name: "onegen-app",
    compatibility_date: "2026-07-01",
    compatibility_flags: ["nodejs_compat", "global_fetch_strictly_public"],
    assets: { directory: ".open-next/assets", binding: "ASSETS" },
    services: [{ binding: "WORKER_SELF_REFERENCE", service: "onegen-app" }],
  };
  return JSON.stringify({ ...shared, ...own }, null, 2);
}
