const TOKEN = /[()]|[^\s()/]+|\//g;

/**
 * Whether an SPDX expression can be met by allowed licences alone. `MIT/Apache-2.0`, as old crates write it, is a choice too.
 *
 * @param {string | undefined | null} expression @param {Set<string>} allowed
 */
export function isAllowed(expression, allowed) {
  const tokens = (expression ?? "").match(TOKEN) ?? [];
  let at = 0;
  const holds = either();
  return holds && at === tokens.length;

  function either() {
    let met = both();
    while (tokens[at] === "OR" || tokens[at] === "/") {
      at += 1;
      met = both() || met;
    }
    return met;
  }

  function both() {
    let met = one();
    while (tokens[at] === "AND") {
      at += 1;
      met = one() && met;
    }
    return met;
  }

  function one() {
    const token = tokens[at];
    at += 1;
    if (token !== "(") {
      if (tokens[at] === "WITH") at += 2;
      return allowed.has(token);
    }
    const met = either();
    at += 1;
    return met;
  }
}
