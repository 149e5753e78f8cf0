//! An isolate's copy of the ledger, and what it says of an entry's tags.

use crate::base::fault::Fault;
use crate::base::limits::WINDOW_LIMIT;
use crate::base::position::Position;
use crate::base::time::{Millis, Span, TimeWindow};
use crate::ledger::stamp::{Invalidation, Since, Stamp};
use crate::ledger::stamp_table::StampTable;

/// A ledger that did not answer is asked again after so long.
const RETRY: Span = Span::seconds(1);

/// What a copy can say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All of it.
    Is(Invalidation),
    /// The entry is older than the copy reaches: ask the ledger.
    Ask,
}

/// One isolate's copy of its app's ledger. It holds about a hundred thousand invalidations; beyond, the oldest are forgotten and
/// asked about when an entry is as old.
#[derive(Debug, Clone, Default)]
pub struct LedgerCopy {
    position: Position,
    floor: u64,
    asked_at: Option<Millis>,
    /// Meanwhile the ledger is not asked again.
    postponed: TimeWindow,
    /// What the ledger last said of how long to wait before the next question.
    dictated: Span,
    marks: StampTable,
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

    /// The window of an isolate that has one of its own: a busy ledger lengthens it. No window at all stays none.
    #[must_use]
    pub fn window(&self, own: Span) -> Span {
        if own == Span::ZERO { own } else { own.max(self.dictated.min(WINDOW_LIMIT)) }
    }

    /// Whether the copy is young enough to judge by. Its age counts from when its question was sent.
    #[must_use]
    pub fn is_within(&self, own_window: Span, now: Millis) -> bool {
        self.asked_at.is_some_and(|at| TimeWindow::of(at, self.window(own_window)).contains(now))
    }

    /// Whether the ledger should be asked before judging: the copy is too old, and the ledger has not just failed to answer.
    #[must_use]
    pub fn is_due(&self, own_window: Span, now: Millis) -> bool {
        !self.is_within(own_window, now) && !self.postponed.contains(now)
    }

    /// The ledger did not answer: until the next attempt the copy is used as it is.
    pub fn postpone(&mut self, now: Millis) {
        self.postponed = TimeWindow::of(now, RETRY);
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
        self.floor = self.floor.max(since.floor);
        for row in since.rows {
            let stamp = self.stamp(&row.tag).with(row.stamp(asked_at), asked_at);
            self.hold(&row.tag, stamp);
        }
        let goes_back = Fault::CopyGoesBack.is_planted();
        self.position.number = if goes_back { since.head.number } else { self.position.number.max(since.head.number) };
        if self.asked_at.is_none_or(|at| at <= asked_at) {
            self.asked_at = Some(asked_at);
            self.dictated = since.window_ms;
        }
        self.postponed = TimeWindow::NONE;
    }

    /// Where there is no room, the older half of all invalidations is forgotten, or this one is.
    fn hold(&mut self, tag: &str, stamp: Stamp) {
        if self.marks.put(tag, stamp) {
            return;
        }
        if let Some(middle) = self.marks.median() {
            self.floor = self.floor.max(middle);
            self.marks.forget_until(middle);
        }
        if !self.marks.put(tag, stamp) {
            self.floor = self.floor.max(stamp.newest());
        }
    }

    /// The latest invalidations of a tag, as far as the copy has them.
    #[must_use]
    pub fn stamp(&self, tag: &str) -> Stamp {
        self.marks.stamp(tag)
    }

    /// What the copy says of an entry with these tags, rendered at `rendered_at`.
    #[must_use]
    pub fn knows<'a>(&self, tags: impl IntoIterator<Item = &'a String>, rendered_at: Position, now: Millis) -> Known {
        let tags = tags.into_iter();
        if rendered_at.is_foreign_to(self.position.epoch) && self.exists() {
            // Of a ledger that was lost nobody knows what it knew; of a newer one the ledger itself does.
            return if tags.count() == 0 { Known::Is(Invalidation::None) } else { Known::Ask };
        }
        let number = rendered_at.within(self.position.epoch);
        if number >= self.position.number && self.exists() {
            return Known::Is(Invalidation::None);
        }
        let mut worst = Invalidation::None;
        let mut is_tagged = false;
        for tag in tags {
            is_tagged = true;
            worst = worst.max(self.stamp(tag).invalidation(number, now));
            if worst == Invalidation::Hard {
                return Known::Is(worst);
            }
        }
        if number < self.floor && is_tagged { Known::Ask } else { Known::Is(worst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::stamp::Row;

    const EPOCH: u64 = 77;

    fn since(from: u64, head: u64, hard: &[(&str, u64)]) -> Since {
        let rows = hard
            .iter()
            .map(|(tag, number)| Row { tag: (*tag).to_owned(), hard: *number, soft: 0, soft_ends_in_ms: None })
            .collect();
        Since { from, head: Position { epoch: EPOCH, number: head }, floor: 0, rows, window_ms: Span::ZERO }
    }

    fn verdict(copy: &LedgerCopy, tag: &str, number: u64) -> Known {
        copy.knows([&tag.to_owned()], Position { epoch: EPOCH, number }, Millis(0))
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
    fn of_entries_of_a_lost_ledger_the_new_one_is_asked() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 9, &[]), Millis(0));
        let mut other = since(0, 1, &[("a", 1)]);
        other.head.epoch = EPOCH + 1;
        copy.merge(other, Millis(5));
        assert_eq!(copy.position().epoch, EPOCH + 1);
        assert_eq!(verdict(&copy, "a", 9), Known::Ask);
        assert_eq!(verdict(&copy, "never", 9), Known::Ask);
        assert_eq!(copy.knows([], Position { epoch: EPOCH, number: 9 }, Millis(5)), Known::Is(Invalidation::None));
        assert_eq!(
            copy.knows([&"b".to_owned()], Position::BEFORE_EVERYTHING, Millis(5)),
            Known::Is(Invalidation::None)
        );
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
        assert_eq!(copy.knows([], Position::BEFORE_EVERYTHING, Millis(0)), Known::Is(Invalidation::None));
    }

    #[test]
    fn a_copy_of_unbounded_tags_stays_bounded_and_never_forgets_silently() {
        let mut copy = LedgerCopy::default();
        let count = 250_000;
        for first in (1..=count).step_by(1000) {
            let names: Vec<_> = (first..first + 1000).map(|n| (format!("t{n}"), n)).collect();
            let rows: Vec<_> = names.iter().map(|(tag, n)| (tag.as_str(), *n)).collect();
            copy.merge(since(first - 1, first + 999, &rows), Millis(0));
        }
        for n in (1..=count).step_by(77) {
            let known = verdict(&copy, &format!("t{n}"), n - 1);
            let right = if n > copy.floor { Known::Is(Invalidation::Hard) } else { Known::Ask };
            assert_eq!(known, right, "of tag {n}, floor {}", copy.floor);
            assert_ne!(verdict(&copy, "never", n), Known::Is(Invalidation::Hard));
        }
        assert!(copy.floor < count - 50_000, "{} of {count}", copy.floor);
    }

    #[test]
    fn a_busy_ledger_lengthens_a_window_but_gives_none_to_whoever_wants_none() {
        let mut copy = LedgerCopy::default();
        let dictating = |window| Since { window_ms: window, ..since(0, 0, &[]) };
        copy.merge(dictating(Span(4000)), Millis(100));
        assert!(copy.is_within(Span(1000), Millis(4099)) && !copy.is_within(Span(1000), Millis(4100)));
        assert!(copy.is_within(Span(9000), Millis(9099)), "the own window may be longer still");
        assert!(!copy.is_within(Span::ZERO, Millis(100)));
        copy.merge(dictating(Span(8000)), Millis(50));
        assert!(!copy.is_within(Span(1000), Millis(4100)), "an older answer says nothing");
        copy.merge(dictating(Span(u64::MAX)), Millis(200));
        assert!(!copy.is_within(Span(1000), Millis(200).after(WINDOW_LIMIT)));
        copy.merge(dictating(Span::ZERO), Millis(300));
        assert!(!copy.is_within(Span(1000), Millis(1300)));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_off_no_question() {
        let mut copy = LedgerCopy::default();
        copy.merge(since(0, 0, &[]), Millis(10_000));
        copy.postpone(Millis(20_000));
        assert!(!copy.is_due(Span(1000), Millis(20_500)) && copy.is_due(Span(1000), Millis(21_000)));
        assert!(copy.is_due(Span(1000), Millis(5000)), "neither by the copy's age nor by the last attempt");
    }

    #[test]
    fn how_long_an_entry_of_many_tags_takes_to_judge_does_not_grow_with_what_was_invalidated() {
        let quickest = |invalidated: u64| {
            let mut copy = LedgerCopy::default();
            let names: Vec<_> = (1..=invalidated).map(|n| (format!("_N_T_/products/{n}/page"), n)).collect();
            let rows: Vec<_> = names.iter().map(|(tag, n)| (tag.as_str(), *n)).collect();
            copy.merge(since(0, invalidated, &rows), Millis(0));
            let tags: Vec<_> = (0..100).map(|n| format!("_N_T_/articles/{n}/page")).collect();
            let judge = || copy.knows(&tags, Position { epoch: EPOCH, number: 1 }, Millis(0));
            assert_eq!(judge(), Known::Is(Invalidation::None));
            let times = (0..400).map(|_| {
                let begun = std::time::Instant::now();
                std::hint::black_box(judge());
                begun.elapsed()
            });
            times.min().unwrap()
        };
        let (few, many) = (quickest(1000), quickest(100_000));
        assert!(many < few * 10, "{many:?} against {few:?}");
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
