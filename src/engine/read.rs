//! Reading an entry: memory, then KV beside the ledger, then the build's seed, then the coordinator.

use super::call::{Bytes, Caller, Effect, MemoryOrder, Outcome, ReadCall, ReadEntry, ReadMiss, Reply, Source, Stored};
use super::refresh::SHORTEST_HOLD;
use super::{COORDINATOR_LIMIT, Engine, Machine, PUBLISH_LIMIT, Progress, READ_LIMIT, pause};
use crate::entry::{Entry, KeyLife};
use crate::fault::Fault;
use crate::freshness::{GoneReason, StaleReason, Verdict, judge, judge_within};
use crate::key::Kind;
use crate::lease::{Lease, Need};
use crate::memory::{Remembered, Slot};
use crate::position::Position;
use crate::tags::{Invalidation, Known};
use crate::time::{Millis, Span, Stretch};
use crate::wire::{Acquire, Acquired, Check, Publish, Published};

/// One question to the coordinator is held back no longer; a request with more patience asks again. So a coordinator that
/// never answers costs a request this long, not its whole wait limit.
const WAIT_SLICE: Span = Span::seconds(5);
/// One isolate asks for a longer life of a KV key once in such a part of it.
const TOUCHES_IN_LIFE: u64 = 4;

/// A read in progress.
#[derive(Debug, Clone)]
pub(super) struct Read {
    name: String,
    call: ReadCall,
    begun_at: Millis,
    asked_at: Millis,
    asks_ledger: bool,
    /// Where the ledger copy stood when this read could first judge: waiters may serve what was fresh then.
    start: Position,
    candidate: Option<Candidate>,
    /// Where the ledger copy stood when the ledger was asked about the candidate.
    checked_from: Position,
    /// Whether the ledger could not be reached by an isolate that has no copy.
    blind: bool,
    /// Whether an entry was there that must not be served.
    renewed: bool,
    absent: bool,
    waited: bool,
    /// Whether there is something to serve if what this read waits for does not come.
    spared: bool,
    /// What came of asking whether this read's caller regenerates what is stale.
    claim: Option<Claim>,
    phase: Phase,
}

/// Whether the caller of a read regenerates what is stale.
#[derive(Debug, Clone)]
enum Claim {
    /// It does, under this lease; without one the coordinator did not answer.
    Won(Option<Lease>),
    /// Somebody else does, or nobody for now.
    Lost,
}

/// What the host was asked to do last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
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

#[derive(Debug, Clone)]
struct Candidate {
    entry: Entry,
    source: Source,
    slot: Option<u32>,
    header_bytes: u64,
    known_until: Position,
    unshared: bool,
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
            blind: false,
            renewed: false,
            absent: false,
            waited: false,
            spared: false,
            claim: None,
            phase: Phase::Loading,
        }
    }

    fn perform(mut self, phase: Phase, effect: Effect, limit: Span) -> Progress {
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

    fn is_passing(&self) -> bool {
        self.call.caller == Caller::Bystander
    }

    /// What the caller has that it could compare a newer entry with.
    fn have(&self) -> Option<u64> {
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
        let memo = self.memos.known(&name)?;
        let Remembered { entry, slot, known_until, unshared, .. } = self.memory.get(&name)?;
        let wants_more_life = entry.key_life.is_some_and(|life| life.is_past_half(now)) && !memo.touched.contains(now);
        let is_latest = entry.generation >= memo.seen && !unshared && !wants_more_life;
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
            candidate.unshared && !Fault::KeepsItsOwn.is_planted() && !self.memos.of(&read.name).down.contains(now);
        if verdict == Verdict::Fresh && unshared { Verdict::Stale(StaleReason::Unshared) } else { verdict }
    }

    /// An entry this isolate has is enough while it is fresh.
    fn wants_kv(&mut self, read: &Read, now: Millis) -> bool {
        match &read.candidate {
            None => !read.call.context.absent && !self.memos.of(&read.name).uncacheable.contains(now),
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

    fn held(&mut self, name: &str) -> Option<Candidate> {
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

    fn judge_read(&mut self, mut read: Read, now: Millis) -> Progress {
        read.start = read.call.context.position.unwrap_or_else(|| self.ledger.position());
        read.blind = !self.ledger.exists();
        if read.call.context.carried.as_ref().is_some_and(|carried| carried.is_for(&read.name)) {
            return self.read_miss(&read, "leader", None);
        }
        if read.call.context.on_demand {
            return self.read_miss(&read, "on-demand", None);
        }
        let Some(candidate) = &read.candidate else {
            return self.nothing_to_serve(read, now);
        };
        if candidate.entry.generation < self.memos.of(&read.name).seen {
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

    fn verdict(&mut self, mut read: Read, invalidation: Invalidation, now: Millis) -> Progress {
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
                read.spared = true;
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

    fn serve(&mut self, read: &Read, candidate: Candidate, verdict: Verdict, remember: bool, now: Millis) -> Progress {
        let Candidate { entry, source, slot, header_bytes, known_until, .. } = candidate;
        let memory = if source == Source::Memory || read.blind || !remember {
            self.memos.of(&read.name).has_seen(entry.generation);
            MemoryOrder::default()
        } else {
            let order = self.remember(&read.name, &entry, header_bytes);
            self.memory.known_until(&read.name, entry.generation, known_until);
            order
        };
        let reason = if read.blind { "ledger-down" } else { verdict.as_str() };
        let touch = self.touches(&read.name, entry.key_life, now);
        let stale = matches!(verdict, Verdict::Stale(_));
        let (regenerate, lease) = match &read.claim {
            Some(Claim::Won(lease)) if stale => (true, lease.clone()),
            _ => (false, None),
        };
        let invalidated = matches!(verdict, Verdict::Stale(StaleReason::Tag) | Verdict::Gone(GoneReason::Purged));
        // Only the latest of a tag's invalidations is known: what is made of this may be older than all of them.
        let is_told = !Fault::DoesNotTellOfStaleParts.is_planted();
        let lowered = (invalidated && !regenerate && is_told).then_some(entry.position);
        // A page that began under a ledger that is lost now, and has a part that was checked by another, is vouched for by neither.
        let began = read.call.context.position.filter(|_| read.call.context.nested);
        let is_mixed = began.is_some_and(|began| began.is_foreign_to(self.ledger.position().epoch));
        let lowered = if is_mixed { Some(Position::BEFORE_EVERYTHING) } else { lowered };
        Progress::Done(Outcome::Entry(Box::new(ReadEntry {
            stale,
            regenerate,
            lease,
            reason,
            source,
            slot,
            memory,
            collapsed: read.waited,
            generation: entry.generation,
            position: entry.position,
            created_at: entry.created_at,
            revalidate: entry.revalidate,
            expire: entry.expire,
            tags: entry.tags,
            shape: entry.shape,
            header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
            parts: entry.parts,
            touch,
            brief: read.blind,
            ledger: self.ledger.position(),
            lowered,
        })))
    }

    /// Whether the KV key of what is served, from wherever, is past half of its life, and nobody here has just said so.
    fn touches(&mut self, name: &str, life: Option<KeyLife>, now: Millis) -> bool {
        let Some(life) = life.filter(|life| life.is_past_half(now)) else { return false };
        let memo = self.memos.of(name);
        let due = !memo.touched.contains(now);
        if due {
            memo.touched = Stretch::of(now, Span::seconds(life.seconds / TOUCHES_IN_LIFE));
        }
        due
    }

    /// What is stale is there to be served: does this caller make it anew? Nobody waits for that.
    fn claim(&mut self, mut read: Read, now: Millis) -> Progress {
        let memo = self.memos.of(&read.name);
        if read.call.context.prefetch || memo.is_held(now) || memo.down.contains(now) {
            read.claim = Some(Claim::Lost);
            return self.judge_again(read, now);
        }
        // Nobody else here asks while this question is open.
        memo.hold = Stretch::of(now, COORDINATOR_LIMIT.and(SHORTEST_HOLD));
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

    fn claim_answered(&mut self, mut read: Read, answer: Acquired, bytes: Option<Bytes>, now: Millis) -> Progress {
        let memo = self.memos.of(&read.name);
        memo.is_up();
        let (claim, hold) = match answer {
            Acquired::Granted { lease, remaining_ms } => (Claim::Won(Some(lease)), remaining_ms),
            Acquired::Newer { .. } => (Claim::Lost, SHORTEST_HOLD),
            Acquired::Hold { ms, .. } | Acquired::Uncacheable { ms, .. } => (Claim::Lost, ms.max(SHORTEST_HOLD)),
        };
        memo.hold = Stretch::of(now, hold);
        read.claim = Some(claim);
        if let Some(bytes) = bytes
            && let Some(entry) = self.read_frame(&bytes)
        {
            read.candidate = Some(Candidate::of(entry, Source::Coordinator, &bytes));
        }
        self.judge_again(read, now)
    }

    fn nothing_to_serve(&mut self, mut read: Read, now: Millis) -> Progress {
        read.spared = false;
        let seeded = read.call.seeded && read.candidate.is_none() && !self.memos.of(&read.name).unseeded;
        if seeded {
            let effect = Effect::Seed { key: read.call.key.clone() };
            return read.perform(Phase::Seeding, effect, READ_LIMIT);
        }
        self.fill(read, now)
    }

    fn take_seed(&mut self, mut read: Read, seed: Option<Bytes>, now: Millis) -> Progress {
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
                self.memos.of(&read.name).unseeded = true;
                self.fill(read, now)
            }
        }
    }

    fn seed_published(&mut self, mut read: Read, answer: &Published, now: Millis) -> Progress {
        self.memos.of(&read.name).unseeded = true;
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
    fn fill(&mut self, mut read: Read, now: Millis) -> Progress {
        if read.is_passing() {
            return self.read_miss(&read, "pass", None);
        }
        let patience = self.patience(&read, now);
        let memo = self.memos.of(&read.name);
        if memo.uncacheable.contains(now) {
            return self.give_up(read, "uncacheable", now);
        }
        if memo.down.contains(now) {
            return self.give_up(read, "coordinator-down", now);
        }
        if memo.busy.contains(now) && patience > Span::ZERO {
            read.waited = true;
            let ms = pause(read.begun_at, now).min(patience);
            return read.perform(Phase::Pausing, Effect::Pause { ms }, READ_LIMIT);
        }
        let wait = patience.min(WAIT_SLICE);
        let limit = wait.and(COORDINATOR_LIMIT);
        memo.busy = Stretch::of(now, limit);
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
    fn look_again(&mut self, mut read: Read, now: Millis) -> Progress {
        let have = read.have();
        if let Some(held) = self.held(&read.name)
            && have.is_none_or(|have| held.entry.generation > have)
        {
            read.candidate = Some(held);
            return self.judge_again(read, now);
        }
        self.fill(read, now)
    }

    fn take_answer(&mut self, mut read: Read, answer: Acquired, bytes: Option<Bytes>, now: Millis) -> Progress {
        let memo = self.memos.of(&read.name);
        memo.is_up();
        memo.busy = Stretch::NONE;
        match answer {
            Acquired::Granted { lease, remaining_ms } => {
                memo.busy = Stretch::of(now, remaining_ms);
                self.read_miss(&read, "leader", Some(lease))
            }
            Acquired::Uncacheable { ms, reason } => {
                memo.uncacheable = Stretch::of(now, ms);
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

    /// Judges what this read was given since it began. It may be invalid already: then the next lease is asked for with its
    /// generation.
    fn judge_again(&mut self, read: Read, now: Millis) -> Progress {
        let start = read.start;
        let mut read = read;
        read.call.context.position = Some(start);
        self.judge_read(read, now)
    }

    fn read_failed(&mut self, mut read: Read, now: Millis) -> Progress {
        match read.phase {
            Phase::Claiming => {
                let memo = self.memos.of(&read.name);
                memo.is_down(now);
                memo.hold = memo.down;
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
                self.memos.of(&read.name).is_down(now);
                self.give_up(read, "coordinator-down", now)
            }
        }
    }

    /// What was waited for does not come: the caller renders, or takes what there is.
    fn give_up(&mut self, mut read: Read, reason: &'static str, now: Millis) -> Progress {
        if !read.spared {
            return self.read_miss(&read, reason, None);
        }
        read.claim = Some(Claim::Lost);
        self.judge_again(read, now)
    }

    fn read_miss(&mut self, read: &Read, reason: &'static str, lease: Option<Lease>) -> Progress {
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
    fn patience(&self, read: &Read, now: Millis) -> Span {
        Stretch::of(read.begun_at, self.options.wait_ms.less(read.call.context.waited_ms)).left(now)
    }
}

impl Candidate {
    fn of(entry: Entry, source: Source, bytes: &Bytes) -> Self {
        let header_bytes = bytes.total.saturating_sub(entry.body_bytes());
        let known_until = entry.position;
        Self { entry, source, slot: None, header_bytes, known_until, unshared: false }
    }
}

/// The generation that an isolate has. What nobody else has bears the number of the latest it has seen, and is not that one.
pub(super) const fn has(entry: &Entry, unshared: bool) -> Option<u64> {
    if unshared { entry.generation.checked_sub(1) } else { Some(entry.generation) }
}
