//! The lease machine: who may regenerate a route, what was published last, and what KV still has to learn.
//!
//! One [`Route`] is the whole durable state of one coordinator. [`Route::step`] takes the time and one event, changes the
//! state, and says what to answer and what to do; it performs nothing. Whoever drives it stores the state before any
//! answer or effect leaves.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::number;
use crate::policy::RoutePolicy;
use crate::position::Position;
use crate::time::{Millis, Span};

/// KV accepts one write per second to a key (developers.cloudflare.com/kv/platform/limits).
const KV_WRITE_INTERVAL: Span = Span::seconds(1);
/// A put that has not answered by then may or may not have happened. Whoever performs puts gives up sooner, so that an answer
/// is never one to an attempt before the last.
const KV_PUT_LIMIT: Span = Span::seconds(30);
/// Longest pause between attempts to put.
const KV_RETRY_CAP: Span = Span::seconds(60);
/// After a put whose order against another is not certain, the latest is put once more.
const KV_REPEAT: Span = Span::seconds(60);
/// KV shows a confirmed write everywhere after about a minute; the bytes are kept well beyond that.
const KEEP_BYTES: Span = Span::seconds(300);
/// An entry of no more bytes stays with the coordinator until the next takes its place: forgetting it costs an alarm and four rows
/// written, for which so much could stay for five days, and 20 kB for a month
/// (developers.cloudflare.com/durable-objects/platform/pricing: $1.00 for a million rows written, $0.20 for a GB and month).
const SMALL_ENTRY_BYTES: u64 = 128 * 1024;
/// A follower asks again no sooner.
const SHORTEST_HOLD: Span = Span::seconds(1);
/// How many times longer than its slowest recent render a lease is.
const LEASE_FACTOR: u64 = 3;
/// How many render times are remembered.
const RENDERS_REMEMBERED: usize = 4;

/// The right to produce one generation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing token: the generation that this lease may publish.
    #[serde(deserialize_with = "number::whole")]
    pub generation: u64,
    /// A random name that the caller gave; whoever knows it holds the lease.
    pub holder: String,
    /// Where the caller's copy of the ledger stood.
    pub position: Position,
}

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

/// What the KV key may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Kv {
    #[serde(default, deserialize_with = "number::optional", skip_serializing_if = "Option::is_none")]
    confirmed: Option<u64>,
    confirmed_at: Millis,
    #[serde(default, deserialize_with = "number::optional_pair", skip_serializing_if = "Option::is_none")]
    in_flight: Option<(u64, Millis)>,
    failures: u32,
    not_before: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat_at: Option<Millis>,
}

/// Why a caller asks for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It has an entry to serve meanwhile.
    Refresh,
    /// It has nothing to serve.
    Fill,
}

/// Why a lease ends without a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonReason {
    /// The render failed.
    Failed,
    /// The render ended well, but its result is not to be stored.
    NotStored,
    /// Nothing was rendered: it turned out that the caller answers with something else.
    Unused,
}

/// Why a caller is told to serve what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// Somebody is rendering.
    Rendering,
    /// The last renders failed.
    BackingOff,
    /// The last renders ended without a store.
    NotStored,
}

impl HoldReason {
    /// A stable word for logs, headers and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rendering => "rendering",
            Self::BackingOff => "backing-off",
            Self::NotStored => "not-stored",
        }
    }
}

/// What happens to a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody found the route's entry stale or missing.
    Acquire {
        /// The newest generation the caller knows; `None` when it has none.
        have: Option<u64>,
        /// A random name, new for every question; the same again only to repeat one whose answer was lost.
        holder: String,
        /// Where the caller's copy of the ledger stands.
        position: Position,
        /// Whether the caller has something to serve.
        need: Need,
    },
    /// A render is done and its bytes are here.
    Publish {
        /// Generation and holder of the lease it was made under.
        lease: Option<(u64, String)>,
        /// Where the ledger stood when the render began.
        position: Position,
        /// Whether this is a page from the build: it loses to anything.
        seed: bool,
        /// How long the render took, by the publisher's clock.
        render_time: Span,
        /// How many bytes there are.
        bytes: u64,
    },
    /// A leader gives its lease back.
    Abandon {
        /// The lease's generation.
        generation: u64,
        /// The lease's holder.
        holder: String,
        /// Why.
        reason: AbandonReason,
    },
    /// A reader found the KV key past half of its lifetime.
    Touch,
    /// A put that was asked for has ended.
    PutEnded {
        /// The generation that was put.
        generation: u64,
        /// Whether KV confirmed it.
        confirmed: bool,
    },
    /// The bytes of a generation could not be found any more.
    BytesLost {
        /// The generation.
        generation: u64,
    },
    /// The object was started anew over its stored state.
    Restarted,
    /// The alarm rang.
    Alarm,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Something newer than the caller has is published.
    Newer {
        /// Its generation.
        generation: u64,
    },
    /// The caller renders.
    Granted {
        /// The lease.
        lease: Lease,
        /// How long it lasts from now.
        remaining: Span,
    },
    /// The caller serves what it has, or waits.
    Hold {
        /// How long not to ask again.
        hold: Span,
        /// After how long a waiter should be looked at again at the latest.
        recheck: Span,
        /// Why.
        reason: HoldReason,
    },
    /// The caller renders for itself; nobody waits.
    Uncacheable {
        /// For how long this holds.
        hold: Span,
        /// Why.
        reason: HoldReason,
    },
    /// The publication is the latest now.
    Accepted {
        /// Its generation.
        generation: u64,
    },
    /// The publication came too late.
    Fenced {
        /// The generation that won, if one is published yet.
        latest: Option<u64>,
    },
    /// Nothing to say.
    Done,
}

/// What is to be done once the state is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Keep the bytes that came with the publication as those of this generation, and no others.
    KeepBytes {
        /// The generation.
        generation: u64,
    },
    /// Forget the bytes: KV has them.
    DropBytes,
    /// Let every waiter ask again.
    Wake,
    /// Put the latest into KV.
    Put {
        /// Its generation.
        generation: u64,
    },
    /// Forget everything: nobody has asked for this route in a whole key lifetime.
    DeleteAll,
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// What the caller is told.
    pub answer: Answer,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

/// The durable state of one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    created_at: Millis,
    touched_at: Millis,
    /// The highest generation handed out or accepted.
    #[serde(deserialize_with = "number::whole")]
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

    fn touch(&mut self, policy: &RoutePolicy, now: Millis) -> Outcome {
        // Many isolates notice at the same time.
        let long_ago = Span::seconds(policy.kv_ttl_seconds / 4);
        if self.latest.is_none() || now.since(self.touched_at) < long_ago {
            return Answer::Done.alone();
        }
        self.touched_at = now;
        self.kv.confirmed = None;
        Outcome { answer: Answer::Done, effects: self.put_if_due(now).into_iter().collect() }
    }

    fn put_ended(&mut self, now: Millis, generation: u64, confirmed: bool) -> Outcome {
        if self.kv.in_flight.is_none_or(|(put, _)| put != generation) {
            return Answer::Done.alone();
        }
        self.kv.in_flight = None;
        if confirmed {
            self.kv.failures = 0;
            self.kv.not_before = now.after(KV_WRITE_INTERVAL);
            if self.latest.as_ref().is_some_and(|latest| latest.generation == generation) {
                self.kv.confirmed = Some(generation);
                self.kv.confirmed_at = now;
            }
        } else {
            self.put_is_uncertain(now);
        }
        Answer::Done.alone()
    }

    fn bytes_lost(&mut self, generation: u64) -> Outcome {
        if self.latest.as_ref().is_some_and(|latest| latest.generation == generation) {
            self.latest = None;
            self.kv.confirmed = None;
        }
        Answer::Done.alone()
    }

    fn restarted(&mut self, now: Millis) -> Outcome {
        if self.kv.in_flight.take().is_some() {
            self.put_is_uncertain(now);
        }
        Answer::Done.alone()
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

    /// A put was sent and its fate is unknown, so a later one may be overtaken by it.
    fn put_is_uncertain(&mut self, now: Millis) {
        self.kv.not_before = now.after(KV_WRITE_INTERVAL.doubled(self.kv.failures, KV_RETRY_CAP));
        self.kv.failures = self.kv.failures.saturating_add(1);
        self.kv.repeat_at = Some(now.after(KV_REPEAT));
    }

    fn put_if_due(&mut self, now: Millis) -> Option<Effect> {
        if self.kv.in_flight.is_some() || self.put_due()? > now {
            return None;
        }
        let latest = self.latest.as_ref()?;
        self.kv.in_flight = Some((latest.generation, now));
        Some(Effect::Put { generation: latest.generation })
    }

    /// When a put should start, or, while one is under way, when to stop believing in it.
    fn put_due(&self) -> Option<Millis> {
        if let Some((_, since)) = self.kv.in_flight {
            return Some(since.after(KV_PUT_LIMIT));
        }
        let latest = self.latest.as_ref()?;
        (self.kv.confirmed != Some(latest.generation)).then_some(self.kv.not_before)
    }

    /// A repetition counts only if it begins then: a put that is under way may be overtaken like any other.
    fn repeat_due(&self) -> Option<Millis> {
        self.kv.repeat_at.filter(|_| self.kv.in_flight.is_none())
    }

    fn drop_due(&self) -> Option<Millis> {
        let latest = self.latest.as_ref().filter(|latest| latest.bytes_held && !latest.is_small)?;
        let settled = self.kv.confirmed == Some(latest.generation) && self.kv.repeat_at.is_none();
        settled.then(|| self.kv.confirmed_at.after(KEEP_BYTES))
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

    fn lease_length(&self, policy: &RoutePolicy) -> Span {
        match self.render_times.iter().max() {
            Some(slowest) => slowest.times(LEASE_FACTOR).clamp(policy.min_lease_ms, policy.max_lease_ms),
            None => policy.first_lease_ms,
        }
    }

    fn usual_render(&self, policy: &RoutePolicy) -> Span {
        self.render_times.iter().max().copied().unwrap_or(policy.min_lease_ms)
    }

    fn remember_render(&mut self, took: Span) {
        if self.render_times.len() >= RENDERS_REMEMBERED {
            self.render_times.remove(0);
        }
        self.render_times.push(took);
    }
}

impl Answer {
    const fn alone(self) -> Outcome {
        Outcome { answer: self, effects: Vec::new() }
    }
}
