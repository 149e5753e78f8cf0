//! An entry that a read may serve.

use super::protocol::{Bytes, Source};
use crate::base::position::Position;
use crate::entry::Entry;

#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) entry: Entry,
    pub(super) source: Source,
    pub(super) slot: Option<u32>,
    pub(super) header_bytes: u64,
    pub(super) known_until: Position,
    pub(super) unshared: bool,
}

impl Candidate {
    pub(super) fn of(entry: Entry, source: Source, bytes: &Bytes) -> Self {
        let header_bytes = bytes.total.saturating_sub(entry.body_bytes());
        let known_until = entry.position;
        Self { entry, source, slot: None, header_bytes, known_until, unshared: false }
    }
}

/// The generation that an isolate has. What nobody else has bears the number of the latest it has seen, and is not that one.
pub(super) const fn has(entry: &Entry, unshared: bool) -> Option<u64> {
    if unshared { entry.generation.checked_sub(1) } else { Some(entry.generation) }
}
