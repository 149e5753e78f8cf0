// The language between the engine and its host, after the crate's `engine/protocol` and `wire` modules: calls, steps, effects, replies
// and results, and the messages between an isolate and the objects.

/** One of several objects, told apart by the one field that it has: how the crate writes an enum whose variants have fields. */
type OneOf<Variants> = {
  [Name in keyof Variants]: { [Field in Name]: Variants[Name] } & { [Field in Exclude<keyof Variants, Name>]?: undefined };
}[keyof Variants];

// --- what both ends speak of ----------------------------------------------------------------------------------------------

/** What an entry is. */
export type Kind = "response" | "data" | "use_cache";

/** Who asks for an entry: who renders on a miss, a layer that passes a miss on, or a renderer that regenerates by itself. */
export type Caller = "renderer" | "bystander" | "regenerator";

/** Where a copy of the ledger stands. */
export interface Position {
  readonly epoch: number;
  readonly number: number;
}

/** What the ledger says of tags. */
export type Invalidation = "none" | "soft" | "hard";

/** Durations of an invalidation: without a number entries may be served for ever meanwhile. */
export interface Profile {
  readonly expire_ms?: number | undefined;
}

/** The right to render an entry. */
export interface Lease {
  readonly generation: number;
  readonly holder: string;
  readonly position: Position;
}

/** A lease that a request carries to the renderer. */
export interface CarriedLease {
  readonly lease: Lease;
  readonly entry_key: string;
  /** The `expire` of the entry being replaced, in seconds. */
  readonly expire?: number | undefined;
}

/** Why a lease ends without a publication. */
export type AbandonReason = "failed" | "not_stored" | "unused";

/** A run of an entry's bytes. */
export interface Part {
  readonly name: string;
  readonly bytes: number;
}

// --- messages -----------------------------------------------------------------------------------------------------------------

/** A lease named by who holds it. */
export interface LeaseName {
  readonly generation: number;
  readonly holder: string;
}

/** "May I render this route?" */
export interface Acquire {
  readonly have?: number | undefined;
  readonly holder: string;
  readonly position: Position;
  readonly need: "refresh" | "fill";
  /** How long the answer may be held back while another request renders. */
  readonly wait_ms: number;
}

export type HoldReason = "rendering" | "backing-off" | "not-stored";

/** The answer to {@link Acquire}. `newer` comes with header and body. */
export type Acquired = OneOf<{
  newer: { readonly generation: number };
  granted: { readonly lease: Lease; readonly remaining_ms: number };
  hold: { readonly ms: number; readonly recheck_ms: number; readonly reason: HoldReason };
  uncacheable: { readonly ms: number; readonly reason: HoldReason };
}>;

/** "Here is a render." Header and body travel beside it. */
export interface Publish {
  readonly lease?: LeaseName | undefined;
  readonly seed: boolean;
  readonly render_ms: number;
}

/** The answer to {@link Publish}. */
export type Published = OneOf<{
  accepted: { readonly generation: number; readonly key_life_seconds?: number | undefined };
  fenced: { readonly latest?: number | undefined };
}>;

/** "I shall not publish." */
export interface Abandon {
  readonly lease: LeaseName;
  readonly reason: AbandonReason;
}

/** "What have I missed?" */
export interface SinceQuestion {
  readonly position: Position;
}

/** The latest invalidations of a tag. */
export interface Row {
  readonly tag: string;
  readonly hard: number;
  readonly soft: number;
  readonly soft_ends_in_ms?: number | undefined;
}

/** The answer to {@link SinceQuestion} and {@link Append}. */
export interface Since {
  readonly from: number;
  readonly head: Position;
  readonly floor: number;
  readonly rows: readonly Row[];
  /** How long to wait before asking again, if the ledger is busy. */
  readonly window_ms: number;
}

/** "These tags are invalidated." Without a profile entries end at once. */
export interface Append {
  readonly position: Position;
  readonly tags: readonly string[];
  readonly profile?: Profile | undefined;
}

/** "Was any of these tags invalidated after that position?" The answer is an {@link Invalidation}. */
export interface Check {
  readonly position: Position;
  readonly tags: readonly string[];
}

// --- calls ----------------------------------------------------------------------------------------------------------------------

/** What the host knows of the request in progress. */
export interface CallContext {
  readonly position?: Position | undefined;
  readonly carried?: CarriedLease | undefined;
  readonly prefetch: boolean;
  readonly on_demand: boolean;
  readonly waited_ms: number;
  readonly absent: boolean;
  readonly nested: boolean;
  readonly lowered?: Position | undefined;
}

export interface ReadCall {
  readonly kind: Kind;
  readonly key: string;
  readonly caller: Caller;
  readonly nonce: string;
  readonly context: CallContext;
  readonly seeded: boolean;
  readonly tags: readonly string[];
  readonly revalidate?: number | undefined;
}

export interface StoreCall {
  readonly kind: Kind;
  readonly key: string;
  readonly shape: string;
  readonly parts: readonly Part[];
  readonly tags: readonly string[];
  readonly revalidate?: number | undefined;
  readonly expire?: number | undefined;
  readonly lease?: Lease | undefined;
  readonly context: CallContext;
  readonly started_at: number;
  readonly created_at?: number | undefined;
}

export interface RefreshCall {
  readonly kind: Kind;
  readonly key: string;
  readonly generation: number;
  readonly expire?: number | undefined;
  readonly nonce: string;
  readonly context: CallContext;
}

export interface ReleaseCall {
  readonly entry_key: string;
  readonly lease: Lease;
  readonly reason: AbandonReason;
}

export interface InvalidateCall {
  readonly tags: readonly string[];
  readonly profile?: Profile | undefined;
}

/** A call of the host's. */
export type Call = OneOf<{
  read: ReadCall;
  store: StoreCall;
  refresh: RefreshCall;
  release: ReleaseCall;
  invalidate: InvalidateCall;
  invalidated: Check;
  observe: { readonly at_least?: Position | undefined };
}>;

// --- effects and replies ------------------------------------------------------------------------------------------------------------

/** Read KV and ask the ledger, both at once where both are named. */
export interface LoadEffect {
  readonly kind: "load";
  readonly key?: string | undefined;
  readonly since?: Position | undefined;
}

/** Something for the host to do. It answers with a {@link Reply}. */
export type Effect =
  | LoadEffect
  | { readonly kind: "seed"; readonly key: string }
  | { readonly kind: "publish_seed"; readonly object: string; readonly message: Publish }
  | { readonly kind: "acquire"; readonly object: string; readonly message: Acquire }
  | { readonly kind: "publish"; readonly object: string; readonly message: Publish }
  | { readonly kind: "abandon"; readonly object: string; readonly message: Abandon }
  | { readonly kind: "regenerate"; readonly token?: string | undefined }
  | { readonly kind: "append"; readonly message: Append }
  | { readonly kind: "check"; readonly message: Check }
  | { readonly kind: "pause"; readonly ms: number };

/** A value without its body. Its header crosses beside the reply. */
export interface Bytes {
  /** Length of header and body. */
  readonly total: number;
}

/** What a store holds under a key. */
export type Stored = "absent" | "unreadable" | { readonly found: Bytes };

/** What became of the effect `load`. */
export interface Loaded {
  /** What KV said; absent when it was not asked. */
  readonly kv?: Stored | undefined;
  /** What the ledger said; absent when it was not asked or did not answer. */
  readonly since?: Since | undefined;
}

/** What became of an {@link Effect}. */
export type Reply =
  | "done"
  | "failed"
  | OneOf<{
      loaded: Loaded;
      seeded: { readonly seed?: Bytes | undefined };
      acquired: { readonly answer: Acquired; readonly bytes?: Bytes; readonly waited?: boolean };
      published: { readonly answer: Published };
      regenerated: { readonly status: number };
      appended: { readonly since: Since };
      checked: { readonly invalidation: Invalidation };
    }>;

// --- steps and results ------------------------------------------------------------------------------------------------------------

/** Where the bytes of a read come from. */
export type Source = "memory" | "kv" | "coordinator" | "seed";

/** What the host does with the bytes it keeps for the memory tier. */
export interface MemoryOrder {
  /** Keep this read's bytes in this slot. */
  readonly keep?: number | undefined;
  /** Forget these slots. */
  readonly forget: readonly number[];
}

/** An entry to serve. */
export interface ReadEntry {
  readonly result: "entry";
  readonly stale: boolean;
  /** Whether this regenerator, and no other, makes it anew. */
  readonly regenerate: boolean;
  readonly lease?: Lease | undefined;
  readonly reason: string;
  readonly source: Source;
  readonly slot?: number | undefined;
  readonly memory: MemoryOrder;
  /** Whether it is another request's render, waited for. */
  readonly collapsed: boolean;
  readonly generation: number;
  readonly position: Position;
  readonly created_at: number;
  readonly revalidate?: number | undefined;
  readonly expire?: number | undefined;
  readonly tags: readonly string[];
  readonly shape: string;
  readonly header_bytes: number;
  readonly parts: readonly Part[];
  /** Whether its KV key is past half of its life. */
  readonly touch: boolean;
  /** Whether nobody may keep it for longer than a second. */
  readonly brief: boolean;
  readonly ledger: Position;
  /** Its position, if it is served in spite of an invalidation and nobody here makes it anew. */
  readonly lowered?: Position | undefined;
}

/** Nothing to serve. */
export interface ReadMiss {
  readonly result: "miss";
  readonly reason: string;
  readonly lease?: Lease | undefined;
  /** Whether an entry was there that must not be served. */
  readonly renewed: boolean;
  /** Whether KV has nothing under the key. */
  readonly absent: boolean;
  readonly expire?: number | undefined;
  readonly memory: MemoryOrder;
  /** Where the ledger copy stands; unknown after a panic. */
  readonly ledger?: Position | undefined;
}

/** The result of every call but a read. */
export interface Ended {
  readonly result: "ended";
  readonly reason: string;
  readonly generation?: number | undefined;
  readonly invalidation?: Invalidation | undefined;
  readonly position: Position;
  readonly memory: MemoryOrder;
}

/** The result of a call; of any call it may be a miss, after a panic. */
export type Outcome = ReadEntry | ReadMiss | Ended;

/** Perform the effect, then resume the machine with the reply. */
export interface PerformStep {
  readonly step: "perform";
  readonly machine: number;
  readonly effect: Effect;
  readonly deadline_ms: number;
  /** The entry's header, beside the effect `publish`. */
  readonly header?: Uint8Array | undefined;
}

/** Nothing is left to do: this is the result. */
export type DoneStep = { readonly step: "done" } & Outcome;

/** What to do next. */
export type Step = PerformStep | DoneStep;

/** What the engine holds. */
export interface EngineStats {
  readonly memoryBytes: number;
  readonly machines: number;
  readonly corruptValues: number;
  readonly wasmBytes: number;
}

/** The header of an entry, by the names that are stored. */
export interface EntryHeader {
  readonly g: number;
  readonly c: number;
  readonly r?: number | undefined;
  readonly e?: number | undefined;
  readonly t: readonly string[];
  readonly s: string;
  readonly b: readonly Part[];
}
