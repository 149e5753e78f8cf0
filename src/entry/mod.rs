//! What is known about a cached value without looking at its bytes.

pub mod frame;
pub mod freshness;
pub mod headers;
pub mod key;

use serde::{Deserialize, Serialize};

use crate::base::number;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};

/// One named run of body bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What the bytes are to the host, for example `html` or `rsc`.
    pub name: String,
    /// How many bytes.
    pub bytes: u32,
}

/// How long the KV key of an entry lives, as its coordinator wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLife {
    /// When it was put, by the coordinator's clock.
    #[serde(rename = "a")]
    pub put_at: Millis,
    /// For so many seconds.
    #[serde(rename = "s", deserialize_with = "number::whole")]
    pub seconds: u64,
}

impl KeyLife {
    /// Whether a reader should have it prolonged.
    #[must_use]
    pub const fn is_past_half(self, now: Millis) -> bool {
        now.since(self.put_at).times(2).0 > Span::seconds(self.seconds).0
    }
}

/// The metadata of one entry, stored in front of its bytes.
///
/// Fields may be added with a default; a field is never renamed, and never given another meaning: entries outlive
/// the code that wrote them. A change that old code would misread raises [`crate::entry::frame::VERSION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number under which the coordinator accepted it; 0 for a seed and for an entry not yet accepted.
    #[serde(rename = "g", deserialize_with = "number::whole")]
    pub generation: u64,
    /// Where the ledger stood when the render began.
    #[serde(rename = "p", default)]
    pub position: Position,
    /// When the value was made, by the clock of the isolate that made it.
    #[serde(rename = "c")]
    pub created_at: Millis,
    /// Fresh for so many seconds; `None` means until invalidated (`revalidate: false`).
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub revalidate: Option<u32>,
    /// Usable for so many seconds; `None` means without limit.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<u32>,
    /// The tags whose invalidation ends this entry.
    #[serde(rename = "t", default)]
    pub tags: Vec<String>,
    /// The shape of the value as its host names it (OpenNext: `app`, `page`, `route`, `redirect`, `fetch`).
    #[serde(rename = "s")]
    pub shape: String,
    /// The runs of body bytes, in order.
    #[serde(rename = "b")]
    pub parts: Vec<Part>,
    /// How long its KV key lives; `None` before a coordinator has accepted it.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key_life: Option<KeyLife>,
}

impl Entry {
    /// How old the value is.
    #[must_use]
    pub const fn age(&self, now: Millis) -> Span {
        now.since(self.created_at)
    }

    /// How long it stays fresh from now on; `None` without limit.
    #[must_use]
    pub fn fresh_for(&self, now: Millis) -> Option<Span> {
        self.revalidate.map(|seconds| Span::seconds(seconds.into()).less(self.age(now)))
    }

    /// How long it stays usable from now on; `None` without limit.
    #[must_use]
    pub fn usable_for(&self, now: Millis) -> Option<Span> {
        self.expire.map(|seconds| Span::seconds(seconds.into()).less(self.age(now)))
    }

    /// How many body bytes follow the metadata.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes.into()))
    }
}

#[cfg(test)]
pub(crate) fn example() -> Entry {
    Entry {
        generation: 1_795_000_000_000,
        position: Position { epoch: 9, number: 4 },
        created_at: Millis(1_795_000_000_000),
        revalidate: Some(60),
        expire: Some(3600),
        tags: vec!["_N_T_/blog/hello".to_owned(), "products".to_owned()],
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes: 20 }, Part { name: "rsc".to_owned(), bytes: 10 }],
        key_life: Some(KeyLife { put_at: Millis(1_795_000_000_500), seconds: 2_592_000 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_count_down_from_creation() {
        let entry = example();
        let later = entry.created_at.after(Span::seconds(45));
        assert_eq!(entry.fresh_for(later), Some(Span::seconds(15)));
        assert_eq!(entry.usable_for(later), Some(Span::seconds(3555)));
        assert_eq!(entry.fresh_for(later.after(Span::seconds(100))), Some(Span::ZERO));
    }

    #[test]
    fn an_entry_without_lifetime_has_no_limit() {
        let entry = Entry { revalidate: None, expire: None, ..example() };
        assert_eq!(entry.fresh_for(Millis(u64::MAX)), None);
        assert_eq!(entry.usable_for(Millis(u64::MAX)), None);
    }

    #[test]
    fn a_key_is_past_half_of_its_life_after_half_of_it() {
        let life = KeyLife { put_at: Millis(5_000), seconds: 60 };
        assert_eq!([0, 5_000, 35_000, 35_001].map(|now| life.is_past_half(Millis(now))), [false, false, false, true]);
    }
}
