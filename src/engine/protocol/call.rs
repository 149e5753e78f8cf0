//! What a host asks of the engine.

use serde::Deserialize;

use crate::base::number;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};
use crate::entry::Part;
use crate::entry::key::Kind;
use crate::ledger::Profile;
use crate::route::lease_token::CarriedLease;
use crate::route::{AbandonReason, Lease};

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
