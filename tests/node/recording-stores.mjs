import { FakeStores } from "../workerd/fake-stores.mjs";

/** Stores that tell what they were asked, and grant or refuse leases. */
export class RecordingStores extends FakeStores {
  asked = [];
  grants = true;
  answers = true;

  async acquire(object, message) {
    this.asked.push(`acquire ${message.need}`);
    if (!this.grants) return { answer: { hold: { ms: 1000, recheck_ms: 1000, reason: "rendering" } } };
    return super.acquire(object, message);
  }

  async publish(object, message, header, body) {
    this.asked.push(message.lease ? "publish under a lease" : "publish");
    return super.publish(object, message, header, body);
  }

  async abandon(_object, { reason }) {
    this.asked.push(`abandon ${reason}`);
  }

  async append(message) {
    this.asked.push(`append ${message.tags}${message.profile ? ` ${JSON.stringify(message.profile)}` : ""}`);
    if (!this.answers) throw new Error("down");
    return this.since(message);
  }

  async seed() {
    return undefined;
  }

  took() {
    return this.asked.splice(0);
  }
}
