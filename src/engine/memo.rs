//! What an isolate remembers of a route beside its entry: what the coordinator said, and who is at work here.

use crate::by_use::ByUse;
use crate::fault::Fault;
use crate::time::{Millis, Span, Stretch};

/// Most routes remembered; beyond, those not used for longest are forgotten.
const ROUTES_HELD: usize = 4096;

/// First pause after a coordinator did not answer.
const FIRST_DOWN: Span = Span::seconds(1);
/// Longest such pause.
const LONGEST_DOWN: Span = Span::seconds(30);

/// One route's notes. All times are this isolate's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memo {
    /// The highest generation seen.
    pub(super) seen: u64,
    /// Meanwhile the coordinator is not asked for a refresh.
    pub(super) hold: Stretch,
    /// Meanwhile renders of this route make nobody wait.
    pub(super) uncacheable: Stretch,
    /// Meanwhile somebody in this isolate asks or renders; others look at memory instead of asking.
    pub(super) busy: Stretch,
    /// Meanwhile the coordinator is taken to be down.
    pub(super) down: Stretch,
    down_times: u32,
    /// Whether the build left no seed.
    pub(super) unseeded: bool,
    /// Meanwhile the KV key's life is not prolonged again.
    pub(super) touched: Stretch,
}

impl Memo {
    /// An entry of this generation was served or stored, kept or not: none before it is served any more.
    pub(super) fn has_seen(&mut self, generation: u64) {
        if !Fault::ForgetsWhatItHasSeen.is_planted() {
            self.seen = self.seen.max(generation);
        }
    }

    /// The coordinator is not to be asked for a refresh yet.
    pub(super) fn is_held(&self, now: Millis) -> bool {
        self.hold.contains(now) && !Fault::ForgetsHolds.is_planted()
    }

    /// The coordinator did not answer.
    pub(super) fn is_down(&mut self, now: Millis) {
        self.down = Stretch::of(now, FIRST_DOWN.doubled(self.down_times, LONGEST_DOWN));
        self.down_times = self.down_times.saturating_add(1);
        self.busy = Stretch::NONE;
    }

    /// The coordinator answered.
    pub(super) fn is_up(&mut self) {
        self.down = Stretch::NONE;
        self.down_times = 0;
    }
}

/// The notes of all routes, bounded in number.
#[derive(Debug, Clone, Default)]
pub(super) struct Memos(ByUse<Memo>);

impl Memos {
    /// The notes of a route.
    pub(super) fn of(&mut self, name: &str) -> &mut Memo {
        if self.0.len() >= ROUTES_HELD && self.0.peek(name).is_none() {
            self.0.remove_oldest();
        }
        self.0.get_or_default(name)
    }

    /// The notes of a route, if there are any. They count as used.
    pub(super) fn known(&mut self, name: &str) -> Option<&Memo> {
        self.0.get(name).map(|memo| &*memo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_routes_beyond_the_limit_the_one_not_used_for_longest_is_forgotten() {
        let mut memos = Memos::default();
        for n in 0..ROUTES_HELD {
            memos.of(&n.to_string()).seen = 1;
        }
        assert!(memos.known("0").is_some());
        memos.of("one more").seen = 1;
        assert_eq!(memos.0.len(), ROUTES_HELD);
        assert!(memos.known("0").is_some());
        assert!(memos.known("1").is_none());
        assert!(memos.known("2").is_some());
    }

    #[test]
    fn a_coordinator_that_stays_down_is_asked_ever_more_rarely() {
        let mut memo = Memo::default();
        memo.is_down(Millis(0));
        assert_eq!(memo.down.left(Millis(0)), Span(1000));
        memo.is_down(Millis(1000));
        assert_eq!(memo.down.left(Millis(1000)), Span(2000));
        memo.is_up();
        memo.is_down(Millis(0));
        assert_eq!(memo.down.left(Millis(0)), Span(1000));
    }
}
