//! Whether the caller of a read that found something stale makes it anew.

use super::candidate::Candidate;
use super::protocol::{Bytes, Effect, Source};
use super::read::{Claim, Phase, Read};
use super::{COORDINATOR_LIMIT, Engine, Progress, SHORTEST_HOLD};
use crate::base::time::{Millis, Span, TimeWindow};
use crate::route::Need;
use crate::wire::{Acquire, Acquired};

impl Engine {
    /// What is stale is there to be served: does this caller make it anew? Nobody waits for that.
    pub(super) fn claim(&mut self, mut read: Read, now: Millis) -> Progress {
        let notes = self.notes.of(&read.name);
        if read.call.context.prefetch || notes.is_held(now) || notes.down.contains(now) {
            read.claim = Some(Claim::Lost);
            return self.judge_again(read, now);
        }
        // Nobody else here asks while this question is open.
        notes.hold = TimeWindow::of(now, COORDINATOR_LIMIT.and(SHORTEST_HOLD));
        let message = Acquire {
            have: read.have(),
            holder: read.call.nonce.clone(),
            position: self.ledger.position(),
            need: Need::Refresh,
            wait_ms: Span::ZERO,
        };
        let effect = Effect::Acquire { object: read.name.clone(), message };
        read.perform(Phase::Claiming, effect, COORDINATOR_LIMIT)
    }

    pub(super) fn claim_answered(
        &mut self,
        mut read: Read,
        answer: Acquired,
        bytes: Option<Bytes>,
        now: Millis,
    ) -> Progress {
        let notes = self.notes.of(&read.name);
        notes.is_up();
        let (claim, hold) = match answer {
            Acquired::Granted { lease, remaining_ms } => (Claim::Won(Some(lease)), remaining_ms),
            Acquired::Newer { .. } => (Claim::Lost, SHORTEST_HOLD),
            Acquired::Hold { ms, .. } | Acquired::Uncacheable { ms, .. } => (Claim::Lost, ms.max(SHORTEST_HOLD)),
        };
        notes.hold = TimeWindow::of(now, hold);
        read.claim = Some(claim);
        if let Some(bytes) = bytes
            && let Some(entry) = self.read_frame(&bytes)
        {
            read.candidate = Some(Candidate::of(entry, Source::Coordinator, &bytes));
        }
        self.judge_again(read, now)
    }
}
