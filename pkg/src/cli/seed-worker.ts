// `onegen seed` for `next start`: what a build rendered goes to the Onegen Worker, before any process has been asked for it.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../base/errors.js";
import { Engine } from "../engine/node.js";
import { Build } from "../node/build.js";
import { Https } from "../stores/https.js";
import { Unanswered } from "../stores/unanswered.js";

const AT_ONCE = 8;
const PUBLISH_LIMIT_MS = 30_000;

/** Which Worker the pages go to, for which app. */
export interface SeedOptions {
  readonly url: string;
  readonly token: string;
  readonly app?: string | undefined;
  readonly onProgress?: (done: number, all: number) => void;
}

/** What to do about a refusal that another attempt would get again. */
const ADVICE = new Map<unknown, string>([
  ["foreign-key", "give the app that the token is for by --app, or set ONEGEN_TOKEN to a token of this app"],
  ["unknown-token", "set ONEGEN_TOKEN to a token of the Worker's ONEGEN_TOKENS"],
  ["read-only-token", "set ONEGEN_TOKEN to a read-write token of this app"],
]);

/** What became of the pages: `present` were there already. */
export interface SeedResult {
  uploaded: number;
  present: number;
  /** Why an interrupted run would begin anew, if it would. */
  record?: string | undefined;
  readonly skipped: { key: string; reason: string }[];
}

/**
 * Uploads the pages of a build. A coordinator takes one only while it has nothing itself, so nothing newer is ever replaced; what
 * an interrupted run has uploaded is not uploaded again.
 *
 * @param dist the build's folder, `.next`
 */
export async function seedWorker(dist: string, { url, token, app = "app", onProgress = () => {} }: SeedOptions): Promise<SeedResult> {
  const build = new Build(join(dist, "server"));
  const engine = new Engine({ app }, build.id, "unused");
  const headerBytes = (stored: Uint8Array) => engine.headerBytes(stored);
  const api = new Https({ url, token, headerBytes, readSeed: async () => undefined });
  const record = new Record(join(dist, "onegen-seeded.json"), `${new URL(url).origin} ${app} ${build.id}`);
  await record.load();
  const { paths } = build;
  const result: SeedResult = { uploaded: 0, present: 0, skipped: [] };
  const upload = async (path: string) => {
    const key = await build.keyOf(path);
    if (record.has(key)) {
      result.present += 1;
      return;
    }
    const frame = await build.seed(key);
    if (frame === undefined) {
      result.skipped.push({ key, reason: "the build left no file that could be read for it" });
      return;
    }
    const length = headerBytes(frame);
    const message = { lease: undefined, seed: true, render_ms: 0 };
    const name = engine.entryKey("response", key);
    const answer = await api.publish(name, message, frame.subarray(0, length), frame.subarray(length), PUBLISH_LIMIT_MS);
    result[answer.accepted ? "uploaded" : "present"] += 1;
    await record.add(key);
  };
  let done = 0;
  const queue = [...paths];
  const work = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      await upload(path);
      onProgress((done += 1), paths.length);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) {
    const { reason } = failure as { reason: unknown };
    const advice = reason instanceof Unanswered ? ADVICE.get(reason.cause) : undefined;
    const goesOn = record.fault ? "run it again" : "run it again, it goes on from there";
    throw new Error(
      `after ${done} of ${paths.length} entries the Onegen Worker at ${new URL(url).origin} ${messageOf(reason)}: ${advice ?? goesOn}`,
    );
  }
  await record.remove();
  result.record = record.fault;
  return result;
}

/** What an interrupted run has uploaded, for one Worker, app and build. */
class Record {
  readonly #file: string;
  readonly #target: string;
  #keys = new Set<string>();
  #writing = Promise.resolve();
  /** Why what an interrupted run has uploaded is uploaded again, if it is. */
  fault: string | undefined;

  constructor(file: string, target: string) {
    this.#file = file;
    this.#target = target;
  }

  async load(): Promise<void> {
    try {
      const { target, keys } = JSON.parse(await readFile(this.#file, "utf8")) as { target: string; keys: string[] };
      if (target === this.#target) this.#keys = new Set(keys);
    } catch {
      // There is none, or an unreadable one: everything is uploaded again, which changes nothing.
    }
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** A record that cannot be written costs an interrupted run its beginning, and nothing else. */
  add(key: string): Promise<void> {
    this.#keys.add(key);
    this.#writing = this.#writing.then(() => this.#write()).catch((error: unknown) => this.#failed(error));
    return this.#writing;
  }

  async remove(): Promise<void> {
    if (this.fault === undefined) await rm(this.#file, { force: true }).catch((error: unknown) => this.#failed(error));
  }

  async #write(): Promise<void> {
    if (this.fault !== undefined) return;
    await writeFile(this.#file, JSON.stringify({ target: this.#target, keys: [...this.#keys] }));
  }

  #failed(error: unknown): void {
    this.fault ??= `${this.#file} could not be written (${messageOf(error)}): a run that is interrupted begins anew`;
  }
}
