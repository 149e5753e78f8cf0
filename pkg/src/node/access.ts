// Where the Onegen Worker is, and what it lets this process in with: two variables of the environment.

/** The Onegen Worker's address, and a token of it. */
export interface Access {
  readonly url: string;
  readonly token: string;
}

const URL_EXPECTED = "the address of your Onegen Worker, such as https://onegen.example.workers.dev";
const TOKEN_EXPECTED = "a read-write token of this app, one of those in the Worker's ONEGEN_TOKENS";

/**
 * `ONEGEN_URL` and `ONEGEN_TOKEN`.
 *
 * @param advice what to do where one of them is missing or wrong
 * @throws {Error} one sentence: which variable, what is wrong with it, what was expected, what to do. It never tells the token.
 */
export function accessFrom(environment: NodeJS.ProcessEnv, advice: string): Access {
  const checked = (name: string, expected: string, faultOf: (value: string) => string | undefined): string => {
    const value = environment[name];
    const fault = value ? faultOf(value) : "";
    if (value && fault === undefined) return value;
    throw new Error(`environment variable ${name} is ${fault ? `not usable: ${fault}` : "missing"}: expected ${expected}; ${advice}`);
  };
  return { url: checked("ONEGEN_URL", URL_EXPECTED, faultOfAddress), token: checked("ONEGEN_TOKEN", TOKEN_EXPECTED, faultOfToken) };
}

/** Why a text is no address of a server, or undefined. Credentials in it are not told. */
function faultOfAddress(value: string): string | undefined {
  const shown = JSON.stringify(value.replace(/^.*@/s, "…@").slice(0, 100));
  if (!/^https?:\/\//i.test(value)) return `${shown} does not begin with https:// or http://`;
  return URL.canParse(value) ? undefined : `${shown} is no address`;
}

/** Why a text is no token, or undefined: a header takes visible ASCII only (RFC 9110, section 5.5). */
function faultOfToken(value: string): string | undefined {
  if (/^[\x21-\x7e]+$/.test(value)) return undefined;
  return "it holds a blank, a line end, or another character that a header does not take";
}
