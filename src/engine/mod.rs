//! The engine: what an isolate does with a call of Next.js, one step at a time.
//!
//! [`Engine::begin`] starts a small machine for a call. Each step either names one effect for the host to perform, or is the
//! result. The host resumes the machine with the reply. Nothing here waits, and nothing is shared between machines but what
//! the isolate knows: its memory tier, its copy of the ledger, its notes of routes.
//!
//! A machine lives until it is done or its host has had ample time to reply; an aborted request leaves nothing behind.

mod candidate;
mod claim;
mod fill;
mod invalidate;
mod memory;
mod protocol;
mod read;
mod refresh;
mod route_notes;
mod serve;
mod store;
#[cfg(test)]
mod tests;

pub use memory::{MemoryTier, Placement, Remembered, Slot};
pub use protocol::{
    Bytes, Call, Caller, Effect, MemoryOrder, Outcome, ReadCall, ReadEntry, ReadMiss, Reply, RequestContext, Source,
    Step, Stored,
};

use crate::base::limits::EngineOptions;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};
use crate::entry::Entry;
use crate::entry::frame;
use crate::entry::key::{InvalidAppId, Scope};
use crate::ledger::{Invalidation, LedgerCopy};

use invalidate::{Invalidate, Observe, Query};
use read::Read;
use refresh::Refresh;
use route_notes::NotesByRoute;
use store::Store;

/// How long a read of KV or of the ledger may take.
const READ_LIMIT: Span = Span::seconds(3);
/// How long the coordinator may take beyond the wait that it was asked for.
const COORDINATOR_LIMIT: Span = Span::seconds(2);
/// The coordinator is not asked again sooner, whatever it answers.
const SHORTEST_HOLD: Span = Span::seconds(1);
/// How long a publication may take: it carries up to 25 MiB.
const PUBLISH_LIMIT: Span = Span::seconds(15);
/// Whoever waits for something in this isolate looks again no sooner, and no later.
const PAUSES: (Span, Span) = (Span(10), Span(250));
/// A machine whose host has not replied so long after its effect's deadline never will.
const GRACE: Span = Span::seconds(60);
/// Machines that nobody will resume are looked for so often.
const SWEEP_INTERVAL: Span = Span::seconds(10);

/// One isolate's engine.
#[derive(Debug, Clone)]
pub struct Engine {
    options: EngineOptions,
    scope: Scope,
    secret: String,
    memory: MemoryTier,
    ledger: LedgerCopy,
    notes: NotesByRoute,
    /// Those in progress, and until when somebody may go on with each. A request has few, and even a thousand are looked through
    /// within microseconds.
    machines: Vec<(u32, Millis, Machine)>,
    next_machine: u32,
    swept_at: Millis,
    corrupt: u64,
}

#[derive(Debug, Clone)]
enum Machine {
    Read(Box<Read>),
    Store(Box<Store>),
    Refresh(Box<Refresh>),
    Release,
    Invalidate(Invalidate),
    Query(Query),
    Observe(Observe),
}

/// What a machine wants next.
enum Progress {
    Perform(Machine, Effect, Span),
    Done(Outcome),
}

impl Engine {
    /// An engine for one build of an app.
    ///
    /// `build` is the deployment id, else the build id. `secret` signs leases; every isolate of the build has the same.
    ///
    /// # Errors
    /// When the app id cannot be used.
    pub fn new(options: EngineOptions, build: &str, secret: &str) -> Result<Self, InvalidAppId> {
        Ok(Self {
            scope: Scope::new(&options.app, build)?,
            secret: secret.to_owned(),
            memory: MemoryTier::new(options.memory_bytes),
            ledger: LedgerCopy::default(),
            notes: NotesByRoute::default(),
            machines: Vec::new(),
            next_machine: 0,
            swept_at: Millis(0),
            corrupt: 0,
            options,
        })
    }

    /// How many bytes the memory tier holds, by its own count.
    #[must_use]
    pub const fn memory_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// How many stored values could not be read because they were corrupt or of an unknown version.
    #[must_use]
    pub const fn corrupt_values(&self) -> u64 {
        self.corrupt
    }

    /// Where the copy of the ledger stands.
    #[must_use]
    pub const fn ledger_position(&self) -> Position {
        self.ledger.position()
    }

    /// How many calls are in progress.
    #[must_use]
    pub const fn machines(&self) -> usize {
        self.machines.len()
    }

    /// Where entries and ledger of this engine are found.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Takes a call.
    pub fn begin(&mut self, call: Call, now: Millis) -> Step {
        self.drop_forsaken(now);
        let progress = match call {
            Call::Read(call) => {
                let name = self.scope.entry_key(call.kind, &call.key);
                self.begin_read(Read::new(name, call, now), now)
            }
            Call::Store {
                kind,
                key,
                shape,
                parts,
                tags,
                revalidate,
                expire,
                lease,
                context,
                started_at,
                created_at,
            } => {
                let name = self.scope.entry_key(kind, &key);
                let entry = Entry {
                    generation: 0,
                    position: context.position.unwrap_or_default(),
                    created_at: created_at.map_or(now, |made| made.min(now)),
                    revalidate,
                    expire,
                    tags,
                    shape,
                    parts,
                    key_life: None,
                };
                self.begin_store(name, entry, lease, &context, now.since(started_at))
            }
            Call::Refresh { kind, key, generation, expire, nonce, context } => {
                let name = self.scope.entry_key(kind, &key);
                self.begin_refresh(name, generation, expire, nonce, &context, now)
            }
            Call::Release { entry_key, lease, reason } => self.begin_release(entry_key, &lease, reason),
            Call::Invalidate { tags, profile } => self.begin_invalidate(tags, profile, now),
            Call::Invalidated { tags, position } => self.begin_query(tags, position, now),
            Call::Observe { at_least } => self.begin_observe(at_least, now),
        };
        self.next(progress, now)
    }

    /// Goes on with a machine. One that is not known any more (it outlived its deadline, or the engine was made anew) ends.
    pub fn resume(&mut self, machine: u32, reply: Reply, now: Millis) -> Step {
        let Some(at) = self.machines.iter().position(|(id, ..)| *id == machine) else {
            return Step::Done(self.miss("engine-restarted"));
        };
        let (_, _, machine) = self.machines.swap_remove(at);
        let progress = match machine {
            Machine::Read(read) => self.resume_read(*read, reply, now),
            Machine::Store(store) => self.resume_store(*store, reply, now),
            Machine::Refresh(refresh) => self.resume_refresh(*refresh, reply, now),
            Machine::Release => self.resume_release(),
            Machine::Invalidate(invalidate) => self.resume_invalidate(invalidate, reply, now),
            Machine::Query(query) => self.resume_query(query, reply, now),
            Machine::Observe(observe) => self.resume_observe(&observe, reply, now),
        };
        self.next(progress, now)
    }

    fn drop_forsaken(&mut self, now: Millis) {
        if now.since(self.swept_at) >= SWEEP_INTERVAL {
            self.swept_at = now;
            self.machines.retain(|(_, until, _)| *until > now);
        }
    }

    fn next(&mut self, progress: Progress, now: Millis) -> Step {
        match progress {
            Progress::Done(outcome) => Step::Done(outcome),
            Progress::Perform(machine, effect, deadline) => {
                let id = self.next_machine;
                self.next_machine = self.next_machine.wrapping_add(1);
                self.machines.push((id, now.after(deadline).after(GRACE), machine));
                Step::Perform { machine: id, effect, deadline_ms: deadline }
            }
        }
    }

    fn miss(&self, reason: &'static str) -> Outcome {
        Outcome::Miss(ReadMiss {
            reason,
            lease: None,
            renewed: false,
            absent: false,
            expire: None,
            memory: MemoryOrder::default(),
            ledger: self.ledger.position(),
        })
    }

    fn ended(&self, reason: &'static str) -> Outcome {
        self.ended_with(reason, None, None)
    }

    fn ended_with(&self, reason: &'static str, generation: Option<u64>, invalidation: Option<Invalidation>) -> Outcome {
        Outcome::Ended {
            reason,
            generation,
            invalidation,
            position: self.ledger.position(),
            memory: MemoryOrder::default(),
        }
    }

    /// Reads stored bytes; what is corrupt is counted, and a miss.
    fn read_frame(&mut self, bytes: &Bytes) -> Option<Entry> {
        match frame::read(&bytes.header, bytes.total) {
            Ok(entry) => Some(entry),
            Err(_) => {
                self.corrupt = self.corrupt.saturating_add(1);
                None
            }
        }
    }

    fn remember(&mut self, name: &str, entry: &Entry, header_bytes: u64) -> MemoryOrder {
        self.notes.of(name).has_seen(entry.generation);
        order(self.memory.put(name, entry.clone(), header_bytes))
    }
}

/// How long to wait before the next look at what somebody else in this isolate is doing.
fn pause(begun_at: Millis, now: Millis) -> Span {
    Span(now.since(begun_at).0 / 4).clamp(PAUSES.0, PAUSES.1)
}

fn order(placement: Placement) -> MemoryOrder {
    MemoryOrder {
        keep: placement.slot.map(|slot| slot.0),
        forget: placement.evicted.into_iter().map(|slot| slot.0).collect(),
    }
}
