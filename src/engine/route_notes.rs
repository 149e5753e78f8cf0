//! What an isolate remembers of a route beside its entry: what the coordinator said, and who is at work here.

use crate::base::fault::Fault;
use crate::base::lru::Lru;
use crate::base::time::{Millis, Span, TimeWindow};

/// Most routes remembered; beyond, those not used for longest are forgotten.
const ROUTES_HELD: usize = 4096;

/// First pause after a coordinator did not answer.
const FIRST_DOWN: Span = Span::seconds(1);
/// Longest such pause.
const LONGEST_DOWN: Span = Span::seconds(30);

/// One route's notes. All times are this isolate's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RouteNotes {
    /// The highest generation seen.
    pub(super) seen: u64,
    /// Meanwhile the coordinator is not asked for a refresh.
    pub(super) hold: TimeWindow,
    /// Meanwhile renders of this route make nobody wait.
    pub(super) uncacheable: TimeWindow,
    /// Meanwhile somebody in this isolate asks or renders; others look at memory instead of asking.
    pub(super) busy: TimeWindow,
    /// Meanwhile the coordinator is taken to be down.
    pub(super) down: TimeWindow,
    down_times: u32,
    /// Whether the build left no seed.
    pub(super) unseeded: bool,
    /// Meanwhile the KV key's life is not prolonged again.
    pub(super) touched: TimeWindow,
}

impl RouteNotes {
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
        self.down = TimeWindow::of(now, FIRST_DOWN.doubled(self.down_times, LONGEST_DOWN));
        self.down_times = self.down_times.saturating_add(1);
        self.busy = TimeWindow::NONE;
    }

    /// The coordinator answered.
    pub(super) fn is_up(&mut self) {
        self.down = TimeWindow::NONE;
        self.down_times = 0;
    }
}

/// The notes of all routes, bounded in number.
#[derive(Debug, Clone, Default)]
pub(super) struct NotesByRoute(Lru<RouteNotes>);

impl NotesByRoute {
    /// The notes of a route.
    pub(super) fn of(&mut self, name: &str) -> &mut RouteNotes {
        if self.0.len() >= ROUTES_HELD && self.0.peek(name).is_none() {
            self.0.remove_oldest();
        }
        self.0.get_or_default(name)
    }

    /// The notes of a route, if there are any. They count as used.
    pub(super) fn known(&mut self, name: &str) -> Option<&RouteNotes> {
        self.0.get(name).map(|notes| &*notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_routes_beyond_the_limit_the_one_not_used_for_longest_is_forgotten() {
        let mut notes = NotesByRoute::default();
        for n in 0..ROUTES_HELD {
            notes.of(&n.to_string()).seen = 1;
        }
        assert!(notes.known("0").is_some());
        notes.of("one more").seen = 1;
        assert_eq!(notes.0.len(), ROUTES_HELD);
        assert!(notes.known("0").is_some());
        assert!(notes.known("1").is_none());
        assert!(notes.known("2").is_some());
    }

    #[test]
    fn a_coordinator_that_stays_down_is_asked_ever_more_rarely() {
        let mut notes = RouteNotes::default();
        notes.is_down(Millis(0));
        assert_eq!(notes.down.left(Millis(0)), Span(1000));
        notes.is_down(Millis(1000));
        assert_eq!(notes.down.left(Millis(1000)), Span(2000));
        notes.is_up();
        notes.is_down(Millis(0));
        assert_eq!(notes.down.left(Millis(0)), Span(1000));
    }
}
