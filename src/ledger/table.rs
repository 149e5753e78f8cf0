//! Where a ledger's rows are: what a table must do, and one in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::position::Position;
use crate::ledger::stamp::Stamp;

/// Where a ledger's rows are.
pub trait Table {
    /// What can go wrong.
    type Error;

    /// The stamps of those of these tags that have one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn stamps(&self, tags: &BTreeSet<String>) -> Result<BTreeMap<String, Stamp>, Self::Error>;

    /// Gives the rows whose newest number is later than `number`, the latest first, until one is refused.
    ///
    /// # Errors
    /// When it cannot be read.
    fn latest(&self, number: u64, take: &mut dyn FnMut(String, Stamp) -> bool) -> Result<(), Self::Error>;

    /// Keeps a row in the place of the tag's earlier one.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put(&mut self, tag: &str, stamp: Stamp) -> Result<(), Self::Error>;

    /// Keeps what the ledger is beside its rows.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep(&mut self, extent: Extent) -> Result<(), Self::Error>;

    /// How many bytes it takes.
    fn bytes(&self) -> u64;

    /// Of so many rows with the lowest newest numbers, the highest of these.
    ///
    /// # Errors
    /// When it cannot be read.
    fn oldest(&self, rows: u64) -> Result<Option<u64>, Self::Error>;

    /// Forgets all rows whose newest number is not later than `number`.
    ///
    /// # Errors
    /// When it cannot be written.
    fn forget(&mut self, number: u64) -> Result<(), Self::Error>;
}

/// What a ledger is beside its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it stands.
    pub head: Position,
    /// Up to which number it has forgotten rows.
    pub floor: u64,
}

/// What a row in memory takes beside its tag, about.
const ROW_BYTES: usize = 64;

/// A table in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(pub(super) BTreeMap<String, Stamp>);

impl Table for Rows {
    type Error = std::convert::Infallible;

    fn stamps(&self, tags: &BTreeSet<String>) -> Result<BTreeMap<String, Stamp>, Self::Error> {
        Ok(tags.iter().filter_map(|tag| Some((tag.clone(), *self.0.get(tag)?))).collect())
    }

    fn latest(&self, number: u64, take: &mut dyn FnMut(String, Stamp) -> bool) -> Result<(), Self::Error> {
        let mut rows: Vec<_> = self.0.iter().filter(|(_, stamp)| stamp.newest() > number).collect();
        rows.sort_by_key(|(_, stamp)| std::cmp::Reverse(stamp.newest()));
        let _ = rows.into_iter().all(|(tag, stamp)| take(tag.clone(), *stamp));
        Ok(())
    }

    fn put(&mut self, tag: &str, stamp: Stamp) -> Result<(), Self::Error> {
        self.0.insert(tag.to_owned(), stamp);
        Ok(())
    }

    fn keep(&mut self, _: Extent) -> Result<(), Self::Error> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.0.keys().map(|tag| tag.len().saturating_add(ROW_BYTES) as u64).sum()
    }

    fn oldest(&self, rows: u64) -> Result<Option<u64>, Self::Error> {
        let mut numbers: Vec<_> = self.0.values().map(Stamp::newest).collect();
        numbers.sort_unstable();
        numbers.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(numbers.last().copied())
    }

    fn forget(&mut self, number: u64) -> Result<(), Self::Error> {
        self.0.retain(|_, stamp| stamp.newest() > number);
        Ok(())
    }
}
