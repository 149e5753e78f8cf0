//! What the engine answers: a step to go on with, or the result of a call.

use serde::Serialize;

use super::effect::Effect;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};
use crate::entry::Part;
use crate::ledger::Invalidation;
use crate::route::Lease;

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
