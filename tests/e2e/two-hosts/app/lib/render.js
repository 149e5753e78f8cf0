import { setTimeout as sleep } from "node:timers/promises";
import { askProbe } from "./probe.js";

/** As the example's; the probe also orders what a render of the Pages Router comes to. */
export async function rendering(path, work) {
  const id = crypto.randomUUID();
  const order = await askProbe("/render", { path, id }, "POST");
  const result = await work?.();
  if (order?.delayMs) await sleep(order.delayMs);
  if (order?.fail) throw new Error(`The probe made the render of ${path} fail`);
  const renderedAt = new Date().toISOString();
  await askProbe("/rendered", { path, id }, "POST");
  return { path, id, renderedAt, result, outcome: order?.outcome };
}
