//! The end of a history: nothing goes wrong any more, and what was promised for then must hold.

use onegen::base::time::Span;

use super::{Doing, Task, World, shortened};
use crate::plan::{Ending, PutEnding};
use crate::truth::NOTHING_BREAKS;

impl World {
    /// All that is under way comes to its end, and nothing goes wrong any more.
    pub(super) fn drain(&mut self) {
        for _ in 0..20_000 {
            if self.truth.violation.is_some() {
                return;
            }
            if self.deliver(0) {
                continue;
            }
            let making = |task: &Task| matches!(task.doing, Doing::MakingPage | Doing::MakingData { .. });
            if self.tasks.values().any(making) {
                self.nth_render_ends(0, Ending::Well);
            } else if self.objects.has_puts() {
                self.objects.put_ends(&mut self.truth, self.now, 0, PutEnding::Confirmed);
            } else if self.tasks.is_empty() && self.wires.is_empty() {
                return;
            } else {
                self.pass(Span(250));
            }
        }
        let evidence = format!("calls that never end: {:?}", self.tasks.values().next());
        self.truth.breaks(NOTHING_BREAKS, shortened(&evidence));
    }

    /// Time in which nothing goes wrong.
    pub(super) fn rest(&mut self, span: Span) {
        let end = self.now.after(span);
        while self.now < end && self.truth.violation.is_none() {
            self.pass(Span(500));
            self.drain();
        }
    }

    /// With every fault over, all isolates come to serve one version of each page, and KV has it.
    pub(crate) fn settle(&mut self) {
        self.tell(|| "everything is well from here on".to_owned());
        self.objects.heal();
        for isolate in &mut self.isolates {
            isolate.lags = false;
            if isolate.skew != 0 {
                (isolate.skew, isolate.calm_since) = (0, self.now);
            }
        }
        self.drain();
        // The longest back-off, and what a given-up put may take to land.
        self.rest(Span::seconds(420));
        for round in 0..3 {
            for isolate in 0..self.isolates.len() {
                for page in 0..3 {
                    self.visit(isolate, page, false, None);
                    self.drain();
                }
            }
            if round < 2 {
                self.rest(Span(1_500));
            }
        }
        self.must_be_shared();
        self.rest(Span::seconds(130));
        self.objects.must_agree(&mut self.truth);
        let leases = self.objects.live_leases(self.now);
        if leases > 0 {
            self.truth.breaks(NOTHING_BREAKS, format!("{leases} leases live when nobody renders"));
        }
        for isolate in 0..self.isolates.len() {
            self.pass(Span::seconds(70));
            self.copy(isolate);
            let machines = self.isolates[isolate].engine.machines();
            if machines > 0 {
                self.truth.breaks(NOTHING_BREAKS, format!("{machines} machines are left in isolate {isolate}"));
            }
        }
    }
}
