/** The script of one process of a world: starts the runtime it is told to, says where it listens, and ends with its parent. */

import "./quick-miniflare.mjs";

const { Miniflare } = await import("miniflare");
const { runtimeOptions } = await import("./runtime.mjs");

process.once("disconnect", () => process.exit());

const tell = (message) => process.connected && process.send(message);

process.once("message", async ({ registry, storage, workers, addresses }) => {
  const miniflare = new Miniflare({
    ...runtimeOptions(storage, (line) => tell({ line })),
    unsafeHandleRuntimeRestart: () => tell({ line: { stream: "error", text: "The runtime crashed and was started again.", at: Date.now() } }),
    unsafeDevRegistryPath: registry,
    workers,
  });
  await miniflare.ready;
  const urls = {};
  for (const [name, entrypoint] of addresses) urls[entrypoint ?? name] = (await miniflare.unsafeGetDirectURL(name, entrypoint)).href;
  tell({ urls });
});
