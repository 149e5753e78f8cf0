//! Points in time and spans, in whole milliseconds. Nothing here reads a clock.

use serde::{Deserialize, Serialize};

use crate::base::number;

/// A point in time: milliseconds since the Unix epoch, as the caller's clock tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Millis(#[serde(deserialize_with = "number::whole")] pub u64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Span(#[serde(deserialize_with = "number::whole")] pub u64);

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

    /// This span and then another.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
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

/// A stretch of one clock's time. A clock that is set back before its beginning has left it: what was put off for a second is not put
/// off for an hour because the clock was set back by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeWindow {
    from: Millis,
    length: Span,
}

impl TimeWindow {
    /// No time at all.
    pub const NONE: Self = Self { from: Millis(0), length: Span::ZERO };

    /// From a moment on, for so long.
    #[must_use]
    pub const fn of(from: Millis, length: Span) -> Self {
        Self { from, length }
    }

    /// What is left of it; zero before it begins and when it is over.
    #[must_use]
    pub const fn left(self, now: Millis) -> Span {
        if now.0 < self.from.0 { Span::ZERO } else { self.length.less(now.since(self.from)) }
    }

    /// Whether `now` lies in it.
    #[must_use]
    pub const fn contains(self, now: Millis) -> bool {
        self.left(now).0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_when_its_time_is_over_and_when_the_clock_is_set_back_before_it() {
        let stretch = TimeWindow::of(Millis(1000), Span(50));
        assert_eq!([999, 1000, 1049, 1050].map(|at| stretch.left(Millis(at)).0), [0, 50, 1, 0]);
        assert_eq!([999, 1000, 1049, 1050].map(|at| stretch.contains(Millis(at))), [false, true, true, false]);
        assert!(!TimeWindow::NONE.contains(Millis(0)));
    }

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
