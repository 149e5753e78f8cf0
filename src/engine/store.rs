//! Storing a render: lay out its header, publish it through the route's coordinator, remember it here.

use super::memory::{MemoryTier, Placement};
use super::protocol::{Effect, MemoryOrder, Outcome, Reply, RequestContext};
use super::{COORDINATOR_LIMIT, Engine, Machine, PUBLISH_LIMIT, Progress, order};
use crate::base::fault::Fault;
use crate::base::limits::KV_VALUE_LIMIT;
use crate::base::time::{Millis, Span, TimeWindow};
use crate::entry::frame;
use crate::entry::{Entry, KeyLife};
use crate::route::{AbandonReason, Lease};
use crate::wire::{Abandon, LeaseName, Publish, Published};

/// A publication in progress.
#[derive(Debug, Clone)]
pub(super) struct Store {
    name: String,
    entry: Entry,
    ends: &'static str,
}

impl Engine {
    pub(super) fn begin_store(
        &mut self,
        name: String,
        mut entry: Entry,
        lease: Option<Lease>,
        context: &RequestContext,
        render_time: Span,
    ) -> Progress {
        let carried = context.carried.as_ref().filter(|carried| carried.is_for(&name));
        let lease = lease.or_else(|| carried.map(|carried| carried.lease.clone()));
        if let Some(lease) = &lease {
            entry.generation = lease.generation;
            // Whoever renders for another isolate may not have been able to bring its copy up to where that one's stood.
            let outranks = carried.is_none() || Fault::CarriedLeaseOutranksItsRequest.is_planted();
            let known = if outranks { lease.position } else { entry.position };
            entry.position = lease.position.lower_of(known);
        }
        entry.position = context.lowered.map_or(entry.position, |lowered| entry.position.lower_of(lowered));
        // A regeneration's own `expire` is not told by every host: then the replaced entry's still holds.
        entry.expire = entry.expire.or_else(|| carried.and_then(|carried| carried.expire));
        if entry.revalidate == Some(0) {
            return self.do_not_store(name, entry, lease, "uncacheable");
        }
        let header = frame::header(&entry);
        if (header.len() as u64).saturating_add(entry.body_bytes()) > KV_VALUE_LIMIT {
            return self.do_not_store(name, entry, lease, "too-large");
        }
        let lease = lease.map(|Lease { generation, holder, .. }| LeaseName { generation, holder });
        let message = Publish { lease, seed: false, render_ms: render_time };
        let effect = Effect::Publish { object: name.clone(), message, header };
        Progress::Perform(Machine::Store(Box::new(Store { name, entry, ends: "" })), effect, PUBLISH_LIMIT)
    }

    fn do_not_store(&mut self, name: String, entry: Entry, lease: Option<Lease>, ends: &'static str) -> Progress {
        let Some(Lease { generation, holder, .. }) = lease else {
            return Progress::Done(self.ended(ends));
        };
        let message = Abandon { lease: LeaseName { generation, holder }, reason: AbandonReason::NotStored };
        let effect = Effect::Abandon { object: name.clone(), message };
        Progress::Perform(Machine::Store(Box::new(Store { name, entry, ends })), effect, COORDINATOR_LIMIT)
    }

    pub(super) fn resume_store(&mut self, mut store: Store, reply: Reply, now: Millis) -> Progress {
        let notes = self.notes.of(&store.name);
        notes.busy = TimeWindow::NONE;
        match reply {
            Reply::Published { answer: Published::Accepted { generation, key_life_seconds } } => {
                notes.is_up();
                notes.hold = TimeWindow::NONE;
                notes.uncacheable = TimeWindow::NONE;
                notes.has_seen(generation);
                store.entry.generation = generation;
                store.entry.key_life = key_life_seconds.map(|seconds| KeyLife { put_at: now, seconds });
                Progress::Done(self.keep(&store, "accepted", MemoryTier::put))
            }
            Reply::Published { answer: Published::Fenced { .. } } if Fault::KeepsFencedRenders.is_planted() => {
                Progress::Done(self.keep(&store, "accepted", MemoryTier::put))
            }
            Reply::Published { answer: Published::Fenced { latest } } => {
                notes.is_up();
                notes.has_seen(latest.unwrap_or(0));
                Progress::Done(self.ended_with("fenced", latest, None))
            }
            Reply::Done => Progress::Done(self.ended(store.ends)),
            _ if store.ends.is_empty() => {
                // Nobody else will see this render; this isolate need not repeat it.
                notes.is_down(now);
                store.entry.generation = notes.seen;
                Progress::Done(self.keep(&store, "coordinator-down", MemoryTier::put_unshared))
            }
            _ => Progress::Done(self.ended(store.ends)),
        }
    }

    fn keep(
        &mut self,
        store: &Store,
        reason: &'static str,
        put: fn(&mut MemoryTier, &str, Entry, u64) -> Placement,
    ) -> Outcome {
        let header = frame::header(&store.entry);
        let generation = store.entry.generation;
        let memory = if self.ledger.exists() {
            self.notes.of(&store.name).has_seen(generation);
            order(put(&mut self.memory, &store.name, store.entry.clone(), header.len() as u64))
        } else {
            MemoryOrder::default()
        };
        Outcome::Ended {
            reason,
            generation: Some(generation),
            invalidation: None,
            position: self.ledger.position(),
            memory,
        }
    }
}
