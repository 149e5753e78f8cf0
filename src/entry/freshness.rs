//! Whether an entry may be served, and whether it should be made anew.

use crate::base::fault::Fault;
use crate::base::time::Millis;
use crate::entry::Entry;
use crate::ledger::Invalidation;

/// What may be done with an entry now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it; nobody need render.
    Fresh,
    /// Serve it, and let one render.
    Stale(StaleReason),
    /// Do not serve it.
    Gone(GoneReason),
}

/// Why an entry is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleReason {
    /// Older than `revalidate`.
    Age,
    /// One of its tags was invalidated with a profile that allows serving it meanwhile.
    Tag,
    /// It was rendered while its coordinator did not answer: no other isolate has it.
    Unshared,
}

/// Why an entry is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneReason {
    /// Older than `expire`.
    Expired,
    /// One of its tags was invalidated.
    Purged,
    /// It stands for a value that was deleted.
    Tombstone,
}

impl Verdict {
    /// A stable word for logs, headers and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale(StaleReason::Age) => "stale-age",
            Self::Stale(StaleReason::Tag) => "stale-tag",
            Self::Stale(StaleReason::Unshared) => "stale-unshared",
            Self::Gone(GoneReason::Expired) => "expired",
            Self::Gone(GoneReason::Purged) => "purged",
            Self::Gone(GoneReason::Tombstone) => "tombstone",
        }
    }
}

/// The shape of an entry that stands for a deleted value.
pub const TOMBSTONE: &str = "tombstone";

/// Judges an entry by its age and by what the ledger says of its tags.
///
/// The order matters: what must not be served is never called stale. The age rules are Next.js's (next 16.4,
/// `server/lib/incremental-cache/index.js`): stale *after* `revalidate` seconds, unusable *after* `expire`.
#[must_use]
pub fn judge(entry: &Entry, invalidation: Invalidation, now: Millis) -> Verdict {
    judge_within(entry, entry.revalidate, invalidation, now)
}

/// As [`judge`], for a caller with a lifetime of its own: fresh for `revalidate` seconds.
#[must_use]
pub fn judge_within(entry: &Entry, revalidate: Option<u32>, invalidation: Invalidation, now: Millis) -> Verdict {
    let age = entry.age(now);
    let older_than = |seconds: Option<u32>| seconds.is_some_and(|s| age.0 > u64::from(s).saturating_mul(1000));
    if entry.shape == TOMBSTONE {
        Verdict::Gone(GoneReason::Tombstone)
    } else if invalidation == Invalidation::Hard {
        Verdict::Gone(GoneReason::Purged)
    } else if older_than(entry.expire) && !Fault::ServesExpired.is_planted() {
        Verdict::Gone(GoneReason::Expired)
    } else if invalidation == Invalidation::Soft {
        Verdict::Stale(StaleReason::Tag)
    } else if older_than(revalidate) {
        Verdict::Stale(StaleReason::Age)
    } else {
        Verdict::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;
    use crate::entry::example;

    fn judged(age_ms: u64, invalidation: Invalidation) -> Verdict {
        let entry = example();
        judge(&entry, invalidation, entry.created_at.after(Span(age_ms)))
    }

    #[test]
    fn an_entry_is_fresh_up_to_and_including_its_lifetime() {
        assert_eq!(judged(60_000, Invalidation::None), Verdict::Fresh);
        assert_eq!(judged(60_001, Invalidation::None), Verdict::Stale(StaleReason::Age));
    }

    #[test]
    fn a_caller_may_want_an_entry_younger_or_older_than_it_says() {
        let entry = example();
        let judged =
            |revalidate, age| judge_within(&entry, revalidate, Invalidation::None, entry.created_at.after(Span(age)));
        assert_eq!(judged(Some(10), 10_001), Verdict::Stale(StaleReason::Age));
        assert_eq!(judged(Some(100), 61_000), Verdict::Fresh);
    }

    #[test]
    fn an_entry_past_expire_is_gone() {
        assert_eq!(judged(3_600_000, Invalidation::None), Verdict::Stale(StaleReason::Age));
        assert_eq!(judged(3_600_001, Invalidation::None), Verdict::Gone(GoneReason::Expired));
    }

    #[test]
    fn a_purged_entry_is_never_called_stale() {
        assert_eq!(judged(61_000, Invalidation::Hard), Verdict::Gone(GoneReason::Purged));
        assert_eq!(judged(0, Invalidation::Soft), Verdict::Stale(StaleReason::Tag));
    }

    #[test]
    fn an_expired_entry_is_not_served_because_a_tag_is_merely_stale() {
        assert_eq!(judged(4_000_000, Invalidation::Soft), Verdict::Gone(GoneReason::Expired));
    }

    #[test]
    fn an_entry_from_a_clock_ahead_of_ours_is_fresh() {
        let entry = example();
        assert_eq!(judge(&entry, Invalidation::None, Millis(1)), Verdict::Fresh);
    }

    #[test]
    fn a_tombstone_is_gone_whatever_its_age() {
        let entry = Entry { shape: TOMBSTONE.to_owned(), ..example() };
        assert_eq!(judge(&entry, Invalidation::None, entry.created_at), Verdict::Gone(GoneReason::Tombstone));
    }
}
