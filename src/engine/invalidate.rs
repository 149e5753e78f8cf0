//! Invalidating tags, asking about them, and keeping the ledger copy within its window.

use super::protocol::{Effect, Reply};
use super::{Engine, Machine, Progress, READ_LIMIT, pause};
use crate::base::position::Position;
use crate::base::time::{Millis, Span, TimeWindow};
use crate::ledger::Profile;
use crate::ledger::{Invalidation, Known};
use crate::wire::{Append, Check};

/// How often an invalidation is tried.
const APPEND_ATTEMPTS: u32 = 4;
/// Pause after the first failed attempt; doubled with each further one.
const FIRST_PAUSE: Span = Span(100);
/// Longest pause between attempts.
const LONGEST_PAUSE: Span = Span::seconds(2);

/// An invalidation in progress.
#[derive(Debug, Clone)]
pub(super) struct Invalidate {
    tags: Vec<String>,
    profile: Option<Profile>,
    attempts: u32,
    asked_at: Millis,
}

/// A question about tags in progress.
#[derive(Debug, Clone)]
pub(super) struct Query {
    tags: Vec<String>,
    position: Position,
    begun_at: Millis,
    asked_at: Millis,
}

/// A copy being brought up to its window.
#[derive(Debug, Clone)]
pub(super) struct Observe {
    asked_at: Millis,
}

impl Invalidate {
    /// Whether the ledger is being told of one of these tags.
    fn is_recording<'a>(&self, mut tags: impl Iterator<Item = &'a String>) -> bool {
        tags.any(|tag| self.tags.contains(tag))
    }
}

impl Engine {
    /// Whether whoever asks about these tags since `begun_at` should ask again: this isolate itself is invalidating one of
    /// them, and the ledger has not answered yet.
    pub(super) fn is_invalidating<'a>(
        &self,
        tags: impl Iterator<Item = &'a String> + Clone,
        begun_at: Millis,
        now: Millis,
    ) -> bool {
        let records = |machine: &Machine| matches!(machine, Machine::Invalidate(one) if one.is_recording(tags.clone()));
        TimeWindow::of(begun_at, READ_LIMIT).contains(now)
            && self.machines.iter().any(|(_, _, machine)| records(machine))
    }

    pub(super) fn begin_invalidate(&mut self, tags: Vec<String>, profile: Option<Profile>, now: Millis) -> Progress {
        if tags.is_empty() {
            return Progress::Done(self.ended("nothing"));
        }
        self.append(Invalidate { tags, profile, attempts: 0, asked_at: now }, now)
    }

    fn append(&mut self, mut invalidate: Invalidate, now: Millis) -> Progress {
        invalidate.attempts = invalidate.attempts.saturating_add(1);
        invalidate.asked_at = now;
        let message =
            Append { position: self.ledger.position(), tags: invalidate.tags.clone(), profile: invalidate.profile };
        Progress::Perform(Machine::Invalidate(invalidate), Effect::Append { message }, READ_LIMIT)
    }

    pub(super) fn resume_invalidate(&mut self, invalidate: Invalidate, reply: Reply, now: Millis) -> Progress {
        match reply {
            Reply::Appended { since } => {
                self.ledger.merge(since, invalidate.asked_at);
                Progress::Done(self.ended("recorded"))
            }
            Reply::Done => self.append(invalidate, now),
            _ if invalidate.attempts < APPEND_ATTEMPTS => {
                let ms = FIRST_PAUSE.doubled(invalidate.attempts.saturating_sub(1), LONGEST_PAUSE);
                Progress::Perform(Machine::Invalidate(invalidate), Effect::Pause { ms }, READ_LIMIT)
            }
            _ => Progress::Done(self.ended("not-recorded")),
        }
    }

    pub(super) fn begin_query(&mut self, tags: Vec<String>, position: Position, now: Millis) -> Progress {
        let query = Query { tags, position, begun_at: now, asked_at: now };
        if !self.ledger.is_due(self.options.window_ms, now) {
            return self.answer_query(query, now);
        }
        let effect = Effect::Load { key: None, since: Some(self.ledger.position()) };
        Progress::Perform(Machine::Query(query), effect, READ_LIMIT)
    }

    pub(super) fn resume_query(&mut self, query: Query, reply: Reply, now: Millis) -> Progress {
        match reply {
            Reply::Checked { invalidation } => Progress::Done(self.ended_with("checked", None, Some(invalidation))),
            Reply::Loaded { since: Some(since), .. } => {
                self.ledger.merge(since, query.asked_at);
                self.answer_query(query, now)
            }
            Reply::Done => self.answer_query(query, now),
            _ => {
                self.ledger.postpone(now);
                let invalidation = match self.ledger.knows(&query.tags, query.position, now) {
                    Known::Is(invalidation) => invalidation,
                    // Older than the copy reaches, and nobody to ask: at worst one read too many.
                    Known::Ask => Invalidation::Hard,
                };
                Progress::Done(self.ended_with("ledger-down", None, Some(invalidation)))
            }
        }
    }

    fn answer_query(&mut self, query: Query, now: Millis) -> Progress {
        if self.is_invalidating(query.tags.iter(), query.begun_at, now) {
            let ms = pause(query.begun_at, now);
            return Progress::Perform(Machine::Query(query), Effect::Pause { ms }, READ_LIMIT);
        }
        match self.ledger.knows(&query.tags, query.position, now) {
            Known::Is(invalidation) => Progress::Done(self.ended_with("known", None, Some(invalidation))),
            Known::Ask => {
                let message = Check { tags: query.tags.clone(), position: query.position };
                Progress::Perform(Machine::Query(query), Effect::Check { message }, READ_LIMIT)
            }
        }
    }

    pub(super) fn begin_observe(&mut self, at_least: Position, now: Millis) -> Progress {
        if !self.ledger.is_due(self.options.window_ms, now) && self.ledger.position().covers(at_least) {
            // One that has just not answered is asked again later.
            let within = self.ledger.is_within(self.options.window_ms, now);
            return Progress::Done(self.ended(if within { "within-window" } else { "ledger-down" }));
        }
        let effect = Effect::Load { key: None, since: Some(self.ledger.position()) };
        Progress::Perform(Machine::Observe(Observe { asked_at: now }), effect, READ_LIMIT)
    }

    pub(super) fn resume_observe(&mut self, observe: &Observe, reply: Reply, now: Millis) -> Progress {
        match reply {
            Reply::Loaded { since: Some(since), .. } => {
                self.ledger.merge(since, observe.asked_at);
                Progress::Done(self.ended("observed"))
            }
            _ => {
                self.ledger.postpone(now);
                Progress::Done(self.ended("ledger-down"))
            }
        }
    }
}
