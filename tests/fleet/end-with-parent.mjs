// Preloaded into each process of a fleet: it ends with the process that started it, however that one ends.
process.once("disconnect", () => process.exit());
// The channel alone does not keep a process up that has nothing else to do.
process.channel.unref();
