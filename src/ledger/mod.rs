//! The ledger machine: an app's ordered log of tag invalidations, kept as the latest stamp of each tag.
//!
//! [`Ledger::step`] takes the time and one event, and says what to answer. The rows are in a [`Table`], of which it reads and
//! changes only those that the event is about: a table may hold millions. What a table does is find rows and keep them; every
//! rule is here.
//!
//! A table has one row for each tag that was ever invalidated. When it takes more than [`LedgerPolicy::storage_bytes`], the rows of
//! the oldest invalidations go, and every entry from before them counts as expired.

mod copy;
mod load;
mod stamp;
mod stamp_table;
mod table;

use std::collections::BTreeSet;

pub use copy::{Known, LedgerCopy};
pub use load::Load;
pub use stamp::{Invalidation, Profile, Row, Since, Stamp};
pub use table::{Extent, Rows, Table};

use crate::base::limits::{LEDGER_ANSWER_BYTES, LedgerPolicy};
use crate::base::position::Position;
use crate::base::time::{Millis, Span};

/// What an answer holds beside its rows, as JSON: numbers, and the id of the namespace.
const FRAME_BYTES: usize = 500;
/// An end so far away never comes. It also would not fit into a number of JavaScript's.
const NEVER: Span = Span::seconds(1000 * 365 * 24 * 3600);
/// When rows go, so many more of them go than an invalidation brings.
const ROWS_FORGOTTEN: u64 = 1000;

/// What happens to a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A copy asks for what it has not seen.
    Since {
        /// Where the copy stands.
        position: Position,
    },
    /// Tags are invalidated.
    Append {
        /// Where the invalidating isolate's copy stands.
        position: Position,
        /// The tags.
        tags: Vec<String>,
        /// How; `None` ends entries at once.
        profile: Option<Profile>,
    },
    /// A reader asks about an entry older than its copy reaches.
    Check {
        /// The entry's position.
        position: Position,
        /// The entry's tags.
        tags: Vec<String>,
    },
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The answer to `Since` and to `Append`: an append is answered with its own rows and everybody else's.
    Since(Since),
    /// The answer to `Check`.
    Checked(Invalidation),
}

/// One app's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    extent: Extent,
    load: Load,
}

impl Ledger {
    /// An empty ledger: its epoch is the time of its creation.
    #[must_use]
    pub fn new(now: Millis) -> Self {
        Self::restored(Extent { head: Position { epoch: now.0, number: 0 }, floor: 0 }, Load::default())
    }

    /// A ledger as it was stored, with the requests that were counted since.
    #[must_use]
    pub const fn restored(extent: Extent, load: Load) -> Self {
        Self { extent, load }
    }

    /// What it is beside its rows.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> Position {
        self.extent.head
    }

    /// The requests of late.
    #[must_use]
    pub const fn load(&self) -> Load {
        self.load
    }

    /// Takes one event at `now`.
    ///
    /// # Errors
    /// When the table fails.
    pub fn step<T: Table>(
        &mut self,
        policy: &LedgerPolicy,
        table: &mut T,
        now: Millis,
        event: Event,
    ) -> Result<Answer, T::Error> {
        let window = self.load.count(now);
        match event {
            Event::Since { position } => self.since(table, now, position, window).map(Answer::Since),
            Event::Append { position, tags, profile } => {
                let rows = tags.len() as u64;
                self.append(table, now, tags.into_iter().collect(), profile)?;
                self.forget_oldest(policy, table, rows)?;
                self.since(table, now, position, window).map(Answer::Since)
            }
            Event::Check { position, tags } => {
                self.check(table, now, position, &tags.into_iter().collect()).map(Answer::Checked)
            }
        }
    }

    fn append<T: Table>(
        &mut self,
        table: &mut T,
        now: Millis,
        tags: BTreeSet<String>,
        profile: Option<Profile>,
    ) -> Result<(), T::Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let number = self.extent.head.number.saturating_add(1);
        let added = match profile {
            None => Stamp { hard: number, ..Stamp::default() },
            Some(Profile { expire_ms }) => {
                let soft_ends_at = expire_ms.filter(|span| *span < NEVER).map(|span| now.after(span));
                Stamp { soft: number, soft_ends_at, ..Stamp::default() }
            }
        };
        let mut stamps = table.stamps(&tags)?;
        for tag in tags {
            let stamp = stamps.remove(&tag).unwrap_or_default();
            table.put(&tag, stamp.with(added, now))?;
        }
        self.extent.head.number = number;
        table.keep(self.extent)
    }

    /// Storage may take a while to shrink as its rows do: each invalidation makes more room than it takes, and no more than that.
    fn forget_oldest<T: Table>(&mut self, policy: &LedgerPolicy, table: &mut T, added: u64) -> Result<(), T::Error> {
        if table.bytes() > policy.storage_bytes
            && let Some(oldest) = table.oldest(added.saturating_add(ROWS_FORGOTTEN))?
        {
            table.forget(oldest)?;
            self.extent.floor = self.extent.floor.max(oldest);
            table.keep(self.extent)?;
        }
        Ok(())
    }

    fn since<T: Table>(&self, table: &T, now: Millis, position: Position, window_ms: Span) -> Result<Since, T::Error> {
        let Extent { head, floor: forgotten } = self.extent;
        let from = position.within(head.epoch);
        let mut floor = if from < forgotten { forgotten } else { 0 };
        let mut rows = Vec::new();
        let mut left = LEDGER_ANSWER_BYTES.saturating_sub(FRAME_BYTES);
        table.latest(from, &mut |tag, stamp| {
            let row = Row::new(tag, stamp, now);
            match left.checked_sub(row.bytes()) {
                Some(rest) => {
                    left = rest;
                    rows.push(row);
                    true
                }
                None => {
                    // Whatever is left out is not later than this one.
                    floor = floor.max(stamp.newest());
                    false
                }
            }
        })?;
        Ok(Since { from, head, floor, rows, window_ms })
    }

    fn check<T: Table>(
        &self,
        table: &T,
        now: Millis,
        position: Position,
        tags: &BTreeSet<String>,
    ) -> Result<Invalidation, T::Error> {
        let number = position.within(self.extent.head.epoch);
        // What was invalidated in another life of the ledger went with it.
        let is_unknown = number < self.extent.floor || position.is_foreign_to(self.extent.head.epoch);
        if is_unknown && !tags.is_empty() {
            return Ok(Invalidation::Hard);
        }
        let stamps = table.stamps(tags)?;
        Ok(stamps.values().map(|stamp| stamp.invalidation(number, now)).max().unwrap_or(Invalidation::None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1000);

    /// A ledger and its table.
    struct Kept {
        ledger: Ledger,
        rows: Rows,
        policy: LedgerPolicy,
    }

    impl Kept {
        fn new() -> Self {
            Self { ledger: Ledger::new(NOW), rows: Rows::default(), policy: LedgerPolicy::default() }
        }

        fn step(&mut self, now: Millis, event: Event) -> Answer {
            let Ok(answer) = self.ledger.step(&self.policy, &mut self.rows, now, event);
            answer
        }

        fn since(&mut self, position: Position) -> Since {
            match self.step(NOW, Event::Since { position }) {
                Answer::Since(since) => since,
                Answer::Checked(_) => unreachable!(),
            }
        }

        fn append_all(&mut self, now: Millis, tags: &[&str], profile: Option<Profile>) -> Since {
            let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
            let event = Event::Append { position: self.ledger.head(), tags, profile };
            match self.step(now, event) {
                Answer::Since(since) => since,
                Answer::Checked(_) => unreachable!(),
            }
        }

        fn append(&mut self, now: Millis, tag: &str, profile: Option<Profile>) -> Since {
            self.append_all(now, &[tag], profile)
        }

        fn check(&mut self, now: Millis, number: u64, tag: &str) -> Invalidation {
            let position = Position { epoch: self.ledger.head().epoch, number };
            match self.step(now, Event::Check { position, tags: vec![tag.to_owned()] }) {
                Answer::Checked(invalidation) => invalidation,
                Answer::Since(_) => unreachable!(),
            }
        }
    }

    const fn soft(expire: Option<Span>) -> Option<Profile> {
        Some(Profile { expire_ms: expire })
    }

    fn tags(since: &Since) -> Vec<&str> {
        since.rows.iter().map(|row| row.tag.as_str()).collect()
    }

    fn json_bytes(since: &Since) -> usize {
        serde_json::to_vec(since).unwrap().len()
    }

    #[test]
    fn an_append_is_answered_as_since_with_its_own_rows() {
        let mut kept = Kept::new();
        let start = kept.ledger.head();
        kept.append(NOW, "a", None);
        let event = Event::Append { position: start, tags: vec!["b".to_owned()], profile: None };
        let Answer::Since(since) = kept.step(NOW, event) else { unreachable!() };
        assert_eq!(tags(&since), ["b", "a"], "another isolate's row between its position and its own is included");
        assert_eq!(since.head.number, 2);
    }

    #[test]
    fn an_entry_rendered_after_the_invalidation_is_untouched() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", None);
        assert_eq!(kept.check(NOW, 0, "a"), Invalidation::Hard);
        assert_eq!(kept.check(NOW, 1, "a"), Invalidation::None);
    }

    #[test]
    fn a_profile_makes_stale_now_and_gone_later_but_not_what_was_regenerated_since() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", soft(Some(Span::seconds(60))));
        let later = NOW.after(Span::seconds(60));
        assert_eq!(kept.check(NOW, 0, "a"), Invalidation::Soft);
        assert_eq!(kept.check(later, 0, "a"), Invalidation::Hard);
        assert_eq!(kept.check(later, 1, "a"), Invalidation::None);
    }

    #[test]
    fn a_profile_without_expire_or_with_one_beyond_all_numbers_never_ends_entries() {
        for expire in [None, Some(Span(u64::MAX)), Some(Span(1 << 53))] {
            let mut kept = Kept::new();
            let since = kept.append(NOW, "a", soft(expire));
            assert_eq!(since.rows.first().and_then(|row| row.soft_ends_in_ms), None);
            assert_eq!(kept.check(Millis(u64::MAX), 0, "a"), Invalidation::Soft);
        }
    }

    #[test]
    fn a_profile_that_expires_at_once_ends_entries_at_once() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", soft(Some(Span::ZERO)));
        assert_eq!(kept.check(NOW, 0, "a"), Invalidation::Hard);
    }

    #[test]
    fn in_every_order_of_three_invalidations_none_weakens_another() {
        let minute = soft(Some(Span::seconds(60)));
        let order = |kept: &mut Kept, of: [Option<Profile>; 3]| of.map(|profile| kept.append(NOW, "a", profile));
        for of in [[None, minute, soft(None)], [None, soft(None), minute], [minute, None, soft(None)]] {
            for turn in 0..3 {
                let mut turned = of;
                turned.rotate_left(turn);
                let hard_at = turned.iter().position(Option::is_none).unwrap() as u64 + 1;
                let mut kept = Kept::new();
                order(&mut kept, turned);
                for number in 0..=3 {
                    let truth = match number {
                        number if number < hard_at => Invalidation::Hard,
                        number if number < 3 => Invalidation::Soft,
                        _ => Invalidation::None,
                    };
                    assert_eq!(kept.check(NOW, number, "a"), truth, "of {number} after {turned:?}");
                }
                let minute_at = turned.iter().position(|profile| *profile == minute).unwrap() as u64 + 1;
                let later = NOW.after(Span::seconds(60));
                for number in 0..minute_at {
                    assert_eq!(kept.check(later, number, "a"), Invalidation::Hard, "of {number} after {turned:?}");
                }
            }
        }
    }

    #[test]
    fn a_later_profile_does_not_prolong_an_earlier_end() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", soft(Some(Span::seconds(60))));
        kept.append(NOW, "a", soft(Some(Span::seconds(600))));
        assert_eq!(kept.check(NOW.after(Span::seconds(60)), 0, "a"), Invalidation::Hard);
    }

    #[test]
    fn an_end_that_has_passed_stays_passed_when_the_tag_is_invalidated_again() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", soft(Some(Span::seconds(60))));
        let later = NOW.after(Span::seconds(61));
        let since = kept.append(later, "a", soft(None));
        assert_eq!(since.rows, [Row { tag: "a".to_owned(), hard: 1, soft: 2, soft_ends_in_ms: None }]);
        assert_eq!(kept.check(later, 0, "a"), Invalidation::Hard);
        assert_eq!(kept.check(later, 1, "a"), Invalidation::Soft);
    }

    #[test]
    fn an_end_that_a_hard_invalidation_has_overtaken_does_not_end_what_came_after() {
        let one = Stamp { hard: 0, soft: 5, soft_ends_at: Some(NOW.after(Span::seconds(60))) };
        let merged = one.with(Stamp { hard: 7, soft: 9, soft_ends_at: None }, NOW);
        assert_eq!(merged, Stamp { hard: 7, soft: 9, soft_ends_at: None });
    }

    #[test]
    fn a_tag_that_is_named_twice_keeps_what_it_had() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", None);
        let since = kept.append_all(NOW, &["a", "b", "a"], soft(None));
        assert_eq!(since.rows.len(), 2);
        assert_eq!(kept.check(NOW, 0, "a"), Invalidation::Hard);
    }

    #[test]
    fn an_answer_is_bounded_in_bytes_and_tells_how_far_its_knowledge_reaches() {
        let mut kept = Kept::new();
        let count = 3000;
        for n in 1..=count {
            kept.append(NOW, &format!("\"quoted\" \u{7} and long enough to count {n}"), soft(Some(Span::seconds(n))));
        }
        let since = kept.since(Position::BEFORE_EVERYTHING);
        assert!((60_000..=LEDGER_ANSWER_BYTES).contains(&json_bytes(&since)), "{}", json_bytes(&since));
        assert_eq!(since.floor, count - since.rows.len() as u64);
        let caught_up = Position { number: since.floor, ..since.head };
        assert_eq!(kept.since(caught_up).floor, 0, "nothing is left out of what came after");
    }

    #[test]
    fn what_does_not_fit_into_an_answer_is_below_its_floor() {
        let mut kept = Kept::new();
        kept.append(NOW, "a", None);
        let start = kept.ledger.head();
        let huge = "x".repeat(1 << 20);
        assert_eq!(kept.append(NOW, &huge, None).floor, 2);
        kept.append(NOW, "b", None);
        let since = kept.since(start);
        assert_eq!((tags(&since), since.floor), (vec!["b"], 2));
        assert_eq!(kept.check(NOW, 1, &huge), Invalidation::Hard);

        let many: Vec<_> = (0..5000).map(|n| format!("tag {n}")).collect();
        let since = kept.append_all(NOW, &many.iter().map(String::as_str).collect::<Vec<_>>(), None);
        assert!(json_bytes(&since) <= LEDGER_ANSWER_BYTES);
        assert_eq!(since.floor, since.head.number, "one invalidation of more tags than an answer holds");
    }

    #[test]
    fn when_storage_is_full_the_oldest_rows_go_and_every_answer_about_them_is_conservative() {
        let mut kept = Kept::new();
        kept.policy.storage_bytes = 400_000;
        for n in 1..=8000 {
            kept.append(NOW, &format!("tag {n}"), soft(None));
            assert!(kept.rows.bytes() <= 400_000);
        }
        let Extent { head, floor } = kept.ledger.extent();
        assert_eq!(head.number, 8000);
        assert_eq!(floor, 8000 - kept.rows.0.len() as u64, "what went is what was invalidated longest ago");
        assert!(kept.rows.0.len() > 4000, "no more than has to goes");
        for number in [0, 1, floor - 1] {
            assert_eq!(kept.check(NOW, number, "never invalidated"), Invalidation::Hard);
            assert!(kept.since(Position { number, ..head }).floor >= floor, "of a copy at {number}");
        }
        assert_eq!(kept.check(NOW, floor, "never invalidated"), Invalidation::None);
        assert_eq!(kept.check(NOW, floor, "tag 8000"), Invalidation::Soft);
        assert!(kept.since(Position { epoch: 1, number: 9000 }).floor >= floor, "of a copy of another epoch");
        assert_eq!(kept.since(Position { number: 7999, ..head }).floor, 0);
    }

    #[test]
    fn a_recreated_ledger_is_a_new_epoch() {
        let old = Position { epoch: 1, number: 40 };
        let mut kept = Kept::new();
        kept.append(NOW, "a", None);
        assert_eq!(kept.since(old).rows.len(), 1);
        let event = Event::Check { position: old, tags: vec!["never invalidated".to_owned()] };
        let Ok(answer) = kept.ledger.step(&kept.policy, &mut kept.rows, NOW, event);
        assert_eq!(answer, Answer::Checked(Invalidation::Hard), "nobody knows what the old one knew");
    }

    #[test]
    fn a_busy_ledger_dictates_a_longer_window_in_every_answer_that_has_one() {
        let mut kept = Kept::new();
        assert_eq!(kept.append(NOW, "a", None).window_ms, Span::ZERO);
        for _ in 0..600 {
            kept.check(NOW, 0, "a");
        }
        assert_eq!(kept.append(NOW, "a", None).window_ms, Span::seconds(2));
        assert_eq!(kept.since(Position::BEFORE_EVERYTHING).window_ms, Span::seconds(2));
    }

    #[test]
    fn messages_of_a_release_that_knew_less_are_read() {
        let old = r#"{"from":0,"head":{"epoch":1,"number":4},"floor":0,"rows":[{"tag":"a","hard":4,"soft":0,"soft_ends_in_ms":null}],"namespace":"x"}"#;
        let since: Since = serde_json::from_str(old).unwrap();
        assert_eq!((since.window_ms, since.rows.len()), (Span::ZERO, 1));
        for (text, expire_ms) in [("{}", None), (r#"{"expire_ms":null}"#, None), (r#"{"expire_ms":5}"#, Some(Span(5)))]
        {
            assert_eq!(serde_json::from_str::<Profile>(text).unwrap(), Profile { expire_ms });
        }
    }
}
