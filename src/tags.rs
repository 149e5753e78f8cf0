//! An isolate's copy of the ledger, and what it says of an entry's tags.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::{Since, Stamp};
use crate::position::Position;
use crate::time::{Millis, Span};

/// Most tags that a copy holds; beyond, the oldest are forgotten and asked about when an entry is as old.
const TAGS_HELD: usize = 20_000;

/// A ledger that did not answer is asked again after so long.
const RETRY: Span = Span::seconds(1);

/// What the ledger says of an entry, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidation {
    /// None of its tags was invalidated since its render began.
    None,
    /// One was, with a profile: serve it, and make it anew.
    Soft,
    /// One was: do not serve it.
    Hard,
}

/// What a copy can say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All of it.
    Is(Invalidation),
    /// The entry is older than the copy reaches: ask the ledger.
    Ask,
}

/// One isolate's copy of its app's ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerCopy {
    position: Position,
    floor: u64,
    asked_at: Option<Millis>,
    retry_at: Millis,
    tags: BTreeMap<String, Stamp>,
}

impl LedgerCopy {
    /// Where the copy stands; before everything as long as the ledger never answered.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Whether the ledger ever answered.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.asked_at.is_some()
    }

    /// Whether the copy is young enough to judge by. Its age counts from when its question was sent.
    #[must_use]
    pub fn is_within(&self, window: Span, now: Millis) -> bool {
        self.asked_at.is_some_and(|at| now >= at && now.since(at) < window)
    }

    /// Whether the ledger should be asked before judging: the copy is too old, and the ledger has not just failed to answer.
    #[must_use]
    pub fn is_due(&self, window: Span, now: Millis) -> bool {
        !self.is_within(window, now) && now >= self.retry_at
    }

    /// The ledger did not answer: until the next attempt the copy is used as it is.
    pub fn postpone(&mut self, now: Millis) {
        self.retry_at = now.after(RETRY);
    }

    /// Merges an answer to a question sent at `asked_at`.
    ///
    /// Answers may arrive in any order: stamps merge by maximum. An answer that begins after where the copy stands would
    /// leave a gap and is not used.
    pub fn merge(&mut self, since: Since, asked_at: Millis) {
        if since.from > self.position.within(since.head.epoch) {
            return;
        }
        if since.head.epoch != self.position.epoch {
            // A late answer of the ledger's earlier life must not take the place of a later one's.
            if since.head.epoch < self.position.epoch {
                return;
            }
            *self = Self { position: Position { epoch: since.head.epoch, number: 0 }, ..Self::default() };
        }
        for row in since.rows {
            let stamp = self.tags.entry(row.tag).or_default();
            // Counted from the question, which was sent before the ledger looked at its clock: at worst too early.
            let ends_at = row.soft_ends_in_ms.map(|span| asked_at.after(span));
            match row.soft.cmp(&stamp.soft) {
                Ordering::Greater => (stamp.soft, stamp.soft_ends_at) = (row.soft, ends_at),
                Ordering::Equal => stamp.soft_ends_at = earlier(stamp.soft_ends_at, ends_at),
                Ordering::Less => {}
            }
            stamp.hard = stamp.hard.max(row.hard);
        }
        self.floor = self.floor.max(since.floor);
        self.position.number = self.position.number.max(since.head.number);
        self.asked_at = self.asked_at.max(Some(asked_at));
        self.retry_at = Millis(0);
        self.forget_oldest();
    }

    /// What the copy says of an entry with these tags, rendered at `rendered_at`.
    #[must_use]
    pub fn knows(&self, tags: &[String], rendered_at: Position, now: Millis) -> Known {
        let number = rendered_at.within(self.position.epoch);
        let worst = tags
            .iter()
            .filter_map(|tag| self.tags.get(tag))
            .map(|stamp| stamp.invalidation(number, now))
            .max()
            .unwrap_or(Invalidation::None);
        if worst < Invalidation::Hard && number < self.floor && !tags.is_empty() {
            Known::Ask
        } else {
            Known::Is(worst)
        }
    }

    /// Just before the earliest invalidation that this copy knows of an entry with these tags, rendered at `rendered_at`; where it
    /// knows of none, `rendered_at` itself.
    #[must_use]
    pub fn before_invalidation(&self, tags: &[String], rendered_at: Position) -> Position {
        let epoch = self.position.epoch;
        let number = rendered_at.within(epoch);
        let stamps = tags.iter().filter_map(|tag| self.tags.get(tag));
        let later = stamps.flat_map(|stamp| [stamp.hard, stamp.soft]).filter(|invalidated| *invalidated > number);
        later.min().map_or(rendered_at, |earliest| Position { epoch, number: earliest.saturating_sub(1) })
    }

    fn forget_oldest(&mut self) {
        if self.tags.len() <= TAGS_HELD {
            return;
        }
        let mut numbers: Vec<_> = self.tags.values().map(Stamp::newest).collect();
        numbers.sort_unstable();
        let surplus = self.tags.len().saturating_sub(TAGS_HELD / 2);
        if let Some(&floor) = numbers.get(surplus) {
            self.floor = self.floor.max(floor);
            self.tags.retain(|_, stamp| stamp.newest() > floor);
        }
    }
}

/// The earlier of two ends, of which either may never come.
pub(crate) fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Row;

    const EPOCH: u64 = 77;

    fn since(from: u64, head: u64, hard: &[(&str, u64)]) -> Since {
        let rows = hard
            .iter()
            .map(|(tag, number)| Row { tag: (*tag).to_owned(), hard: *number, soft: 0, soft_ends_in_ms: None })
            .collect();
        Since { from, head: Position { epoch: EPOCH, number: head }, floor: 0, rows }
    }

    fn verdict(copy: &LedgerCopy, tag: &str, number: u64) -> Known {
        copy.knows(&[tag.to_owned()], Position { epoch: EPOCH, number }, Millis(0))
    }

    #[test]
    fn answers_that_arrive_in_the_wrong_order_lose_nothing() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 1, &[("a", 1)]), Millis(0));
        copy.merge(since(1, 3, &[("b", 2), ("c", 3)]), Millis(20));
        copy.merge(since(1, 2, &[("b", 2)]), Millis(10));
        assert_eq!(copy.position().number, 3);
        for tag in ["a", "b", "c"] {
            assert_eq!(verdict(&copy, tag, 0), Known::Is(Invalidation::Hard), "{tag}");
        }
        assert!(copy.is_within(Span(30), Millis(45)), "the age counts from the latest question");
    }

    #[test]
    fn an_answer_that_would_leave_a_gap_is_not_used() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 1, &[]), Millis(0));
        copy.merge(since(5, 9, &[("x", 9)]), Millis(50));
        assert_eq!(copy.position().number, 1);
    }

    #[test]
    fn a_new_epoch_replaces_the_copy_and_makes_old_entries_older_than_everything() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 9, &[]), Millis(0));
        let mut other = since(0, 1, &[("a", 1)]);
        other.head.epoch = EPOCH + 1;
        copy.merge(other, Millis(5));
        assert_eq!(verdict(&copy, "a", 9), Known::Is(Invalidation::Hard));
    }

    #[test]
    fn an_entry_older_than_the_copy_reaches_is_asked_about() {
        let mut copy = LedgerCopy::default();
        let mut answer = since(0, 5000, &[("a", 5000)]);
        answer.floor = 3000;
        copy.merge(answer, Millis(0));
        assert_eq!(verdict(&copy, "b", 2999), Known::Ask);
        assert_eq!(verdict(&copy, "b", 3000), Known::Is(Invalidation::None));
        assert_eq!(verdict(&copy, "a", 2999), Known::Is(Invalidation::Hard));
        assert_eq!(copy.knows(&[], Position::BEFORE_EVERYTHING, Millis(0)), Known::Is(Invalidation::None));
    }

    #[test]
    fn a_copy_of_unbounded_tags_stays_bounded_and_never_forgets_silently() {
        let mut copy = LedgerCopy::default();
        let names: Vec<_> = (1..=TAGS_HELD as u64 + 1).map(|n| (format!("t{n}"), n)).collect();
        let rows: Vec<_> = names.iter().map(|(tag, n)| (tag.as_str(), *n)).collect();
        copy.merge(since(0, TAGS_HELD as u64 + 1, &rows), Millis(0));
        assert!(copy.tags.len() <= TAGS_HELD);
        assert_eq!(verdict(&copy, "t1", 0), Known::Ask);
    }

    #[test]
    fn what_is_made_of_an_invalidated_entry_dates_from_just_before_the_invalidation() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 9, &[("a", 4), ("b", 7)]), Millis(0));
        let tags = ["b", "a", "c"].map(str::to_owned);
        let before = |number| copy.before_invalidation(&tags, Position { epoch: EPOCH, number }).number;
        assert_eq!((before(2), before(4), before(8)), (3, 6, 8));
        assert_eq!(copy.before_invalidation(&tags, Position { epoch: 1, number: 8 }).number, 3);
    }

    #[test]
    fn a_copy_from_a_clock_that_went_back_is_not_young() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 0, &[]), Millis(100));
        assert!(!copy.is_within(Span(1000), Millis(50)));
    }

    #[test]
    fn a_ledger_that_did_not_answer_is_not_asked_by_every_read() {
        let mut copy = LedgerCopy::default();
        copy.postpone(Millis(100));
        assert!(!copy.is_due(Span(1000), Millis(1099)));
        assert!(copy.is_due(Span(1000), Millis(1100)));
    }

    #[test]
    fn a_window_of_nothing_is_never_met() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 0, &[]), Millis(100));
        assert!(!copy.is_within(Span::ZERO, Millis(100)));
    }
}
