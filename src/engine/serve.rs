//! Serving an entry: what its reader is told beside the bytes.

use super::candidate::Candidate;
use super::protocol::{MemoryOrder, Outcome, ReadEntry, Source};
use super::read::{Claim, Read};
use super::{Engine, Progress};
use crate::base::fault::Fault;
use crate::base::position::Position;
use crate::base::time::{Millis, Span, TimeWindow};
use crate::entry::KeyLife;
use crate::entry::freshness::{GoneReason, StaleReason, Verdict};

/// One isolate asks for a longer life of a KV key once in such a part of it.
const TOUCHES_IN_LIFE: u64 = 4;

impl Engine {
    pub(super) fn serve(
        &mut self,
        read: &Read,
        candidate: Candidate,
        verdict: Verdict,
        remember: bool,
        now: Millis,
    ) -> Progress {
        let Candidate { entry, source, slot, header_bytes, known_until, .. } = candidate;
        let memory = if source == Source::Memory || read.without_ledger || !remember {
            self.notes.of(&read.name).has_seen(entry.generation);
            MemoryOrder::default()
        } else {
            let order = self.remember(&read.name, &entry, header_bytes);
            self.memory.known_until(&read.name, entry.generation, known_until);
            order
        };
        let reason = if read.without_ledger { "ledger-down" } else { verdict.as_str() };
        let touch = self.touches(&read.name, entry.key_life, now);
        let stale = matches!(verdict, Verdict::Stale(_));
        let (regenerate, lease) = match &read.claim {
            Some(Claim::Won(lease)) if stale => (true, lease.clone()),
            _ => (false, None),
        };
        let invalidated = matches!(verdict, Verdict::Stale(StaleReason::Tag) | Verdict::Gone(GoneReason::Purged));
        // Only the latest of a tag's invalidations is known: what is made of this may be older than all of them.
        let is_told = !Fault::DoesNotTellOfStaleParts.is_planted();
        let lowered = (invalidated && !regenerate && is_told).then_some(entry.position);
        // A page that began under a ledger that is lost now, and has a part that was checked by another, is vouched for by neither.
        let began = read.call.context.position.filter(|_| read.call.context.nested);
        let is_mixed = began.is_some_and(|began| began.is_foreign_to(self.ledger.position().epoch));
        let lowered = if is_mixed { Some(Position::BEFORE_EVERYTHING) } else { lowered };
        Progress::Done(Outcome::Entry(Box::new(ReadEntry {
            stale,
            regenerate,
            lease,
            reason,
            source,
            slot,
            memory,
            collapsed: read.waited,
            generation: entry.generation,
            position: entry.position,
            created_at: entry.created_at,
            revalidate: entry.revalidate,
            expire: entry.expire,
            tags: entry.tags,
            shape: entry.shape,
            header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
            parts: entry.parts,
            touch,
            brief: read.without_ledger,
            ledger: self.ledger.position(),
            lowered,
        })))
    }

    /// Whether the KV key of what is served, from wherever, is past half of its life, and nobody here has just said so.
    fn touches(&mut self, name: &str, life: Option<KeyLife>, now: Millis) -> bool {
        let Some(life) = life.filter(|life| life.is_past_half(now)) else { return false };
        let notes = self.notes.of(name);
        let due = !notes.touched.contains(now);
        if due {
            notes.touched = TimeWindow::of(now, Span::seconds(life.seconds / TOUCHES_IN_LIFE));
        }
        due
    }
}
