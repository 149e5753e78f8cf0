//! The ledger machine: an app's ordered log of tag invalidations, kept as the latest stamp of each tag.
//!
//! [`Ledger::step`] takes the time and one event, and says what to answer and which rows to store; it performs nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::tags::{Invalidation, earlier};
use crate::time::{Millis, Span};

/// Most rows in one answer; a caller further behind gets the newest of them and asks about older entries.
const ROWS_PER_ANSWER: usize = 2000;

/// Durations of an invalidation (Next.js 16 `revalidateTag(tag, profile)`): their *presence* means "stale now".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// How long stale entries may still be served, in milliseconds; `None` without limit.
    #[serde(default)]
    pub expire_ms: Option<Span>,
}

/// The latest invalidations of one tag, as ledger numbers; 0 means never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The latest one that ends entries at once.
    pub hard: u64,
    /// The latest one that makes entries stale.
    pub soft: u64,
    /// When entries older than `soft` end too, by the clock of whoever holds this stamp; `None` means never.
    pub soft_ends_at: Option<Millis>,
}

impl Stamp {
    /// What this stamp says of an entry whose render began at ledger number `number`.
    #[must_use]
    pub fn invalidation(&self, number: u64, now: Millis) -> Invalidation {
        if self.hard > number {
            Invalidation::Hard
        } else if self.soft > number {
            if self.soft_ends_at.is_some_and(|end| end <= now) { Invalidation::Hard } else { Invalidation::Soft }
        } else {
            Invalidation::None
        }
    }

    /// The number of the latest invalidation of any kind.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.hard.max(self.soft)
    }

    fn harden(&mut self, number: u64) {
        self.hard = number;
    }

    /// A softer invalidation never weakens a harder one, nor an earlier end.
    fn soften(&mut self, number: u64, ends_at: Option<Millis>, now: Millis) {
        if self.soft_ends_at.is_some_and(|end| end <= now) {
            self.hard = self.hard.max(self.soft);
            self.soft_ends_at = None;
        }
        self.soft = number;
        self.soft_ends_at = earlier(self.soft_ends_at, ends_at);
    }
}

/// One tag's stamp on its way to a copy: times travel as what remains of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The tag.
    pub tag: String,
    /// The latest invalidation that ends entries at once.
    pub hard: u64,
    /// The latest one that makes entries stale.
    pub soft: u64,
    /// In how many milliseconds entries older than `soft` end too.
    #[serde(default)]
    pub soft_ends_in_ms: Option<Span>,
}

/// What a copy is told: everything after the position it asked with, up to the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The position that was asked with, as a number in this epoch.
    pub from: u64,
    /// Where the ledger stands.
    pub head: Position,
    /// Entries from before this number may have been invalidated without a row here telling so.
    pub floor: u64,
    /// The stamps of all tags invalidated after `from` and `floor`.
    pub rows: Vec<Row>,
}

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

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the caller is told.
    pub answer: Answer,
    /// The tags whose stamps changed and must be stored, with the head, before the answer leaves.
    pub changed: Vec<String>,
}

/// The durable state of one app's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ledger {
    head: Position,
    tags: BTreeMap<String, Stamp>,
}

impl Ledger {
    /// An empty ledger: its epoch is the time of its creation.
    #[must_use]
    pub const fn new(now: Millis) -> Self {
        Self { head: Position { epoch: now.0, number: 0 }, tags: BTreeMap::new() }
    }

    /// A ledger as it was stored.
    #[must_use]
    pub const fn restored(head: Position, tags: BTreeMap<String, Stamp>) -> Self {
        Self { head, tags }
    }

    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> Position {
        self.head
    }

    /// The stamp of a tag that was ever invalidated.
    #[must_use]
    pub fn stamp(&self, tag: &str) -> Option<Stamp> {
        self.tags.get(tag).copied()
    }

    /// Takes one event at `now`.
    pub fn step(&mut self, now: Millis, event: Event) -> Outcome {
        match event {
            Event::Since { position } => {
                Outcome { answer: Answer::Since(self.since(now, position)), changed: Vec::new() }
            }
            Event::Append { position, tags, profile } => {
                self.append(now, &tags, profile);
                Outcome { answer: Answer::Since(self.since(now, position)), changed: tags }
            }
            Event::Check { position, tags } => {
                Outcome { answer: Answer::Checked(self.check(now, position, &tags)), changed: Vec::new() }
            }
        }
    }

    fn append(&mut self, now: Millis, tags: &[String], profile: Option<Profile>) {
        if tags.is_empty() {
            return;
        }
        self.head.number = self.head.number.saturating_add(1);
        let number = self.head.number;
        for tag in tags {
            let stamp = self.tags.entry(tag.clone()).or_default();
            match profile {
                None => stamp.harden(number),
                Some(profile) => stamp.soften(number, profile.expire_ms.map(|span| now.after(span)), now),
            }
        }
    }

    fn since(&self, now: Millis, position: Position) -> Since {
        let from = position.within(self.head.epoch);
        let mut news: Vec<_> = self.tags.iter().filter(|(_, stamp)| stamp.newest() > from).collect();
        let mut floor = 0;
        if news.len() > ROWS_PER_ANSWER {
            news.sort_unstable_by_key(|(_, stamp)| std::cmp::Reverse(stamp.newest()));
            floor = news.get(ROWS_PER_ANSWER).map_or(0, |(_, stamp)| stamp.newest());
            news.retain(|(_, stamp)| stamp.newest() > floor);
        }
        let rows = news
            .into_iter()
            .map(|(tag, stamp)| Row {
                tag: tag.clone(),
                hard: stamp.hard,
                soft: stamp.soft,
                soft_ends_in_ms: stamp.soft_ends_at.map(|end| now.until(end)),
            })
            .collect();
        Since { from, head: self.head, floor, rows }
    }

    fn check(&self, now: Millis, position: Position, tags: &[String]) -> Invalidation {
        let number = position.within(self.head.epoch);
        tags.iter()
            .filter_map(|tag| self.tags.get(tag))
            .map(|stamp| stamp.invalidation(number, now))
            .max()
            .unwrap_or(Invalidation::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1000);

    fn append(ledger: &mut Ledger, now: Millis, tag: &str, profile: Option<Profile>) -> Since {
        let event = Event::Append { position: ledger.head(), tags: vec![tag.to_owned()], profile };
        match ledger.step(now, event).answer {
            Answer::Since(since) => since,
            Answer::Checked(_) => unreachable!(),
        }
    }

    fn check(ledger: &mut Ledger, now: Millis, number: u64, tag: &str) -> Invalidation {
        let position = Position { epoch: ledger.head().epoch, number };
        match ledger.step(now, Event::Check { position, tags: vec![tag.to_owned()] }).answer {
            Answer::Checked(invalidation) => invalidation,
            Answer::Since(_) => unreachable!(),
        }
    }

    const fn soft(expire: Option<Span>) -> Option<Profile> {
        Some(Profile { expire_ms: expire })
    }

    #[test]
    fn an_append_is_answered_as_since_with_its_own_rows() {
        let mut ledger = Ledger::new(NOW);
        let start = ledger.head();
        append(&mut ledger, NOW, "a", None);
        let event = Event::Append { position: start, tags: vec!["b".to_owned()], profile: None };
        let Answer::Since(since) = ledger.step(NOW, event).answer else { unreachable!() };
        let tags: Vec<_> = since.rows.iter().map(|row| row.tag.as_str()).collect();
        assert_eq!(tags, ["a", "b"], "another isolate's row between its position and its own is included");
        assert_eq!(since.head.number, 2);
    }

    #[test]
    fn an_entry_rendered_after_the_invalidation_is_untouched() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", None);
        assert_eq!(check(&mut ledger, NOW, 0, "a"), Invalidation::Hard);
        assert_eq!(check(&mut ledger, NOW, 1, "a"), Invalidation::None);
    }

    #[test]
    fn a_profile_makes_stale_now_and_gone_later_but_not_what_was_regenerated_since() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", soft(Some(Span::seconds(60))));
        let later = NOW.after(Span::seconds(60));
        assert_eq!(check(&mut ledger, NOW, 0, "a"), Invalidation::Soft);
        assert_eq!(check(&mut ledger, later, 0, "a"), Invalidation::Hard);
        assert_eq!(check(&mut ledger, later, 1, "a"), Invalidation::None);
    }

    #[test]
    fn a_profile_without_expire_never_ends_entries() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", soft(None));
        assert_eq!(check(&mut ledger, Millis(u64::MAX), 0, "a"), Invalidation::Soft);
    }

    #[test]
    fn a_softer_invalidation_never_weakens_a_harder_one() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", None);
        append(&mut ledger, NOW, "a", soft(None));
        assert_eq!(check(&mut ledger, NOW, 0, "a"), Invalidation::Hard);
        assert_eq!(check(&mut ledger, NOW, 1, "a"), Invalidation::Soft);
    }

    #[test]
    fn a_later_profile_does_not_prolong_an_earlier_end() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", soft(Some(Span::seconds(60))));
        append(&mut ledger, NOW, "a", soft(Some(Span::seconds(600))));
        assert_eq!(check(&mut ledger, NOW.after(Span::seconds(60)), 0, "a"), Invalidation::Hard);
    }

    #[test]
    fn an_end_that_has_passed_stays_passed_when_the_tag_is_invalidated_again() {
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", soft(Some(Span::seconds(60))));
        let later = NOW.after(Span::seconds(61));
        append(&mut ledger, later, "a", soft(None));
        assert_eq!(check(&mut ledger, later, 0, "a"), Invalidation::Hard);
        assert_eq!(check(&mut ledger, later, 1, "a"), Invalidation::Soft);
    }

    #[test]
    fn a_copy_far_behind_is_told_how_far_its_knowledge_reaches() {
        let mut ledger = Ledger::new(NOW);
        for n in 0..=ROWS_PER_ANSWER {
            append(&mut ledger, NOW, &format!("tag-{n}"), None);
        }
        let since = ledger.since(NOW, Position::BEFORE_EVERYTHING);
        assert_eq!(since.rows.len(), ROWS_PER_ANSWER);
        assert_eq!(since.floor, 1);
    }

    #[test]
    fn a_recreated_ledger_is_a_new_epoch() {
        let old = Position { epoch: 1, number: 40 };
        let mut ledger = Ledger::new(NOW);
        append(&mut ledger, NOW, "a", None);
        assert_eq!(ledger.since(NOW, old).rows.len(), 1);
    }
}
