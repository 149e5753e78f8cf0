//! Regenerating what was served stale: ask for the lease, have the app render; and giving leases back.

use super::candidate::has;
use super::protocol::{Bytes, Effect, MemoryOrder, Outcome, Reply, RequestContext};
use super::{COORDINATOR_LIMIT, Engine, Machine, Progress, SHORTEST_HOLD};
use crate::base::time::{Millis, Span, TimeWindow};
use crate::route::lease_token::CarriedLease;
use crate::route::{AbandonReason, Lease, Need};
use crate::wire::{Abandon, Acquire, Acquired, LeaseName};

/// A regeneration outside any lease is waited for no longer.
const LONE_RENDER_LIMIT: Span = Span::seconds(30);

/// A regeneration in progress.
#[derive(Debug, Clone)]
pub(super) struct Refresh {
    name: String,
    expire: Option<u32>,
    lease: Option<Lease>,
    /// Whether what was served would be fresh if others had it, too: then nothing is gained by another that they have not.
    is_fresh_here: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asking,
    Rendering,
    GivingBack,
}

impl Refresh {
    fn perform(mut self, phase: Phase, effect: Effect, limit: Span) -> Progress {
        self.phase = phase;
        Progress::Perform(Machine::Refresh(Box::new(self)), effect, limit)
    }
}

impl Engine {
    pub(super) fn begin_refresh(
        &mut self,
        name: String,
        generation: u64,
        expire: Option<u32>,
        nonce: String,
        context: &RequestContext,
        now: Millis,
    ) -> Progress {
        if context.prefetch {
            return Progress::Done(self.ended("prefetch"));
        }
        let notes = self.notes.of(&name);
        if notes.is_held(now) {
            return Progress::Done(self.ended("held"));
        }
        if notes.down.contains(now) {
            return Progress::Done(self.ended("coordinator-down"));
        }
        // Nobody else here asks while this question is open: two that fail would be two back-offs, and two renders, at once.
        notes.hold = TimeWindow::of(now, COORDINATOR_LIMIT.and(SHORTEST_HOLD));
        let held = self.memory.get(&name).filter(|held| held.unshared && held.entry.generation == generation);
        let (have, is_fresh_here) = held.map_or((Some(generation), false), |held| {
            (has(&held.entry, true), held.entry.fresh_for(now) != Some(Span::ZERO))
        });
        let message =
            Acquire { have, holder: nonce, position: self.ledger.position(), need: Need::Refresh, wait_ms: Span::ZERO };
        let effect = Effect::Acquire { object: name.clone(), message };
        Refresh { name, expire, lease: None, is_fresh_here, phase: Phase::Asking }.perform(
            Phase::Asking,
            effect,
            COORDINATOR_LIMIT,
        )
    }

    pub(super) fn resume_refresh(&mut self, refresh: Refresh, reply: Reply, now: Millis) -> Progress {
        match reply {
            Reply::Acquired { answer, bytes, .. } => {
                self.notes.of(&refresh.name).is_up();
                self.refresh_answered(refresh, answer, bytes, now)
            }
            Reply::Regenerated { .. } => {
                // What was rendered is published by whoever rendered it; this isolate will find it in KV.
                self.notes.of(&refresh.name).hold = TimeWindow::NONE;
                Progress::Done(self.ended("regenerated"))
            }
            Reply::Failed => self.refresh_failed(refresh, now),
            _ => Progress::Done(self.ended("given-back")),
        }
    }

    fn refresh_answered(
        &mut self,
        mut refresh: Refresh,
        answer: Acquired,
        bytes: Option<Bytes>,
        now: Millis,
    ) -> Progress {
        match answer {
            Acquired::Granted { lease, remaining_ms } => {
                let token = CarriedLease::new(lease.clone(), &refresh.name, refresh.expire).sign(&self.secret);
                self.notes.of(&refresh.name).hold = TimeWindow::of(now, remaining_ms);
                refresh.lease = Some(lease);
                refresh.perform(Phase::Rendering, Effect::Regenerate { token: Some(token) }, remaining_ms)
            }
            Acquired::Newer { .. } => {
                self.notes.of(&refresh.name).hold = TimeWindow::of(now, SHORTEST_HOLD);
                Progress::Done(self.take_newer(&refresh, bytes.as_ref()))
            }
            Acquired::Hold { ms, reason, .. } | Acquired::Uncacheable { ms, reason } => {
                self.notes.of(&refresh.name).hold = TimeWindow::of(now, ms.max(SHORTEST_HOLD));
                Progress::Done(self.ended(reason.as_str()))
            }
        }
    }

    fn take_newer(&mut self, refresh: &Refresh, bytes: Option<&Bytes>) -> Outcome {
        let Some(bytes) = bytes else { return self.ended("corrupt") };
        let Some(entry) = self.read_frame(bytes) else { return self.ended("corrupt") };
        let header_bytes = bytes.total.saturating_sub(entry.body_bytes());
        let memory = if self.ledger.exists() {
            self.remember(&refresh.name, &entry, header_bytes)
        } else {
            MemoryOrder::default()
        };
        Outcome::Ended {
            reason: "newer",
            generation: Some(entry.generation),
            invalidation: None,
            position: self.ledger.position(),
            memory,
        }
    }

    fn refresh_failed(&mut self, mut refresh: Refresh, now: Millis) -> Progress {
        match (&refresh.phase, refresh.lease.take()) {
            (Phase::Asking, _) => {
                let notes = self.notes.of(&refresh.name);
                notes.is_down(now);
                notes.hold = notes.down;
                if refresh.is_fresh_here {
                    return Progress::Done(self.ended("coordinator-down"));
                }
                refresh.perform(Phase::Rendering, Effect::Regenerate { token: None }, LONE_RENDER_LIMIT)
            }
            (Phase::Rendering, Some(Lease { generation, holder, .. })) => {
                let message = Abandon { lease: LeaseName { generation, holder }, reason: AbandonReason::Failed };
                let effect = Effect::Abandon { object: refresh.name.clone(), message };
                refresh.perform(Phase::GivingBack, effect, COORDINATOR_LIMIT)
            }
            _ => Progress::Done(self.ended("failed")),
        }
    }

    pub(super) fn begin_release(&mut self, name: String, lease: &Lease, reason: AbandonReason) -> Progress {
        let notes = self.notes.of(&name);
        notes.busy = TimeWindow::NONE;
        notes.hold = TimeWindow::NONE;
        let message =
            Abandon { lease: LeaseName { generation: lease.generation, holder: lease.holder.clone() }, reason };
        let effect = Effect::Abandon { object: name, message };
        Progress::Perform(Machine::Release, effect, COORDINATOR_LIMIT)
    }

    pub(super) fn resume_release(&self) -> Progress {
        Progress::Done(self.ended("given-back"))
    }
}
