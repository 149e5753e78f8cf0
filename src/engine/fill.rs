//! A read with nothing to serve: the build's seed, then the lease, or the wait for the render of its holder.

use super::candidate::Candidate;
use super::protocol::{Bytes, Effect, MemoryOrder, Outcome, ReadMiss, Source};
use super::read::{Claim, Phase, Read};
use super::{COORDINATOR_LIMIT, Engine, PUBLISH_LIMIT, Progress, READ_LIMIT, pause};
use crate::base::time::{Millis, Span, TimeWindow};
use crate::entry::KeyLife;
use crate::route::{Lease, Need};
use crate::wire::{Acquire, Acquired, Publish, Published};

/// One question to the coordinator is held back no longer; a request with more patience asks again. So a coordinator that
/// never answers costs a request this long, not its whole wait limit.
const WAIT_SLICE: Span = Span::seconds(5);

impl Engine {
    pub(super) fn nothing_to_serve(&mut self, mut read: Read, now: Millis) -> Progress {
        read.has_fallback = false;
        let seeded = read.call.seeded && read.candidate.is_none() && !self.notes.of(&read.name).unseeded;
        if seeded {
            let effect = Effect::Seed { key: read.call.key.clone() };
            return read.perform(Phase::Seeding, effect, READ_LIMIT);
        }
        self.fill(read, now)
    }

    pub(super) fn take_seed(&mut self, mut read: Read, seed: Option<Bytes>, now: Millis) -> Progress {
        let found =
            seed.and_then(|bytes| self.read_frame(&bytes).map(|entry| Candidate::of(entry, Source::Seed, &bytes)));
        match found {
            Some(candidate) => {
                read.candidate = Some(candidate);
                let message = Publish { lease: None, seed: true, render_ms: Span::ZERO };
                let effect = Effect::PublishSeed { object: read.name.clone(), message };
                read.perform(Phase::PublishingSeed, effect, PUBLISH_LIMIT)
            }
            None => {
                self.notes.of(&read.name).unseeded = true;
                self.fill(read, now)
            }
        }
    }

    pub(super) fn seed_published(&mut self, mut read: Read, answer: &Published, now: Millis) -> Progress {
        self.notes.of(&read.name).unseeded = true;
        match answer {
            Published::Accepted { key_life_seconds, .. } => {
                if let Some(candidate) = &mut read.candidate {
                    candidate.entry.key_life = key_life_seconds.map(|seconds| KeyLife { put_at: now, seconds });
                }
                self.judge_read(read, now)
            }
            Published::Fenced { .. } => {
                read.candidate = None;
                self.fill(read, now)
            }
        }
    }

    /// Nobody here has anything to serve: render, or wait for whoever does.
    pub(super) fn fill(&mut self, mut read: Read, now: Millis) -> Progress {
        if read.is_passing() {
            return self.read_miss(&read, "pass", None);
        }
        let patience = self.patience(&read, now);
        let notes = self.notes.of(&read.name);
        if notes.uncacheable.contains(now) {
            return self.give_up(read, "uncacheable", now);
        }
        if notes.down.contains(now) {
            return self.give_up(read, "coordinator-down", now);
        }
        if notes.busy.contains(now) && patience > Span::ZERO {
            read.waited = true;
            let ms = pause(read.begun_at, now).min(patience);
            return read.perform(Phase::Pausing, Effect::Pause { ms }, READ_LIMIT);
        }
        let wait = patience.min(WAIT_SLICE);
        let limit = wait.and(COORDINATOR_LIMIT);
        notes.busy = TimeWindow::of(now, limit);
        let message = Acquire {
            have: read.have(),
            holder: read.call.nonce.clone(),
            position: self.ledger.position(),
            need: Need::Fill,
            wait_ms: wait,
        };
        read.asked_at = now;
        let effect = Effect::Acquire { object: read.name.clone(), message };
        read.perform(Phase::Asking, effect, limit)
    }

    /// Somebody in this isolate was at work: has it become an entry?
    pub(super) fn look_again(&mut self, mut read: Read, now: Millis) -> Progress {
        let have = read.have();
        if let Some(held) = self.held(&read.name)
            && have.is_none_or(|have| held.entry.generation > have)
        {
            read.candidate = Some(held);
            return self.judge_again(read, now);
        }
        self.fill(read, now)
    }

    pub(super) fn take_answer(
        &mut self,
        mut read: Read,
        answer: Acquired,
        bytes: Option<Bytes>,
        now: Millis,
    ) -> Progress {
        let notes = self.notes.of(&read.name);
        notes.is_up();
        notes.busy = TimeWindow::NONE;
        match answer {
            Acquired::Granted { lease, remaining_ms } => {
                notes.busy = TimeWindow::of(now, remaining_ms);
                self.read_miss(&read, "leader", Some(lease))
            }
            Acquired::Uncacheable { ms, reason } => {
                notes.uncacheable = TimeWindow::of(now, ms);
                self.give_up(read, reason.as_str(), now)
            }
            Acquired::Hold { .. } => {
                read.waited = true;
                if self.patience(&read, now) == Span::ZERO {
                    return self.give_up(read, "wait-limit", now);
                }
                self.fill(read, now)
            }
            Acquired::Newer { generation } => {
                let newer = bytes.and_then(|bytes| {
                    let entry = self.read_frame(&bytes)?;
                    (entry.generation == generation).then(|| Candidate::of(entry, Source::Coordinator, &bytes))
                });
                match newer {
                    Some(newer) => {
                        read.candidate = Some(newer);
                        self.judge_again(read, now)
                    }
                    None => self.read_miss(&read, "corrupt", None),
                }
            }
        }
    }

    /// What was waited for does not come: the caller renders, or takes what there is.
    pub(super) fn give_up(&mut self, mut read: Read, reason: &'static str, now: Millis) -> Progress {
        if !read.has_fallback {
            return self.read_miss(&read, reason, None);
        }
        read.claim = Some(Claim::Lost);
        self.judge_again(read, now)
    }

    pub(super) fn read_miss(&mut self, read: &Read, reason: &'static str, lease: Option<Lease>) -> Progress {
        Progress::Done(Outcome::Miss(ReadMiss {
            reason,
            lease,
            renewed: read.renewed,
            absent: read.absent,
            expire: read.candidate.as_ref().and_then(|candidate| candidate.entry.expire),
            memory: MemoryOrder::default(),
            ledger: self.ledger.position(),
        }))
    }

    /// How much longer this request may wait for renders of others.
    pub(super) fn patience(&self, read: &Read, now: Millis) -> Span {
        TimeWindow::of(read.begun_at, self.options.wait_ms.less(read.call.context.waited_ms)).left(now)
    }
}
