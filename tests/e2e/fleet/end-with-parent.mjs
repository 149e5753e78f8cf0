// Preloaded into each process of a fleet: it ends with the process that started it, however that one ends. Processes that Next.js
// starts itself have this preloaded too, and another parent: they end with it.
if (process.ppid === Number(process.env.ENDS_WITH)) {
  process.once("disconnect", () => process.exit());
  // The channel alone does not keep a process up that has nothing else to do.
  process.channel.unref();
}
