//! What happens to a route, what its callers are told, and what is to be done.

use serde::{Deserialize, Serialize};

use crate::base::number;
use crate::base::position::Position;
use crate::base::time::Span;

/// The right to produce one generation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing token: the generation that this lease may publish.
    #[serde(deserialize_with = "number::whole")]
    pub generation: u64,
    /// A random name that the caller gave; whoever knows it holds the lease.
    pub holder: String,
    /// Where the caller's copy of the ledger stood.
    pub position: Position,
}

/// Why a caller asks for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It has an entry to serve meanwhile.
    Refresh,
    /// It has nothing to serve.
    Fill,
}

/// Why a lease ends without a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonReason {
    /// The render failed.
    Failed,
    /// The render ended well, but its result is not to be stored.
    NotStored,
    /// Nothing was rendered: it turned out that the caller answers with something else.
    Unused,
}

/// Why a caller is told to serve what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// Somebody is rendering.
    Rendering,
    /// The last renders failed.
    BackingOff,
    /// The last renders ended without a store.
    NotStored,
}

impl HoldReason {
    /// A stable word for logs, headers and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rendering => "rendering",
            Self::BackingOff => "backing-off",
            Self::NotStored => "not-stored",
        }
    }
}

/// What happens to a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody found the route's entry stale or missing.
    Acquire {
        /// The newest generation the caller knows; `None` when it has none.
        have: Option<u64>,
        /// A random name, new for every question; the same again only to repeat one whose answer was lost.
        holder: String,
        /// Where the caller's copy of the ledger stands.
        position: Position,
        /// Whether the caller has something to serve.
        need: Need,
    },
    /// A render is done and its bytes are here.
    Publish {
        /// Generation and holder of the lease it was made under.
        lease: Option<(u64, String)>,
        /// Where the ledger stood when the render began.
        position: Position,
        /// Whether this is a page from the build: it loses to anything.
        seed: bool,
        /// How long the render took, by the publisher's clock.
        render_time: Span,
        /// How many bytes there are.
        bytes: u64,
    },
    /// A leader gives its lease back.
    Abandon {
        /// The lease's generation.
        generation: u64,
        /// The lease's holder.
        holder: String,
        /// Why.
        reason: AbandonReason,
    },
    /// A reader found the KV key past half of its lifetime.
    Touch,
    /// A put that was asked for has ended.
    PutEnded {
        /// The generation that was put.
        generation: u64,
        /// Whether KV confirmed it.
        confirmed: bool,
    },
    /// The bytes of a generation could not be found any more.
    BytesLost {
        /// The generation.
        generation: u64,
    },
    /// The object was started anew over its stored state.
    Restarted,
    /// The alarm rang.
    Alarm,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Something newer than the caller has is published.
    Newer {
        /// Its generation.
        generation: u64,
    },
    /// The caller renders.
    Granted {
        /// The lease.
        lease: Lease,
        /// How long it lasts from now.
        remaining: Span,
    },
    /// The caller serves what it has, or waits.
    Hold {
        /// How long not to ask again.
        hold: Span,
        /// After how long a waiter should be looked at again at the latest.
        recheck: Span,
        /// Why.
        reason: HoldReason,
    },
    /// The caller renders for itself; nobody waits.
    Uncacheable {
        /// For how long this holds.
        hold: Span,
        /// Why.
        reason: HoldReason,
    },
    /// The publication is the latest now.
    Accepted {
        /// Its generation.
        generation: u64,
    },
    /// The publication came too late.
    Fenced {
        /// The generation that won, if one is published yet.
        latest: Option<u64>,
    },
    /// Nothing to say.
    Done,
}

/// What is to be done once the state is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Keep the bytes that came with the publication as those of this generation, and no others.
    KeepBytes {
        /// The generation.
        generation: u64,
    },
    /// Forget the bytes: KV has them.
    DropBytes,
    /// Let every waiter ask again.
    Wake,
    /// Put the latest into KV.
    Put {
        /// Its generation.
        generation: u64,
    },
    /// Forget everything: nobody has asked for this route in a whole key lifetime.
    DeleteAll,
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// What the caller is told.
    pub answer: Answer,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

impl Answer {
    pub(super) const fn alone(self) -> Outcome {
        Outcome { answer: self, effects: Vec::new() }
    }
}
