/** Lines of the log, each of which is written once. */
export class SayOnce {
  readonly #said: Set<string>;
  readonly #most: number;

  /** @param said what was said already @param most so many different lines say enough */
  constructor({ said = new Set<string>(), most = Infinity }: { said?: Set<string>; most?: number } = {}) {
    this.#said = said;
    this.#most = most;
  }

  warn(topic: string, message: string): void {
    if (this.#isNew(topic)) console.warn(`onegen: ${message}`);
  }

  error(topic: string, message: string): void {
    if (this.#isNew(topic)) console.error(`onegen: ${message}`);
  }

  #isNew(topic: string): boolean {
    if (this.#said.has(topic) || this.#said.size >= this.#most) return false;
    this.#said.add(topic);
    return true;
  }
}
