// What a read comes to, as a host tells it.
import type { Kind, Lease, ReadEntry, ReadMiss } from "../engine/protocol.js";

/** What was true of one reading alone. */
type OfOneReading = "touch" | "lowered" | "memory" | "ledger";

/** An entry that was read. */
export type EntryRead = Readonly<Omit<ReadEntry, OfOneReading> & Partial<Pick<ReadEntry, OfOneReading>>>;

/** Why there is none to serve. */
export type MissRead = Pick<ReadMiss, "reason" | "renewed"> & { readonly lease?: Lease | undefined } & Partial<ReadMiss>;

/** An entry with its bytes, or a miss. `again`: the same entry is handed out again, to whoever asks while it is in memory. */
export type Reading =
  | { readonly entry: EntryRead; readonly body: Uint8Array; readonly again?: boolean; readonly miss?: undefined }
  | { readonly miss: MissRead; readonly entry?: undefined; readonly body?: undefined; readonly again?: undefined };

/** What a response is made of. */
export interface Served {
  readonly entry?: EntryRead | undefined;
  readonly miss?: MissRead | undefined;
  /** Whether another request of this isolate rendered it. */
  readonly collapsed?: boolean;
  /** Under which key of Next.js the entry was read, and of which kind it is. */
  readonly kind?: Kind;
  readonly key?: string;
}
