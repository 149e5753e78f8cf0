import { setTimeout as sleep } from "node:timers/promises";
import { askProbe } from "./probe.js";

/**
 * Every page and route handler renders through here, so that a render can be counted, slowed down and made to fail.
 * `work` runs between the announcement and the delay: what it reads is old by the time the render ends.
 */
export async function rendering(path, work) {
  const id = crypto.randomUUID();
  const order = await askProbe("/render", { path, id }, "POST");
  const result = await work?.();
  if (order?.delayMs) await sleep(order.delayMs);
  if (order?.fail) throw new Error(`The probe made the render of ${path} fail`);
  const renderedAt = new Date().toISOString();
  await askProbe("/rendered", { path, id }, "POST");
  return { path, id, renderedAt, result };
}
