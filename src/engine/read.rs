//! Reading an entry: memory, then KV beside the ledger, then the build's seed, then the coordinator.

use super::candidate::{Candidate, has};
use super::memory::{Remembered, Slot};
use super::protocol::{Caller, Effect, ReadCall, Reply, Source, Stored};
use super::{Engine, Machine, Progress, READ_LIMIT, pause};
use crate::base::fault::Fault;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};
use crate::entry::Entry;
use crate::entry::freshness::{GoneReason, StaleReason, Verdict, judge, judge_within};
use crate::entry::key::Kind;
use crate::ledger::{Invalidation, Known};
use crate::route::Lease;
use crate::wire::Check;

/// A read in progress.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) call: ReadCall,
    pub(super) begun_at: Millis,
    pub(super) asked_at: Millis,
    pub(super) asks_ledger: bool,
    /// Where the ledger copy stood when this read could first judge: waiters may serve what was fresh then.
    pub(super) start: Position,
    pub(super) candidate: Option<Candidate>,
    /// Where the ledger copy stood when the ledger was asked about the candidate.
    pub(super) checked_from: Position,
    /// Whether the ledger could not be reached by an isolate that has no copy.
    pub(super) without_ledger: bool,
    /// Whether an entry was there that must not be served.
    pub(super) renewed: bool,
    pub(super) absent: bool,
    pub(super) waited: bool,
    /// Whether there is something to serve if what this read waits for does not come.
    pub(super) has_fallback: bool,
    /// What came of asking whether this read's caller regenerates what is stale.
    pub(super) claim: Option<Claim>,
    pub(super) phase: Phase,
}

/// Whether the caller of a read regenerates what is stale.
#[derive(Debug, Clone)]
pub(super) enum Claim {
    /// It does, under this lease; without one the coordinator did not answer.
    Won(Option<Lease>),
    /// Somebody else does, or nobody for now.
    Lost,
}

/// What the host was asked to do last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Loading,
    Checking,
    Seeding,
    PublishingSeed,
    Asking,
    Claiming,
    Pausing,
    /// This isolate is invalidating one of the entry's tags.
    Yielding,
}

impl Read {
    pub(super) fn new(name: String, call: ReadCall, now: Millis) -> Self {
        Self {
            name,
            call,
            begun_at: now,
            asked_at: now,
            asks_ledger: false,
            start: Position::BEFORE_EVERYTHING,
            candidate: None,
            checked_from: Position::BEFORE_EVERYTHING,
            without_ledger: false,
            renewed: false,
            absent: false,
            waited: false,
            has_fallback: false,
            claim: None,
            phase: Phase::Loading,
        }
    }

    pub(super) fn perform(mut self, phase: Phase, effect: Effect, limit: Span) -> Progress {
        self.phase = phase;
        Progress::Perform(Machine::Read(Box::new(self)), effect, limit)
    }

    /// All tags that end an entry for this caller.
    fn tags<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a String> + Clone {
        entry.tags.iter().chain(&self.call.tags)
    }

    /// Up to where in the ledger nothing has ended this entry, as far as was asked: for its own tags that may be later than its
    /// position.
    fn known_until(&self, candidate: &Candidate) -> Position {
        if self.call.tags.is_empty() { candidate.known_until } else { candidate.entry.position }
    }

    fn judge(&self, entry: &Entry, invalidation: Invalidation, now: Millis) -> Verdict {
        judge_within(entry, self.call.revalidate.or(entry.revalidate), invalidation, now)
    }

    pub(super) fn is_passing(&self) -> bool {
        self.call.caller == Caller::Bystander
    }

    /// What the caller has that it could compare a newer entry with.
    pub(super) fn have(&self) -> Option<u64> {
        self.candidate.as_ref().and_then(|Candidate { entry, unshared, .. }| has(entry, *unshared))
    }
}

impl Engine {
    /// The slot of an entry in memory that is fresh for whoever asks, with nothing to ask anybody and nothing to note: what a
    /// [`super::Call::Read`] would end with, at the price of a look.
    ///
    /// For readers who bring neither tags nor a lifetime of their own, carry no lease, regenerate nothing, and whose pages are
    /// not made of what they read. Where it says nothing, the call has more to say.
    pub fn fresh_in_memory(&mut self, kind: Kind, key: &str, now: Millis) -> Option<Slot> {
        let records = |machine: &Machine| matches!(machine, Machine::Invalidate(_));
        let is_recording = self.machines.iter().any(|(_, _, machine)| records(machine));
        if is_recording || !self.ledger.exists() || self.ledger.is_due(self.options.window_ms, now) {
            return None;
        }
        let name = self.scope.entry_key(kind, key);
        let notes = self.notes.known(&name)?;
        let Remembered { entry, slot, known_until, unshared, .. } = self.memory.get(&name)?;
        let wants_more_life = entry.key_life.is_some_and(|life| life.is_past_half(now)) && !notes.touched.contains(now);
        let is_latest = entry.generation >= notes.seen && !unshared && !wants_more_life;
        let is_valid = self.ledger.knows(&entry.tags, *known_until, now) == Known::Is(Invalidation::None);
        (is_latest && is_valid && judge(entry, Invalidation::None, now) == Verdict::Fresh).then_some(*slot)
    }

    pub(super) fn begin_read(&mut self, read: Read, now: Millis) -> Progress {
        let carried = read.call.context.carried.as_ref().filter(|carried| carried.is_for(&read.name));
        let must_reach = carried.map_or(Position::BEFORE_EVERYTHING, |carried| carried.lease.position);
        let leads = carried.is_some();
        let young = !self.ledger.is_due(self.options.window_ms, now) && self.ledger.position().covers(must_reach);
        let mut read = read;
        read.candidate = self.held(&read.name);
        let wants_kv = !leads && self.wants_kv(&read, now);
        if young && !wants_kv {
            return self.judge_read(read, now);
        }
        read.asks_ledger = !young;
        let effect =
            Effect::Load { key: wants_kv.then(|| read.name.clone()), since: (!young).then(|| self.ledger.position()) };
        read.perform(Phase::Loading, effect, READ_LIMIT)
    }

    pub(super) fn resume_read(&mut self, mut read: Read, reply: Reply, now: Millis) -> Progress {
        match reply {
            Reply::Loaded { kv, since } => {
                match since {
                    Some(since) if Fault::AgeCountsFromTheAnswer.is_planted() => self.ledger.merge(since, now),
                    Some(since) => self.ledger.merge(since, read.asked_at),
                    None if read.asks_ledger => self.ledger.postpone(now),
                    None => {}
                }
                self.take_stored(&mut read, kv);
                self.judge_read(read, now)
            }
            Reply::Checked { invalidation } => self.checked(read, invalidation, now),
            Reply::Seeded { seed } => self.take_seed(read, seed, now),
            Reply::Published { answer } => self.seed_published(read, &answer, now),
            Reply::Acquired { answer, bytes, .. } if read.phase == Phase::Claiming => {
                self.claim_answered(read, answer, bytes, now)
            }
            Reply::Acquired { answer, bytes, waited } => {
                read.waited |= waited;
                self.take_answer(read, answer, bytes, now)
            }
            Reply::Done if read.phase == Phase::Yielding => self.judge_again(read, now),
            Reply::Done => self.look_again(read, now),
            _ => self.read_failed(read, now),
        }
    }

    /// A verdict on a candidate. What nobody else has is stale as soon as its coordinator may answer again.
    fn judge_candidate(
        &mut self,
        read: &Read,
        candidate: &Candidate,
        invalidation: Invalidation,
        now: Millis,
    ) -> Verdict {
        let verdict = read.judge(&candidate.entry, invalidation, now);
        let unshared =
            candidate.unshared && !Fault::KeepsItsOwn.is_planted() && !self.notes.of(&read.name).down.contains(now);
        if verdict == Verdict::Fresh && unshared { Verdict::Stale(StaleReason::Unshared) } else { verdict }
    }

    /// An entry this isolate has is enough while it is fresh.
    fn wants_kv(&mut self, read: &Read, now: Millis) -> bool {
        match &read.candidate {
            None => !read.call.context.absent && !self.notes.of(&read.name).uncacheable.contains(now),
            Some(held) => {
                match self.ledger.knows(read.tags(&held.entry), read.known_until(held), now) {
                    Known::Ask => true,
                    Known::Is(invalidation) => match self.judge_candidate(read, held, invalidation, now) {
                        Verdict::Fresh => false,
                        // While somebody renders, KV tells when that is done: a visitor who saw it elsewhere must not see the old page here.
                        Verdict::Stale(_) => true,
                        Verdict::Gone(_) => !read.call.context.absent,
                    },
                }
            }
        }
    }

    pub(super) fn held(&mut self, name: &str) -> Option<Candidate> {
        self.memory.get(name).map(|held| Candidate {
            entry: held.entry.clone(),
            source: Source::Memory,
            slot: Some(held.slot.0),
            header_bytes: 0,
            known_until: held.known_until,
            unshared: held.unshared,
        })
    }

    fn take_stored(&mut self, read: &mut Read, kv: Option<Stored>) {
        match kv {
            Some(Stored::Found(bytes)) => {
                if let Some(entry) = self.read_frame(&bytes) {
                    let newer = read.have().is_none_or(|have| entry.generation > have);
                    if newer {
                        read.candidate = Some(Candidate::of(entry, Source::Kv, &bytes));
                    }
                }
            }
            Some(Stored::Absent) => read.absent = true,
            Some(Stored::Unreadable) | None => {}
        }
    }

    pub(super) fn judge_read(&mut self, mut read: Read, now: Millis) -> Progress {
        read.start = read.call.context.position.unwrap_or_else(|| self.ledger.position());
        read.without_ledger = !self.ledger.exists();
        if read.call.context.carried.as_ref().is_some_and(|carried| carried.is_for(&read.name)) {
            return self.read_miss(&read, "leader", None);
        }
        if read.call.context.on_demand {
            return self.read_miss(&read, "on-demand", None);
        }
        let Some(candidate) = &read.candidate else {
            return self.nothing_to_serve(read, now);
        };
        if candidate.entry.generation < self.notes.of(&read.name).seen {
            // KV shows an older one than this isolate has seen: the coordinator has the newer.
            read.renewed = true;
            return self.nothing_to_serve(read, now);
        }
        if self.is_invalidating(read.tags(&candidate.entry), read.begun_at, now) {
            let ms = pause(read.begun_at, now);
            return read.perform(Phase::Yielding, Effect::Pause { ms }, READ_LIMIT);
        }
        match self.ledger.knows(read.tags(&candidate.entry), read.known_until(candidate), now) {
            Known::Is(invalidation) => self.verdict(read, invalidation, now),
            Known::Ask => {
                let tags = read.tags(&candidate.entry).cloned().collect();
                let message = Check { tags, position: candidate.entry.position };
                read.checked_from = self.ledger.position();
                read.perform(Phase::Checking, Effect::Check { message }, READ_LIMIT)
            }
        }
    }

    /// What the ledger has found uninvalidated is so at least up to where the copy stood then: from there on the copy knows all.
    fn checked(&mut self, mut read: Read, invalidation: Invalidation, now: Millis) -> Progress {
        if invalidation == Invalidation::None
            && read.call.tags.is_empty()
            && let Some(candidate) = &mut read.candidate
        {
            candidate.known_until = read.checked_from;
            self.memory.known_until(&read.name, candidate.entry.generation, read.checked_from);
        }
        self.verdict(read, invalidation, now)
    }

    pub(super) fn verdict(&mut self, mut read: Read, invalidation: Invalidation, now: Millis) -> Progress {
        let Some(candidate) = read.candidate.take() else {
            return self.nothing_to_serve(read, now);
        };
        let verdict = self.judge_candidate(&read, &candidate, invalidation, now);
        match verdict {
            // A page built on a part that was invalidated would be stored as fresh.
            Verdict::Stale(StaleReason::Tag)
                if read.call.context.nested && read.claim.is_none() && !read.is_passing() =>
            {
                read.candidate = Some(candidate);
                read.has_fallback = true;
                self.fill(read, now)
            }
            Verdict::Stale(_) if read.call.caller == Caller::Regenerator && read.claim.is_none() => {
                read.candidate = Some(candidate);
                self.claim(read, now)
            }
            Verdict::Fresh | Verdict::Stale(_) => self.serve(&read, candidate, verdict, true, now),
            // It says that there is no page, and not for how long. Hosts that find that out again each time need not wait for each other.
            Verdict::Gone(GoneReason::Tombstone) if read.call.caller != Caller::Regenerator => {
                self.read_miss(&read, verdict.as_str(), None)
            }
            // A waiter may serve once what was fresh when it asked.
            Verdict::Gone(GoneReason::Purged)
                if read.waited
                    && (candidate.entry.position.covers(read.start) || Fault::WaitersTakeAnything.is_planted()) =>
            {
                self.serve(&read, candidate, verdict, false, now)
            }
            Verdict::Gone(_) => {
                read.renewed = true;
                read.candidate = Some(candidate);
                self.nothing_to_serve(read, now)
            }
        }
    }

    /// Judges what this read was given since it began. It may be invalid already: then the next lease is asked for with its
    /// generation.
    pub(super) fn judge_again(&mut self, read: Read, now: Millis) -> Progress {
        let start = read.start;
        let mut read = read;
        read.call.context.position = Some(start);
        self.judge_read(read, now)
    }

    fn read_failed(&mut self, mut read: Read, now: Millis) -> Progress {
        match read.phase {
            Phase::Claiming => {
                let notes = self.notes.of(&read.name);
                notes.is_down(now);
                notes.hold = notes.down;
                read.claim = Some(Claim::Won(None));
                self.judge_again(read, now)
            }
            Phase::Loading => {
                self.ledger.postpone(now);
                self.judge_read(read, now)
            }
            Phase::Yielding => self.judge_again(read, now),
            // Older than the copy reaches, and nobody to ask: at worst one render too many.
            Phase::Checking => self.verdict(read, Invalidation::Hard, now),
            Phase::Seeding | Phase::Pausing => self.fill(read, now),
            Phase::PublishingSeed | Phase::Asking => {
                self.notes.of(&read.name).is_down(now);
                self.give_up(read, "coordinator-down", now)
            }
        }
    }
}
