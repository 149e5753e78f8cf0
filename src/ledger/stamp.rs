//! What was invalidated, and what that says of an entry: stamps of tags, and how they travel to copies of the ledger.

use serde::{Deserialize, Serialize};

use crate::base::fault::Fault;
use crate::base::number;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};

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

/// Durations of an invalidation (Next.js 16 `revalidateTag(tag, profile)`): their *presence* means "stale now".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// How long stale entries may still be served, in milliseconds; `None` without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_ms: Option<Span>,
}

/// The latest invalidations of one tag, as ledger numbers; 0 means never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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
            if self.soft_ends_at.is_some_and(|end| end <= now && !Fault::SoftNeverEnds.is_planted()) {
                Invalidation::Hard
            } else {
                Invalidation::Soft
            }
        } else {
            Invalidation::None
        }
    }

    /// The number of the latest invalidation of any kind.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.hard.max(self.soft)
    }

    /// This stamp without what no longer matters: a soft invalidation whose end has passed is a hard one, and beside a later hard
    /// one it says nothing.
    #[must_use]
    pub fn settled(mut self, now: Millis) -> Self {
        if self.soft_ends_at.is_some_and(|end| end <= now) {
            self.hard = self.newest();
        }
        if self.hard >= self.soft {
            (self.soft, self.soft_ends_at) = (0, None);
        }
        self
    }

    /// This stamp and another of the same tag. Neither weakens the other: numbers are the later ones, and of ends that matter it is
    /// the earlier one.
    #[must_use]
    pub fn with(self, other: Self, now: Millis) -> Self {
        if Fault::SoftWeakensHard.is_planted() && other.soft > self.hard {
            return other;
        }
        let hard = self.settled(now).hard.max(other.settled(now).hard);
        let [one, other] = [self, other].map(|stamp| Self { hard, ..stamp }.settled(now));
        let soft_ends_at = [one.soft_ends_at, other.soft_ends_at].into_iter().flatten().min();
        Self { hard, soft: one.soft.max(other.soft), soft_ends_at }
    }
}

/// One tag's stamp on its way to a copy: times travel as what remains of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The tag.
    pub tag: String,
    /// The latest invalidation that ends entries at once.
    #[serde(deserialize_with = "number::whole")]
    pub hard: u64,
    /// The latest one that makes entries stale.
    #[serde(deserialize_with = "number::whole")]
    pub soft: u64,
    /// In how many milliseconds entries older than `soft` end too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_ends_in_ms: Option<Span>,
}

impl Row {
    pub(super) fn new(tag: String, stamp: Stamp, now: Millis) -> Self {
        let Stamp { hard, soft, soft_ends_at } = stamp.settled(now);
        Self { tag, hard, soft, soft_ends_in_ms: soft_ends_at.map(|end| now.until(end)) }
    }

    /// The stamp, for whoever asked at `asked_at`: before the ledger looked at its clock, so that ends come too early at worst.
    #[must_use]
    pub fn stamp(&self, asked_at: Millis) -> Stamp {
        Stamp { hard: self.hard, soft: self.soft, soft_ends_at: self.soft_ends_in_ms.map(|span| asked_at.after(span)) }
    }

    /// How many bytes it takes in a list, as JSON.
    pub(super) fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |row| row.len()).saturating_add(1)
    }
}

/// What a copy is told: everything after the position it asked with, up to the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The position that was asked with, as a number in this epoch.
    #[serde(deserialize_with = "number::whole")]
    pub from: u64,
    /// Where the ledger stands.
    pub head: Position,
    /// Entries from before this number may have been invalidated without a row here telling so.
    #[serde(deserialize_with = "number::whole")]
    pub floor: u64,
    /// The stamps of all tags invalidated after `from` and `floor`.
    pub rows: Vec<Row>,
    /// How long to wait before asking again, if that is longer than the copy would: the ledger is busy.
    #[serde(default)]
    pub window_ms: Span,
}
