//! Points in time and spans, in whole milliseconds. Nothing here reads a clock.

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, as the caller's clock tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Millis {
    /// This point moved `span` into the future; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` until this point; zero when `earlier` lies later (a clock went back).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The time left until `later`; zero when it has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Span {
        later.since(self)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// This span in whole seconds, rounded down.
    #[must_use]
    pub const fn whole_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This span `factor` times.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// What is left of this span after `spent` of it; zero when nothing is.
    #[must_use]
    pub const fn less(self, spent: Self) -> Self {
        Self(self.0.saturating_sub(spent.0))
    }

    /// This span doubled `times` times, at most `cap`: the usual exponential back-off.
    #[must_use]
    pub const fn doubled(self, times: u32, cap: Self) -> Self {
        let factor = match 1u64.checked_shl(times) {
            Some(factor) => factor,
            None => u64::MAX,
        };
        let grown = self.0.saturating_mul(factor);
        if grown < cap.0 { Self(grown) } else { cap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_gives_no_negative_span() {
        assert_eq!(Millis(5).since(Millis(9)), Span::ZERO);
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_and_never_wraps() {
        let first = Span::seconds(1);
        let cap = Span::seconds(300);
        assert_eq!(first.doubled(0, cap), Span::seconds(1));
        assert_eq!(first.doubled(3, cap), Span::seconds(8));
        assert_eq!(first.doubled(9, cap), cap);
        assert_eq!(first.doubled(u32::MAX, cap), cap);
    }
}
