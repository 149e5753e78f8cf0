// Names and kinds of options, checked where JavaScript hands them over. Whether a value makes sense is for the core to say.

/** Which values an option takes, and what is said of others. */
export interface OptionKind<Value> {
  readonly holds: (value: unknown) => value is Value;
  readonly expected: string;
}

type OptionKinds<Options> = { [Name in keyof Options]-?: OptionKind<Exclude<Options[Name], undefined>> };

const show = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** A number of something, from 0 on. */
export const count = (what: string, otherwise: string): OptionKind<number> => ({
  holds: (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
  expected: `a whole number of ${what}; leave it out for ${otherwise}`,
});

/** A text. */
export const text = (otherwise: string): OptionKind<string> => ({
  holds: (value): value is string => typeof value === "string",
  expected: `a text; leave it out for ${otherwise}`,
});

/** Yes or no. */
export const flag = (otherwise: string): OptionKind<boolean> => ({
  holds: (value): value is boolean => typeof value === "boolean",
  expected: `true or false; leave it out for ${otherwise}`,
});

/**
 * The options that were given, if each is known and of its kind.
 *
 * @throws {Error} one sentence: which one, what was expected, what to do
 */
export function checkedOptions<Options extends object>(options: unknown, kinds: OptionKinds<Options>): Options {
  const names = Object.keys(kinds).join(", ");
  if (typeof options !== "object" || options === null) {
    throw new Error(`options are ${show(options)}: expected an object with some of ${names}; leave it out for the defaults`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(kinds, name)) {
      throw new Error(`option \`${name}\` is unknown: expected one of ${names}; correct its name or leave it out`);
    }
    const { holds, expected } = kinds[name as keyof Options];
    if (!holds(value)) throw new Error(`option \`${name}\` is ${show(value)}: expected ${expected}`);
  }
  return Object.fromEntries(given) as Options;
}
