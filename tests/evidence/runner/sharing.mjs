/** What several scenes use: a world, or what was measured in one. It is begun when it is first asked for. */
export class Sharing {
  /** @type {Map<string, Promise<unknown>>} */
  #begun = new Map();

  /** @template T @param {string} name @param {() => Promise<T>} begin @returns {Promise<T>} */
  share = (name, begin) => {
    if (!this.#begun.has(name)) {
      const begun = begin();
      // The next that asks tries again.
      begun.catch(() => this.#begun.delete(name));
      this.#begun.set(name, begun);
    }
    return this.#begun.get(name);
  };

  async [Symbol.asyncDispose]() {
    const all = await Promise.allSettled(this.#begun.values());
    await Promise.allSettled(all.map(({ value }) => value?.[Symbol.asyncDispose]?.()));
  }
}
