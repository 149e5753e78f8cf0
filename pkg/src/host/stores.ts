import type {
  Abandon,
  Acquire,
  Acquired,
  Append,
  Check,
  Invalidation,
  Publish,
  Published,
  Since,
  SinceQuestion,
} from "../engine/protocol.js";

/** The answer to an acquisition. Header and body come with `newer`. */
export interface AcquireAnswer {
  readonly answer: Acquired;
  /** Whether it was held back while somebody else rendered. */
  readonly waited?: boolean;
  readonly header?: Uint8Array;
  readonly body?: Uint8Array;
}

/** What a ledger answers a host: beside the rows, the id of the namespace that its Worker sees. */
export interface SinceAnswer extends Since {
  readonly namespace?: string;
}

/** Performs reads, messages and regenerations. `limitMs` is how long a message that was lost may be sent again. */
export interface Stores {
  /** Whether these say what is down themselves: a host need not say what follows from it. */
  readonly tellsCauses?: boolean;
  read(key: string): Promise<ArrayBuffer | Uint8Array | null>;
  /** What the build left under a key of Next.js. */
  seed(key: string): Promise<Uint8Array | undefined>;
  acquire(object: string, message: Acquire, limitMs: number): Promise<AcquireAnswer>;
  publish(object: string, message: Publish, header: Uint8Array, body: Uint8Array, limitMs: number): Promise<Published>;
  abandon(object: string, message: Abandon, limitMs: number): Promise<void>;
  touch(object: string): Promise<void>;
  since(message: SinceQuestion, limitMs: number): Promise<Since>;
  append(message: Append, limitMs: number): Promise<Since>;
  check(message: Check, limitMs: number): Promise<Invalidation>;
  /** Whether the coordinators write where this reads; undefined while nobody can tell. */
  sharesNamespace(): Promise<boolean | undefined>;
  /** Hears of what failed. */
  failed?(what: string, error: unknown): void;
}
