//! What a host does for the engine, and what it says became of that.

use serde::{Deserialize, Serialize};

use crate::base::number;
use crate::base::position::Position;
use crate::base::time::Span;
use crate::ledger::{Invalidation, Since};
use crate::wire::{Abandon, Acquire, Acquired, Append, Check, Publish, Published};

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
