const MiB = 1024 * 1024;

/**
 * The body of `/file/<name>`, the same for the same name everywhere, so that a copy can be compared byte for byte.
 * What stands before the first dash chooses the kind; the rest only makes another file: `big`, `big-2`, …
 */
export function fileBody(name) {
  switch (name.split("-")[0]) {
    case "text":
      return { type: "text/plain; charset=utf-8", body: `This is ${name}: žluťoučký kůň, 日本語, 🐎\n` };
    case "bytes":
      return { type: "application/octet-stream", body: everyByte(16) };
    case "big":
      return { type: "application/octet-stream", body: noise(name, 10 * MiB) };
    case "huge":
      return { type: "application/octet-stream", body: noise(name, 26 * MiB) };
  }
}

function everyByte(times) {
  return Uint8Array.from({ length: 256 * times }, (_, i) => i % 256);
}

/** Pseudo-random bytes (xorshift32) from a seed that is the name's FNV-1a hash. */
function noise(name, length) {
  let state = 0x811c9dc5;
  for (const character of name) state = Math.imul(state ^ character.codePointAt(0), 0x01000193);
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
