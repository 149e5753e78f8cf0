//! The lease machine: who may regenerate a route, what was published last, and what KV still has to learn.
//!
//! One [`Route`] is the whole durable state of one coordinator. [`Route::step`] takes the time and one event, changes the
//! state, and says what to answer and what to do; it performs nothing. Whoever drives it stores the state before any
//! answer or effect leaves.

mod events;
mod kv;
pub mod lease_token;
mod orders;
mod timing;

use serde::{Deserialize, Deserializer, Serialize};

pub use events::{AbandonReason, Answer, Effect, Event, HoldReason, Lease, Need, Outcome};
pub use orders::{Alarm, Order, Orders};

use self::kv::{KV_PUT_LIMIT, Kv};

use crate::base::fault::Fault;
use crate::base::limits::RoutePolicy;
use crate::base::number;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};

/// An entry of no more bytes stays with the coordinator until the next takes its place: forgetting it costs an alarm and four rows
/// written, for which so much could stay for five days, and 20 kB for a month
/// (developers.cloudflare.com/durable-objects/platform/pricing: $1.00 for a million rows written, $0.20 for a GB and month).
const SMALL_ENTRY_BYTES: u64 = 128 * 1024;
/// A follower asks again no sooner.
const SHORTEST_HOLD: Span = Span::seconds(1);

/// A lease that was handed out, the latest one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Grant {
    lease: Lease,
    granted_at: Millis,
    deadline: Millis,
    ended: bool,
}

/// What was published last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Latest {
    /// Its number.
    #[serde(deserialize_with = "number::whole")]
    pub generation: u64,
    /// Where the ledger stood when its render began.
    pub position: Position,
    /// When it was accepted, by the coordinator's clock.
    pub published_at: Millis,
    /// Whether its bytes are in the coordinator's own storage.
    pub bytes_held: bool,
    /// Whether they stay there.
    #[serde(default)]
    pub is_small: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    publisher: Option<String>,
}

/// The durable state of one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    #[serde(deserialize_with = "created_at")]
    created_at: Millis,
    touched_at: Millis,
    /// The highest generation handed out or accepted.
    #[serde(deserialize_with = "number::handed_out")]
    last_generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latest: Option<Latest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
    failures: u32,
    retry_at: Millis,
    not_stored: u32,
    uncacheable_until: Millis,
    render_times: Vec<Span>,
    kv: Kv,
}

/// Generations begin at it: a time after which none could follow makes a row unreadable.
fn created_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
    number::handed_out(deserializer).map(Millis)
}

impl Route {
    /// A route nobody has asked for before.
    #[must_use]
    pub fn new(now: Millis) -> Self {
        Self {
            created_at: now,
            touched_at: now,
            last_generation: 0,
            latest: None,
            grant: None,
            failures: 0,
            retry_at: Millis(0),
            not_stored: 0,
            uncacheable_until: Millis(0),
            render_times: Vec::new(),
            kv: Kv::default(),
        }
    }

    /// What was published last.
    #[must_use]
    pub const fn latest(&self) -> Option<&Latest> {
        self.latest.as_ref()
    }

    /// The lease that is live at `now`.
    #[must_use]
    pub fn live_lease(&self, now: Millis) -> Option<&Lease> {
        self.live_grant(now).map(|grant| &grant.lease)
    }

    /// The highest generation handed out or accepted.
    #[must_use]
    pub const fn last_generation(&self) -> u64 {
        self.last_generation
    }

    /// When the alarm should ring next.
    #[must_use]
    pub fn alarm_at(&self, policy: &RoutePolicy) -> Millis {
        // A route is not forgotten under a leader's feet.
        let leased_until = self.grant.as_ref().filter(|grant| !grant.ended).map_or(Millis(0), |grant| grant.deadline);
        let forget = self.touched_at.after(Span::seconds(policy.kv_ttl_seconds)).max(leased_until);
        [self.put_due(), self.repeat_due(), self.drop_due()].into_iter().flatten().fold(forget, Millis::min)
    }

    /// Takes one event at `now`.
    pub fn step(&mut self, policy: &RoutePolicy, now: Millis, event: Event) -> Outcome {
        match event {
            Event::Acquire { have, holder, position, need } => self.acquire(policy, now, have, holder, position, need),
            Event::Publish { lease: Some((generation, holder)), position, render_time, bytes, .. } => {
                self.publish_leased(now, generation, &holder, position, render_time, bytes)
            }
            Event::Publish { lease: None, position, seed, bytes, .. } => {
                self.publish_unleased(now, position, seed, bytes)
            }
            Event::Abandon { generation, holder, reason } => self.abandon(policy, now, generation, &holder, reason),
            Event::Touch => self.touch(policy, now),
            Event::PutEnded { generation, confirmed } => self.put_ended(now, generation, confirmed),
            Event::BytesLost { generation } => self.bytes_lost(generation),
            Event::Restarted => self.restarted(now),
            Event::Alarm => self.alarm(policy, now),
        }
    }

    fn acquire(
        &mut self,
        policy: &RoutePolicy,
        now: Millis,
        have: Option<u64>,
        holder: String,
        position: Position,
        need: Need,
    ) -> Outcome {
        if let Some(latest) = &self.latest
            && have.is_none_or(|have| latest.generation > have)
        {
            return Answer::Newer { generation: latest.generation }.alone();
        }
        if let Some(grant) = self.live_grant(now).filter(|_| !Fault::GrantsBesideALease.is_planted()) {
            let remaining = now.until(grant.deadline);
            return if grant.lease.holder == holder {
                Answer::Granted { lease: grant.lease.clone(), remaining }.alone()
            } else {
                let expected = self.usual_render(policy).less(now.since(grant.granted_at));
                let hold = expected.min(remaining).max(SHORTEST_HOLD);
                Answer::Hold { hold, recheck: remaining, reason: HoldReason::Rendering }.alone()
            };
        }
        if let Some((until, reason)) = self.waiting_time(now) {
            let hold = now.until(until).max(SHORTEST_HOLD);
            return match need {
                Need::Refresh => Answer::Hold { hold, recheck: hold, reason },
                Need::Fill => Answer::Uncacheable { hold, reason },
            }
            .alone();
        }
        let generation = self.next_generation(have);
        self.last_generation = generation;
        let remaining = self.lease_length(policy);
        let lease = Lease { generation, holder, position };
        self.grant =
            Some(Grant { lease: lease.clone(), granted_at: now, deadline: now.after(remaining), ended: false });
        Answer::Granted { lease, remaining }.alone()
    }

    fn publish_leased(
        &mut self,
        now: Millis,
        generation: u64,
        holder: &str,
        position: Position,
        render_time: Span,
        bytes: u64,
    ) -> Outcome {
        if let Some(latest) = &self.latest
            && latest.generation == generation
            && latest.publisher.as_deref() == Some(holder)
        {
            return Answer::Accepted { generation }.alone();
        }
        // The lease may have run out: as long as nobody else was given one, nothing newer can exist.
        let granted = self
            .grant
            .as_ref()
            .filter(|grant| grant.lease.generation == generation && grant.lease.holder == holder)
            .map(|grant| grant.granted_at);
        match granted {
            Some(granted_at) if self.last_generation == generation || Fault::AcceptsAfterATakeover.is_planted() => {
                self.remember_render(now.since(granted_at));
                self.grant = None;
                self.accept(now, generation, position, bytes, Some(holder.to_owned()))
            }
            _ => {
                // So that a route slower than its leases does not fence its own leaders for ever.
                self.remember_render(render_time);
                self.fenced()
            }
        }
    }

    fn publish_unleased(&mut self, now: Millis, position: Position, seed: bool, bytes: u64) -> Outcome {
        let behind = self.latest.as_ref().is_some_and(|latest| seed || !position.covers(latest.position));
        let led = self.live_grant(now).is_some() && !Fault::AcceptsBesideALeader.is_planted();
        if behind || led || (seed && self.last_generation > 0) {
            return self.fenced();
        }
        let generation = if seed { 0 } else { self.next_generation(None) };
        self.last_generation = self.last_generation.max(generation);
        self.accept(now, generation, position, bytes, None)
    }

    fn accept(
        &mut self,
        now: Millis,
        generation: u64,
        position: Position,
        bytes: u64,
        publisher: Option<String>,
    ) -> Outcome {
        let is_small = bytes <= SMALL_ENTRY_BYTES;
        self.latest = Some(Latest { generation, position, published_at: now, bytes_held: true, is_small, publisher });
        self.touched_at = now;
        self.failures = 0;
        self.retry_at = Millis(0);
        self.not_stored = 0;
        self.uncacheable_until = Millis(0);
        self.kv.confirmed = None;
        self.kv.failures = 0;
        let mut effects = vec![Effect::KeepBytes { generation }, Effect::Wake];
        effects.extend(self.put_if_due(now));
        Outcome { answer: Answer::Accepted { generation }, effects }
    }

    fn fenced(&self) -> Outcome {
        Answer::Fenced { latest: self.latest.as_ref().map(|latest| latest.generation) }.alone()
    }

    fn abandon(
        &mut self,
        policy: &RoutePolicy,
        now: Millis,
        generation: u64,
        holder: &str,
        reason: AbandonReason,
    ) -> Outcome {
        let Some(grant) = self
            .grant
            .as_mut()
            .filter(|grant| !grant.ended && grant.lease.generation == generation && grant.lease.holder == holder)
        else {
            return Answer::Done.alone();
        };
        grant.ended = true;
        match reason {
            AbandonReason::Failed => {
                let pause = policy.first_back_off_ms.doubled(self.failures, policy.max_back_off_ms);
                if !Fault::ForgetsFailures.is_planted() {
                    self.failures = self.failures.saturating_add(1);
                    self.retry_at = now.after(pause);
                }
            }
            AbandonReason::NotStored => {
                let pause = policy.first_hit_for_miss_ms.doubled(self.not_stored, policy.max_hit_for_miss_ms);
                self.not_stored = self.not_stored.saturating_add(1);
                self.uncacheable_until = now.after(pause);
            }
            AbandonReason::Unused => {}
        }
        Outcome { answer: Answer::Done, effects: vec![Effect::Wake] }
    }

    fn alarm(&mut self, policy: &RoutePolicy, now: Millis) -> Outcome {
        let forgotten = now.since(self.touched_at) >= Span::seconds(policy.kv_ttl_seconds);
        if forgotten && self.live_grant(now).is_none() {
            // The generation counter may be forgotten with the rest: the next one starts at the time of its creation.
            *self = Self::new(now);
            return Outcome { answer: Answer::Done, effects: vec![Effect::DeleteAll] };
        }
        if self.kv.in_flight.is_some_and(|(_, since)| now.since(since) >= KV_PUT_LIMIT) {
            self.kv.in_flight = None;
            self.put_is_uncertain(now);
        }
        if self.repeat_due().is_some_and(|at| at <= now) {
            self.kv.repeat_at = None;
            self.kv.confirmed = None;
        }
        let mut effects: Vec<_> = self.put_if_due(now).into_iter().collect();
        if self.drop_due().is_some_and(|at| at <= now)
            && let Some(latest) = self.latest.as_mut()
        {
            latest.bytes_held = false;
            effects.push(Effect::DropBytes);
        }
        Outcome { answer: Answer::Done, effects }
    }

    fn live_grant(&self, now: Millis) -> Option<&Grant> {
        let is_late = Fault::LeaseLivesAtItsDeadline.is_planted();
        self.grant.as_ref().filter(|grant| !grant.ended && (now < grant.deadline || (is_late && now == grant.deadline)))
    }

    fn waiting_time(&self, now: Millis) -> Option<(Millis, HoldReason)> {
        if now < self.retry_at {
            Some((self.retry_at, HoldReason::BackingOff))
        } else if now < self.uncacheable_until {
            Some((self.uncacheable_until, HoldReason::NotStored))
        } else {
            None
        }
    }

    /// The creation time keeps a recreated object above every number that a copy may have seen.
    fn next_generation(&self, have: Option<u64>) -> u64 {
        let published = self.latest.as_ref().map_or(0, |latest| latest.generation);
        let counted = if Fault::CountsPublishedOnly.is_planted() { published } else { self.last_generation };
        counted.max(have.unwrap_or(0)).max(self.created_at.0).saturating_add(1)
    }
}
