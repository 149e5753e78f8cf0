// Names and kinds of options, checked where JavaScript hands them over. Whether a value makes sense is for the core to say.

const show = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** A number of something, from 0 on. */
export const count = (what, otherwise) => ({
  holds: (value) => Number.isSafeInteger(value) && value >= 0,
  expected: `a whole number of ${what}; leave it out for ${otherwise}`,
});

/** A text. */
export const text = (otherwise) => ({
  holds: (value) => typeof value === "string",
  expected: `a text; leave it out for ${otherwise}`,
});

/** Yes or no. */
export const flag = (otherwise) => ({
  holds: (value) => typeof value === "boolean",
  expected: `true or false; leave it out for ${otherwise}`,
});

/**
 * The options that were given, if each is known and of its kind.
 *
 * @param {unknown} options
 * @param {Record<string, { holds: (value: unknown) => boolean, expected: string }>} kinds
 * @throws {Error} one sentence: which one, what was expected, what to do
 */
export function checkedOptions(options, kinds) {
  const names = Object.keys(kinds).join(", ");
  if (typeof options !== "object" || options === null) {
    throw new Error(`options are ${show(options)}: expected an object with some of ${names}; leave it out for the defaults`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(kinds, name)) {
      throw new Error(`option \`${name}\` is unknown: expected one of ${names}; correct its name or leave it out`);
    }
    const { holds, expected } = kinds[name];
    if (!holds(value)) throw new Error(`option \`${name}\` is ${show(value)}: expected ${expected}`);
  }
  return Object.fromEntries(given);
}
