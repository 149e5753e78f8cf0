//! How busy an object is, and the window between the questions of each isolate that follows from it.
//!
//! An answer to an isolate says when to ask again, so that a ledger with too many isolates is asked more rarely by each. What is
//! counted are requests, not time spent: the same requests at the same times give the same windows.

use crate::base::limits::{EngineOptions, LEDGER_BUSY, LEDGER_QUIET, LONGEST_DICTATED_WINDOW};
use crate::base::time::{Millis, Span};

/// Counts are kept for each part of a second, for as long as the longest window.
const PART: Span = Span(100);
#[allow(clippy::cast_possible_truncation)]
const PARTS: usize = (LONGEST_DICTATED_WINDOW.0 / PART.0) as usize;

/// The requests of the last seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    parts: [u32; PARTS],
    /// Which part of all time was counted last.
    latest: u64,
    window: Span,
    changed_at: Millis,
}

impl Default for Load {
    fn default() -> Self {
        Self { parts: [0; PARTS], latest: 0, window: Span::ZERO, changed_at: Millis(0) }
    }
}

impl Load {
    /// Counts a request; the window that its answer dictates, or nothing while everybody may keep to their own.
    pub fn count(&mut self, now: Millis) -> Span {
        let window = self.window.max(usual());
        let requests = self.requests_a_second(now, window);
        // A change shows only when everybody has heard of it.
        let shows = now < self.changed_at || now.since(self.changed_at) >= window;
        if shows && requests > LEDGER_BUSY && self.window < LONGEST_DICTATED_WINDOW {
            self.change(window.doubled(1, LONGEST_DICTATED_WINDOW), now);
        } else if shows && requests < LEDGER_QUIET && self.window > Span::ZERO {
            self.change(Some(Span(self.window.0 / 2)).filter(|half| *half > usual()).unwrap_or_default(), now);
        }
        self.window
    }

    /// The window that answers dictate; none while everybody may keep to their own.
    #[must_use]
    pub const fn window(&self) -> Span {
        self.window
    }

    fn change(&mut self, window: Span, now: Millis) {
        self.window = window;
        self.changed_at = now;
    }

    /// How many there are in a second, this one among them, over a whole window: isolates that heard of it at the same time ask again at
    /// the same time, and between two such times there is nobody.
    fn requests_a_second(&mut self, now: Millis, window: Span) -> u32 {
        let part = now.0.checked_div(PART.0).unwrap_or(0);
        if part.abs_diff(self.latest) >= PARTS as u64 {
            // Long ago, or a clock that went back.
            self.parts = [0; PARTS];
            self.latest = part;
        }
        while self.latest < part {
            self.latest = self.latest.saturating_add(1);
            self.set_latest(|_| 0);
        }
        self.set_latest(|count| count.saturating_add(1));
        let parts = window.0.checked_div(PART.0).unwrap_or(0).clamp(1, PARTS as u64);
        let counted = (0..parts).filter_map(|back| self.part(self.latest.checked_sub(back)?));
        let sum = counted.fold(0_u64, |sum, count| sum.saturating_add(count.into()));
        let a_second = sum.saturating_mul(1000).checked_div(parts.saturating_mul(PART.0)).unwrap_or(0);
        u32::try_from(a_second).unwrap_or(u32::MAX)
    }

    fn part(&self, number: u64) -> Option<u32> {
        let at = usize::try_from(number.checked_rem(PARTS as u64)?).ok()?;
        self.parts.get(at).copied()
    }

    fn set_latest(&mut self, change: impl Fn(u32) -> u32) {
        let at = self.latest.checked_rem(PARTS as u64).and_then(|at| usize::try_from(at).ok());
        if let Some(count) = at.and_then(|at| self.parts.get_mut(at)) {
            *count = change(*count);
        }
    }
}

fn usual() -> Span {
    EngineOptions::default().window_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_800_000_000_000);

    /// The windows told at the end of each second of a steady load.
    fn told(load: &mut Load, start: Millis, each_second: u32, seconds: u64) -> Vec<u64> {
        let mut windows = Vec::new();
        for second in 0..seconds {
            let mut window = Span::ZERO;
            for n in 0..each_second {
                window = load.count(start.after(Span(second * 1000 + u64::from(n) * 1000 / u64::from(each_second))));
            }
            windows.push(window.whole_seconds());
        }
        windows
    }

    #[test]
    fn an_object_that_is_not_busy_dictates_nothing() {
        assert_eq!(told(&mut Load::default(), START, LEDGER_BUSY, 5), [0; 5]);
    }

    #[test]
    fn a_busy_object_doubles_the_window_up_to_a_limit_once_each_change_shows() {
        let windows = told(&mut Load::default(), START, 2 * LEDGER_BUSY, 12);
        assert_eq!(windows, [2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8]);
    }

    #[test]
    fn between_busy_and_quiet_the_window_stays() {
        let mut load = Load::default();
        told(&mut load, START, 2 * LEDGER_BUSY, 3);
        assert_eq!(told(&mut load, START.after(Span::seconds(3)), 300, 20), [4; 20]);
    }

    #[test]
    fn a_quiet_object_takes_the_window_back_step_by_step() {
        let mut load = Load::default();
        told(&mut load, START, 2 * LEDGER_BUSY, 12);
        let windows = told(&mut load, START.after(Span::seconds(12)), 10, 20);
        assert_eq!(windows.first(), Some(&8), "the last seconds were busy");
        assert_eq!(windows.last(), Some(&0));
        assert!(windows.is_sorted_by(|a, b| a >= b), "{windows:?}");
    }

    #[test]
    fn a_burst_that_is_over_does_not_count_later() {
        let mut load = Load::default();
        for _ in 0..LEDGER_BUSY {
            load.count(START);
        }
        assert_eq!(load.count(START.after(Span(1000))), Span::ZERO);
    }

    #[test]
    fn a_clock_that_goes_back_neither_counts_for_ever_nor_holds_the_window() {
        let mut load = Load::default();
        told(&mut load, START, 2 * LEDGER_BUSY, 3);
        assert_eq!(told(&mut load, Millis(START.0 - 3_600_000), 10, 10).last(), Some(&0));
    }
}
