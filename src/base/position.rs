//! Positions in the ledger: the only order between invalidations and renders.

use serde::{Deserialize, Serialize};

use crate::base::fault::Fault;
use crate::base::number;

/// A point in an app's ledger of invalidations.
///
/// Numbers grow by one per invalidation within an epoch; a ledger that was lost and recreated has a new epoch.
/// Positions of different epochs have no order: either is older than everything, seen from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Identifies one life of the ledger (its creation time in milliseconds; 0 belongs to no ledger).
    #[serde(deserialize_with = "number::whole")]
    pub epoch: u64,
    /// How many invalidations the ledger had recorded.
    #[serde(deserialize_with = "number::whole")]
    pub number: u64,
}

impl Position {
    /// Before everything: what is claimed when nothing is known. Every invalidation lies after it.
    pub const BEFORE_EVERYTHING: Self = Self { epoch: 0, number: 0 };

    /// This position as a number within `epoch`: zero (before everything) when it belongs to another one.
    #[must_use]
    pub fn within(self, epoch: u64) -> u64 {
        if self.epoch == epoch || Fault::ForeignPositionsCount.is_planted() { self.number } else { 0 }
    }

    /// Whether it belongs to another life of the ledger, whose invalidations `epoch` knows nothing of.
    #[must_use]
    pub fn is_foreign_to(self, epoch: u64) -> bool {
        self.epoch != 0 && self.epoch != epoch && !Fault::ForeignPositionsCount.is_planted()
    }

    /// Whether whoever stands here has seen everything that `other` has.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.epoch == 0 || (self.epoch == other.epoch && self.number >= other.number)
    }

    /// The lower of two positions; before everything when they have no order.
    #[must_use]
    pub fn lower_of(self, other: Self) -> Self {
        if self.epoch == other.epoch {
            Self { epoch: self.epoch, number: self.number.min(other.number) }
        } else {
            Self::BEFORE_EVERYTHING
        }
    }
}

impl Default for Position {
    fn default() -> Self {
        Self::BEFORE_EVERYTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(epoch: u64, number: u64) -> Position {
        Position { epoch, number }
    }

    #[test]
    fn positions_of_a_foreign_epoch_are_older_than_everything() {
        assert_eq!(at(1, 900).within(2), 0);
        assert!(!at(2, 5).covers(at(1, 1)));
        assert!(!at(1, 1).covers(at(2, 5)));
    }

    #[test]
    fn everything_covers_the_unknown_position() {
        assert!(at(7, 0).covers(Position::BEFORE_EVERYTHING));
        assert!(Position::BEFORE_EVERYTHING.covers(Position::BEFORE_EVERYTHING));
    }

    #[test]
    fn the_lower_of_two_unordered_positions_is_before_everything() {
        assert_eq!(at(1, 9).lower_of(at(2, 3)), Position::BEFORE_EVERYTHING);
        assert_eq!(at(2, 9).lower_of(at(2, 3)), at(2, 3));
    }
}
