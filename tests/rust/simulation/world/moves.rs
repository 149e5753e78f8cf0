//! What each move of a plan does to the world.

use onegen::base::time::Span;
use onegen::engine::{Call, Effect};
use onegen::route::{AbandonReason, Lease};

use super::{Doing, Isolate, Sent, Task, World};
use crate::faults::Glue;
use crate::plan::{Ending, Move};

impl World {
    pub(crate) fn make(&mut self, one: &Move) {
        self.tell(|| format!("{one:?}"));
        let now = self.now;
        if matches!(one, Move::Crash { .. } | Move::Panic { .. } | Move::Evict { .. } | Move::Outage { .. }) {
            self.truth.lossy_at = now;
        }
        match one.clone() {
            Move::Visit { isolate, page, prefetch } => self.visit(isolate, page, prefetch, None),
            Move::Invalidate { isolate, tag, profile } => self.invalidate(isolate, tag, profile),
            Move::Deliver { nth } => drop(self.deliver(nth)),
            Move::Lose { nth } => {
                if let Some(id) = self.nth_wire(nth)
                    && let Some(wire) = self.wires.get_mut(&id)
                    && !matches!(wire.effect, Effect::Pause { .. })
                {
                    self.truth.occurs("message lost");
                    self.truth.lossy_at = now;
                    wire.state = Sent::Lost;
                }
            }
            Move::Repeat { nth } => {
                if let Some(id) = self.nth_wire(nth)
                    && let effect = self.wires[&id].effect.clone()
                    && !matches!(effect, Effect::Pause { .. } | Effect::Regenerate { .. })
                {
                    self.truth.occurs("message repeated");
                    self.taken(id, &effect);
                    self.wake();
                }
            }
            Move::RenderEnds { nth, how } => self.nth_render_ends(nth, how),
            Move::PutEnds { nth, how } => self.objects.put_ends(&mut self.truth, now, nth, how),
            Move::StrayPutLands { nth } => self.objects.stray_lands(&mut self.truth, nth, now),
            Move::Pass { span } => self.pass(span),
            Move::Crash { isolate, other_build } => self.crash(isolate, other_build),
            Move::Panic { isolate } => {
                self.truth.occurs("panic");
                let build = self.isolates[isolate].build;
                self.isolates[isolate].engine = self.engine(build);
                self.isolates[isolate].engines += 1;
                self.isolates[isolate].served.clear();
                self.isolates[isolate].holds.clear();
                self.isolates[isolate].calm_since = now;
            }
            Move::SetClock { isolate, back, by } => {
                self.truth.occurs("clock set");
                let by = i64::try_from(by.0).unwrap_or(0);
                self.isolates[isolate].skew += if back { -by } else { by };
                self.isolates[isolate].calm_since = now;
                // What it was told is for a time that its clock does not know any more.
                self.isolates[isolate].holds.clear();
            }
            Move::Evict { nth } => {
                self.objects.evict(&mut self.truth, nth, now);
                self.wake();
            }
            Move::Outage { of, begins } => {
                self.objects.down.retain(|part| *part != of);
                if begins {
                    self.truth.occurs("outage");
                    self.objects.down.push(of);
                }
            }
            Move::AlarmsAreLate { late } => self.objects.alarms_are_late = late,
            Move::KvLags { isolate, lags } => self.isolates[isolate].lags = lags,
            Move::RecreateLedger => {
                self.truth.occurs("ledger lost");
                self.truth.lost_ledgers.push(self.objects.head().epoch);
                self.pass(Span(1));
                self.objects.recreate_ledger(self.now);
            }
        }
    }

    pub(super) fn crash(&mut self, isolate: usize, other_build: bool) {
        self.truth.occurs(if other_build { "deployment" } else { "crash" });
        let Isolate { host, build, skew, .. } = self.isolates[isolate];
        let build = if other_build { 1 - build } else { build };
        self.isolates[isolate] = self.isolate(host, build, skew);
        self.tasks.retain(|_, task| task.isolate != isolate);
        self.wires.retain(|id, _| self.tasks.contains_key(id));
    }

    pub(super) fn nth_render_ends(&mut self, nth: usize, how: Ending) {
        let making = |task: &Task| matches!(task.doing, Doing::MakingPage | Doing::MakingData { .. });
        let ids: Vec<_> = self.tasks.iter().filter(|(_, task)| making(task)).map(|(id, _)| *id).collect();
        if let Some(nth) = nth.checked_rem(ids.len())
            && let Some(id) = ids.get(nth)
            && let Some(task) = self.tasks.remove(id)
        {
            self.render_ends(task, how);
        }
    }

    pub(crate) fn release(&mut self, mut task: Task, lease: Lease, reason: AbandonReason) {
        self.truth.render_ended(&lease.holder, self.now);
        if self.glue == Some(Glue::LeaseIsNotGivenBack) {
            return;
        }
        let entry_key = self.page_key(task.isolate, task.page);
        task.doing = Doing::Releasing;
        self.begin(task, Call::Release { entry_key, lease, reason });
    }
}
