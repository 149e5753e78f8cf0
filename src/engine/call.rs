//! The language between the engine and its host: calls, effects, replies and results.

use serde::{Deserialize, Serialize};

use crate::entry::Part;
use crate::key::Kind;
use crate::lease::{AbandonReason, Lease};
use crate::lease_token::CarriedLease;
use crate::ledger::{Profile, Since};
use crate::number;
use crate::position::Position;
use crate::tags::Invalidation;
use crate::time::{Millis, Span};
use crate::wire::{Abandon, Acquire, Acquired, Append, Check, Publish, Published};

/// What the host knows of the request in progress. Without one, every field has a conservative default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RequestContext {
    /// Where the ledger copy stood when the request began.
    pub position: Option<Position>,
    /// The lease that the request carries: somebody else holds it, this request renders.
    pub carried: Option<CarriedLease>,
    /// Whether it only prefetches: it will not store a regeneration.
    #[serde(default)]
    pub prefetch: bool,
    /// Whether it regenerates on demand, outside any lease.
    #[serde(default)]
    pub on_demand: bool,
    /// How long it has already waited for renders of others.
    #[serde(default)]
    pub waited_ms: Span,
    /// Whether it has just found this entry absent from KV.
    #[serde(default)]
    pub absent: bool,
    /// Whether what it reads becomes part of a page that is stored.
    #[serde(default)]
    pub nested: bool,
    /// The position of the oldest part that it was given in spite of an invalidation: what it stores is no younger.
    pub lowered: Option<Position>,
}

/// Who asks for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// Whoever renders on a miss: it may hold the lease.
    Renderer,
    /// A layer that passes a miss on: it must never hold the lease that the renderer behind it will ask for.
    Bystander,
    /// A renderer that also regenerates, by itself and after it has answered, what it is told is stale: Next.js without
    /// `OpenNext`. It is told so only when it is to do it.
    Regenerator,
}

/// What is read, by whom, and how it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadCall {
    /// What is read.
    pub kind: Kind,
    /// Next.js's key.
    pub key: String,
    /// By whom.
    pub caller: Caller,
    /// A random name, should a lease be asked for.
    pub nonce: String,
    /// The request.
    #[serde(default)]
    pub context: RequestContext,
    /// Whether the build may have left a seed of it.
    #[serde(default)]
    pub seeded: bool,
    /// Tags beside the entry's own that end it for this caller (Next.js's `tags` and `softTags` of fetched data).
    #[serde(default)]
    pub tags: Vec<String>,
    /// Fresh for so many seconds, for this caller; by default as long as the entry says.
    pub revalidate: Option<u32>,
}

/// A call of the host's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Read an entry.
    Read(ReadCall),
    /// Store a render.
    Store {
        /// What is stored.
        kind: Kind,
        /// Next.js's key.
        key: String,
        /// The shape of the value.
        shape: String,
        /// The runs of its bytes.
        parts: Vec<Part>,
        /// Its tags.
        #[serde(default)]
        tags: Vec<String>,
        /// Fresh for so many seconds; `None` means until invalidated.
        revalidate: Option<u32>,
        /// Usable for so many seconds; `None` means without limit.
        expire: Option<u32>,
        /// The lease granted to this request for this entry.
        lease: Option<Lease>,
        /// The request.
        #[serde(default)]
        context: RequestContext,
        /// When the render began.
        started_at: Millis,
        /// When the value was made, where Next.js counts its age from another moment than now.
        created_at: Option<Millis>,
    },
    /// Regenerate an entry that was served stale, if nobody else does.
    Refresh {
        /// What was served.
        kind: Kind,
        /// Next.js's key.
        key: String,
        /// Its generation.
        #[serde(deserialize_with = "number::whole")]
        generation: u64,
        /// Its `expire`.
        expire: Option<u32>,
        /// A random name for the lease.
        nonce: String,
        /// The request.
        #[serde(default)]
        context: RequestContext,
    },
    /// Give a lease back.
    Release {
        /// The entry key it was for.
        entry_key: String,
        /// The lease.
        lease: Lease,
        /// Why.
        reason: AbandonReason,
    },
    /// Invalidate tags.
    Invalidate {
        /// The tags.
        tags: Vec<String>,
        /// How; absent ends entries at once.
        profile: Option<Profile>,
    },
    /// Was any of these tags invalidated after that position?
    Invalidated {
        /// The tags.
        tags: Vec<String>,
        /// The position.
        position: Position,
    },
    /// Bring the ledger copy up to its window.
    Observe {
        /// The position it must reach.
        #[serde(default)]
        at_least: Position,
    },
}

/// Something for the host to do. It answers with a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Read KV and ask the ledger, both at once where both are named.
    Load {
        /// The KV key.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Where the ledger copy stands.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
    },
    /// Look for what the build left under this key.
    Seed {
        /// Next.js's key.
        key: String,
    },
    /// Put a seed before the coordinator, with its bytes.
    PublishSeed {
        /// The coordinator.
        object: String,
        /// The message.
        message: Publish,
    },
    /// Ask the coordinator for a lease.
    Acquire {
        /// The coordinator.
        object: String,
        /// The message.
        message: Acquire,
    },
    /// Publish the bytes of a `Store` under this header.
    Publish {
        /// The coordinator.
        object: String,
        /// The message.
        message: Publish,
        /// The entry's header. It crosses beside the rest.
        #[serde(skip)]
        header: Vec<u8>,
    },
    /// Give a lease back.
    Abandon {
        /// The coordinator.
        object: String,
        /// The message.
        message: Abandon,
    },
    /// Have the app render the page, with this lease; without one the render counts for this isolate alone.
    Regenerate {
        /// The signed lease.
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Record an invalidation.
    Append {
        /// The message.
        message: Append,
    },
    /// Ask about an entry older than the ledger copy reaches.
    Check {
        /// The message.
        message: Check,
    },
    /// Come back after so long.
    Pause {
        /// How long.
        ms: Span,
    },
}

/// What became of an [`Effect`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Load`.
    Loaded {
        /// What KV said; absent when it was not asked.
        kv: Option<Stored>,
        /// What the ledger said; absent when it was not asked or did not answer.
        since: Option<Since>,
    },
    /// To `Seed`.
    Seeded {
        /// The seed, if there is one.
        seed: Option<Bytes>,
    },
    /// To `Acquire`.
    Acquired {
        /// The answer.
        answer: Acquired,
        /// What came with `newer`.
        bytes: Option<Bytes>,
        /// Whether the answer was held back while somebody else rendered.
        #[serde(default)]
        waited: bool,
    },
    /// To `Publish` and `PublishSeed`.
    Published {
        /// The answer.
        answer: Published,
    },
    /// To `Regenerate`.
    Regenerated {
        /// The status of the app's answer.
        status: u16,
    },
    /// To `Append`.
    Appended {
        /// The answer.
        since: Since,
    },
    /// To `Check`.
    Checked {
        /// The answer.
        invalidation: Invalidation,
    },
    /// To `Abandon` and `Pause`.
    Done,
    /// To any of them: it did not happen, or nobody knows.
    Failed,
}

impl Reply {
    /// This reply with the header that belongs to it, where one does.
    #[must_use]
    pub fn with_header(mut self, header: Vec<u8>) -> Self {
        let bytes = match &mut self {
            Self::Loaded { kv: Some(Stored::Found(bytes)), .. }
            | Self::Seeded { seed: Some(bytes) }
            | Self::Acquired { bytes: Some(bytes), .. } => bytes,
            _ => return self,
        };
        bytes.header = header;
        self
    }
}

/// What a store holds under a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// Nothing.
    Absent,
    /// A value.
    Found(Bytes),
    /// It could not be read.
    Unreadable,
}

/// A value without its body: the header's bytes, and how long it is with the body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bytes {
    /// The first bytes, up to the end of the header at least. They cross beside the rest.
    #[serde(skip)]
    pub header: Vec<u8>,
    /// Length of header and body.
    #[serde(deserialize_with = "number::whole")]
    pub total: u64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Perform the effect, then resume the machine with the reply.
    Perform {
        /// The machine.
        machine: u32,
        /// The effect.
        effect: Effect,
        /// Give it up after so long and reply `failed`.
        deadline_ms: Span,
    },
    /// Nothing: this is the result.
    Done(Outcome),
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// Of `Read`: serve these bytes.
    Entry(Box<ReadEntry>),
    /// Of `Read`: render.
    Miss(ReadMiss),
    /// Of everything else.
    Ended {
        /// A stable word for logs and tests.
        reason: &'static str,
        /// The generation concerned.
        #[serde(skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
        /// Whether the tags asked about were invalidated.
        #[serde(skip_serializing_if = "Option::is_none")]
        invalidation: Option<Invalidation>,
        /// Where the ledger copy stands now.
        position: Position,
        /// Bytes to remember, and to forget.
        memory: MemoryOrder,
    },
}

/// Where the bytes of a read come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The isolate's memory.
    Memory,
    /// Workers KV.
    Kv,
    /// The coordinator.
    Coordinator,
    /// The build.
    Seed,
}

impl Source {
    /// A stable word for logs, headers and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Kv => "kv",
            Self::Coordinator => "coordinator",
            Self::Seed => "seed",
        }
    }
}

/// An entry to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadEntry {
    /// Whether it is stale: then a `Refresh` should follow, unless the caller is a regenerator.
    pub stale: bool,
    /// Whether this regenerator, and no other, makes it anew.
    pub regenerate: bool,
    /// The lease for that; without one the coordinator could not be asked, and the render counts here alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Why it may be served as it is: a verdict's word.
    pub reason: &'static str,
    /// Where its bytes are.
    pub source: Source,
    /// The slot of bytes in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// What memory does with the bytes.
    pub memory: MemoryOrder,
    /// Whether it is another request's render, waited for.
    pub collapsed: bool,
    /// Its generation.
    pub generation: u64,
    /// Where the ledger stood when its render began.
    pub position: Position,
    /// When it was made.
    pub created_at: Millis,
    /// Fresh for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revalidate: Option<u32>,
    /// Usable for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<u32>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its shape.
    pub shape: String,
    /// Where its bytes begin.
    pub header_bytes: u32,
    /// The runs of its bytes.
    pub parts: Vec<Part>,
    /// Whether its KV key is past half of its life.
    pub touch: bool,
    /// Whether nobody may keep it for longer than a second: the ledger could not be asked.
    pub brief: bool,
    /// Where the ledger copy stands.
    pub ledger: Position,
    /// Its position, if it is served in spite of an invalidation and nobody here makes it anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowered: Option<Position>,
}

/// Nothing to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadMiss {
    /// A stable word for logs, headers and tests.
    pub reason: &'static str,
    /// The lease under which to render; without one the render is stored only if nobody holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether an entry was there that must not be served.
    pub renewed: bool,
    /// Whether KV has nothing under the key.
    pub absent: bool,
    /// The `expire` of the entry that must not be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<u32>,
    /// Bytes to forget.
    pub memory: MemoryOrder,
    /// Where the ledger copy stands.
    pub ledger: Position,
}

/// What the host does with the bytes it keeps for the memory tier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MemoryOrder {
    /// Keep this read's bytes in this slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
    /// Forget these slots.
    pub forget: Vec<u32>,
}
