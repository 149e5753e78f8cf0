/**
 * Scenes whose longer form takes more time than CI has: `make evidence LONG=1 ONLY=…` plays that form and leaves its line in a file,
 * to be committed. It is stale as soon as what it was about has changed.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

export class LongForms {
  #folder;
  #root;

  /** @param {{ folder?: string, root?: string }} [places] where results are kept, and the repository that inputs are in */
  constructor({ root = repository, folder = path.join(root, "tests/evidence/long-forms") } = {}) {
    this.#folder = folder;
    this.#root = root;
  }

  /** Throws when the result could not be told to be one of a commit. @param {import("./scenes.mjs").Scene[]} scenes */
  mustBeCommitted(scenes) {
    const inputs = [...new Set(scenes.flatMap(({ long }) => long.inputs))];
    const changed = this.#git("status", "--porcelain", "--", ...inputs);
    if (changed !== "") throw new Error(`A long form is played of what is committed, but these files are changed: commit them first.\n${changed}`);
  }

  /** @param {import("./scenes.mjs").Scene} scene */
  keep({ name, long }, line) {
    mkdirSync(this.#folder, { recursive: true });
    const result = { line, commit: this.#git("rev-parse", "--short", "HEAD"), date: new Date().toISOString().slice(0, 10), inputs: this.#hash(long.inputs) };
    writeFileSync(this.#file(name), `${JSON.stringify(result, null, 2)}\n`);
  }

  /** One line about the long form of a scene. @param {import("./scenes.mjs").Scene} scene */
  tell({ name, long }) {
    const inputs = this.#hash(long.inputs);
    const result = this.#read(name);
    const again = `run \`make evidence LONG=1 ONLY=${name}\` and commit its result`;
    if (result === undefined) return `long form of ${name}: never played; ${again}`;
    const when = `commit ${result.commit} of ${result.date}`;
    if (result.inputs !== inputs) return `long form of ${name}: stale, ${long.inputs.join(", ")} changed since ${when}; ${again}`;
    return `long form of ${name}, ${when}: ${result.line}`;
  }

  #read(name) {
    try {
      return JSON.parse(readFileSync(this.#file(name), "utf8"));
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  #file(name) {
    return path.join(this.#folder, `${name}.json`);
  }

  /** Of what is committed below these paths. */
  #hash(inputs) {
    const listings = inputs.map((input) => {
      const listing = this.#git("ls-tree", "-r", "HEAD", "--", input);
      if (listing === "") throw new Error(`A long form has the input ${input}, and nothing is committed there: name the folder that it became.`);
      return listing;
    });
    return createHash("sha256").update(listings.join("\n")).digest("hex");
  }

  #git(...args) {
    return execFileSync("git", args, { cwd: this.#root, encoding: "utf8", maxBuffer: 1 << 26 }).trim();
  }
}
