//! What the isolates share, as it is driven: coordinators over what is stored, a KV that shows old values, the ledger.

use std::collections::BTreeMap;

use onegen::base::limits::{LedgerPolicy, RoutePolicy};
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::{Bytes, Effect, Reply, Stored};
use onegen::entry::frame;
use onegen::entry::{Entry, KeyLife};
use onegen::ledger::{self, Ledger, Rows};
use onegen::route::{self, AbandonReason, Answer, Need, Route};
use onegen::wire::{Acquired, LeaseName, Publish, Published};

use crate::faults::Glue;
use crate::plan::{Part, PutEnding};
use crate::truth::{NO_TIME_TRAVEL, Truth};

/// When a put is given up (`pkg/src/worker/objects.ts`).
const PUT_LIMIT: Span = Span::seconds(25);
/// For so long a location may go on showing what it once read (developers.cloudflare.com/kv/concepts/how-kv-works).
pub(crate) const KV_LAG: Span = Span::seconds(60);

#[derive(Debug, Default)]
struct Coordinator {
    route: Option<Route>,
    /// What an instance that is no longer the object's remembers.
    superseded: Option<Route>,
    bytes: Option<Bytes>,
}

#[derive(Debug)]
struct Put {
    name: String,
    bytes: Option<Bytes>,
    generation: u64,
    begun_at: Millis,
}

/// A put that was given up and may land until then.
#[derive(Debug)]
struct Stray {
    name: String,
    bytes: Bytes,
    until: Millis,
}

#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) policy: RoutePolicy,
    coordinators: BTreeMap<String, Coordinator>,
    pub(crate) kv: BTreeMap<String, Bytes>,
    puts: Vec<Put>,
    strays: Vec<Stray>,
    ledger: Ledger,
    rows: Rows,
    pub(crate) down: Vec<Part>,
    pub(crate) alarms_are_late: bool,
    /// Coordinators that have told their waiters to ask again.
    pub(crate) woken: Vec<String>,
    glue: Option<Glue>,
}

pub(crate) fn bytes_of(entry: &Entry) -> Bytes {
    let header = frame::header(entry);
    let total = header.len() as u64 + entry.body_bytes();
    Bytes { header, total }
}

pub(crate) fn entry_of(bytes: &Bytes) -> Entry {
    frame::read(&bytes.header, bytes.total).unwrap_or_else(|corrupt| panic!("a stored value is {}", corrupt.as_str()))
}

/// The age of what a location shows.
pub(crate) type Shown = BTreeMap<String, (Option<Bytes>, Millis)>;

impl Objects {
    pub(crate) fn new(now: Millis, glue: Option<Glue>) -> Self {
        let mut policy = RoutePolicy::default();
        match glue {
            Some(Glue::BackOffDoesNotGrow) => policy.max_back_off_ms = policy.first_back_off_ms,
            Some(Glue::HitForMissIsForgotten) => policy.first_hit_for_miss_ms = Span(1),
            _ => {}
        }
        Self {
            policy,
            coordinators: BTreeMap::new(),
            kv: BTreeMap::new(),
            puts: Vec::new(),
            strays: Vec::new(),
            ledger: Ledger::new(now),
            rows: Rows::default(),
            down: Vec::new(),
            alarms_are_late: false,
            woken: Vec::new(),
            glue,
        }
    }

    fn is_down(&self, part: Part) -> bool {
        self.down.contains(&part)
    }

    pub(crate) fn head(&self) -> Position {
        self.ledger.head()
    }

    pub(crate) fn has_puts(&self) -> bool {
        !self.puts.is_empty()
    }

    pub(crate) fn live_leases(&self, now: Millis) -> usize {
        let routes = self.coordinators.values().filter_map(|coordinator| coordinator.route.as_ref());
        routes.filter(|route| route.live_lease(now).is_some()).count()
    }

    // --- time ----------------------------------------------------------------------------------------------------------------

    /// When something happens here by itself.
    pub(crate) fn next_moment(&self) -> Option<Millis> {
        let routes = self.coordinators.values().filter_map(|coordinator| coordinator.route.as_ref());
        let alarms = routes.map(|route| route.alarm_at(&self.policy)).filter(|_| !self.alarms_are_late);
        let puts = self.puts.iter().map(|put| put.begun_at.after(PUT_LIMIT));
        alarms.chain(puts).min()
    }

    pub(crate) fn pass(&mut self, truth: &mut Truth, now: Millis) {
        self.strays.retain(|stray| now < stray.until);
        while let Some(at) = self.puts.iter().position(|put| put.begun_at.after(PUT_LIMIT) <= now) {
            self.put_ends(truth, now, at, PutEnding::Astray);
        }
        if !self.alarms_are_late {
            self.ring(truth, now);
        }
    }

    pub(crate) fn ring(&mut self, truth: &mut Truth, now: Millis) {
        let is_due = |coordinator: &Coordinator| {
            coordinator.route.as_ref().is_some_and(|route| route.alarm_at(&self.policy) <= now)
        };
        let due: Vec<_> =
            self.coordinators.iter().filter(|(_, one)| is_due(one)).map(|(name, _)| name.clone()).collect();
        for name in due {
            truth.occurs("alarm");
            self.step(truth, &name, route::Event::Alarm, now);
        }
    }

    // --- coordinators -----------------------------------------------------------------------------------------------------------

    fn step(&mut self, truth: &mut Truth, name: &str, event: route::Event, now: Millis) -> Answer {
        let superseded_answers = self.glue == Some(Glue::SupersededAnswersFromMemory);
        let replies_first =
            self.glue == Some(Glue::RepliesBeforeStoring) && matches!(event, route::Event::Acquire { .. });
        let coordinator = self.coordinators.entry(name.to_owned()).or_default();
        if superseded_answers
            && matches!(event, route::Event::Acquire { .. })
            && let Some(route) = coordinator.superseded.as_mut()
        {
            return route.step(&self.policy, now, event).answer;
        }
        let mut route = coordinator.route.clone().unwrap_or_else(|| Route::new(now));
        let outcome = route.step(&self.policy, now, event);
        if self.glue == Some(Glue::RepliesBeforeStoring) {
            coordinator.superseded = if replies_first { coordinator.route.take() } else { None };
        }
        coordinator.route = Some(route);
        for effect in &outcome.effects {
            match effect {
                route::Effect::DropBytes => self.coordinator(name).bytes = None,
                route::Effect::DeleteAll => {
                    *self.coordinator(name) = Coordinator::default();
                    truth.lost(name, now);
                }
                route::Effect::Wake if self.glue != Some(Glue::WakesNobody) => self.woken.push(name.to_owned()),
                route::Effect::Put { generation } => {
                    let bytes = self.entry(name, *generation);
                    let name = name.to_owned();
                    self.puts.push(Put { name, bytes, generation: *generation, begun_at: now });
                }
                route::Effect::Wake | route::Effect::KeepBytes { .. } => {}
            }
        }
        outcome.answer
    }

    fn coordinator(&mut self, name: &str) -> &mut Coordinator {
        self.coordinators.entry(name.to_owned()).or_default()
    }

    /// The bytes of a generation: kept here, or, once that is long enough ago, in KV.
    fn entry(&mut self, name: &str, generation: u64) -> Option<Bytes> {
        let kept = self.coordinator(name).bytes.clone();
        let kept = kept.or_else(|| self.kv.get(name).cloned().filter(|_| !self.is_down(Part::Kv)));
        kept.filter(|bytes| entry_of(bytes).generation == generation)
    }

    /// The n-th object leaves memory. Whoever it kept waiting asks the next instance.
    pub(crate) fn evict(&mut self, truth: &mut Truth, nth: usize, now: Millis) -> Option<String> {
        let count = self.coordinators.len();
        let name = self.coordinators.keys().nth(nth.checked_rem(count)?)?.clone();
        truth.occurs("eviction");
        let lost = self.puts.extract_if(.., |put| put.name == name).collect::<Vec<_>>();
        for put in lost {
            self.goes_astray(put, now);
        }
        let glue = self.glue;
        let coordinator = self.coordinator(&name);
        match glue {
            Some(Glue::SupersededAnswersFromMemory) => coordinator.superseded = coordinator.route.clone(),
            // The answer had left; the row had not been stored.
            Some(Glue::RepliesBeforeStoring) if coordinator.superseded.is_some() => {
                coordinator.route = coordinator.superseded.take();
            }
            Some(Glue::GenerationsBeginAnew) => coordinator.route = Some(Route::new(Millis(1))),
            _ => {}
        }
        self.step(truth, &name, route::Event::Restarted, now);
        self.woken.push(name.clone());
        Some(name)
    }

    fn goes_astray(&mut self, put: Put, now: Millis) {
        if let Some(bytes) = put.bytes {
            self.strays.push(Stray { name: put.name, bytes, until: now.after(KV_LAG) });
        }
    }

    /// The n-th put that is under way ends.
    pub(crate) fn put_ends(&mut self, truth: &mut Truth, now: Millis, nth: usize, how: PutEnding) {
        let Some(nth) = nth.checked_rem(self.puts.len()) else { return };
        let put = self.puts.remove(nth);
        let how = if self.is_down(Part::Kv) && how == PutEnding::Confirmed { PutEnding::Failed } else { how };
        let (name, generation) = (put.name.clone(), put.generation);
        match (how, &put.bytes) {
            (PutEnding::Confirmed | PutEnding::LandedUnheard, Some(bytes)) => self.lands(&name, bytes.clone(), now),
            (PutEnding::Astray, _) => self.goes_astray(put, now),
            _ => {}
        }
        let is_there = self.entry(&name, generation).is_some();
        let heard = how == PutEnding::Confirmed && is_there;
        truth.occurs(if heard { "put confirmed" } else { "put failed" });
        let confirmed = heard || self.glue == Some(Glue::TakesFailedPutsForDone);
        self.step(truth, &name, route::Event::PutEnded { generation, confirmed }, now);
        if !is_there {
            truth.lost(&name, now);
            self.step(truth, &name, route::Event::BytesLost { generation }, now);
        }
    }

    fn lands(&mut self, name: &str, bytes: Bytes, now: Millis) {
        let mut entry = entry_of(&bytes);
        entry.key_life = Some(KeyLife { put_at: now, seconds: self.policy.kv_ttl_seconds });
        self.kv.insert(name.to_owned(), bytes_of(&entry));
    }

    pub(crate) fn stray_lands(&mut self, truth: &mut Truth, nth: usize, now: Millis) {
        let Some(nth) = nth.checked_rem(self.strays.len()) else { return };
        let Stray { name, bytes, .. } = self.strays.remove(nth);
        let older = self.kv.get(&name).is_some_and(|there| entry_of(there).generation > entry_of(&bytes).generation);
        truth.occurs(if older { "kv went back" } else { "a given-up put landed" });
        self.lands(&name, bytes, now);
    }

    // --- messages ---------------------------------------------------------------------------------------------------------------

    /// Takes a message; `None` when its answer is held back. `waited` is for how long it was held already.
    pub(crate) fn take(
        &mut self,
        truth: &mut Truth,
        shown: Option<&mut Shown>,
        effect: &Effect,
        waited: Span,
        now: Millis,
    ) -> Option<Reply> {
        Some(match effect {
            Effect::Load { key, since } => {
                let kv = key.as_ref().map(|key| self.read_kv(truth, shown, key, now));
                let since = since.filter(|_| !self.is_down(Part::Ledger)).map(|position| self.since(position, now));
                Reply::Loaded { kv, since }
            }
            Effect::Append { .. } | Effect::Check { .. } if self.is_down(Part::Ledger) => Reply::Failed,
            Effect::Append { message } => {
                let (position, tags, profile) = (message.position, message.tags.clone(), message.profile);
                let own = tags.clone();
                let ledger::Answer::Since(mut since) =
                    self.ask_ledger(ledger::Event::Append { position, tags, profile }, now)
                else {
                    return Some(Reply::Failed);
                };
                if self.glue == Some(Glue::AnswersOwnRowsAlone) {
                    since.rows.retain(|row| own.contains(&row.tag));
                }
                Reply::Appended { since }
            }
            Effect::Check { message } => {
                let (position, tags) = (message.position, message.tags.clone());
                match self.ask_ledger(ledger::Event::Check { position, tags }, now) {
                    ledger::Answer::Checked(invalidation) => Reply::Checked { invalidation },
                    ledger::Answer::Since(_) => Reply::Failed,
                }
            }
            Effect::Acquire { .. } | Effect::Publish { .. } | Effect::Abandon { .. }
                if self.is_down(Part::Coordinators) =>
            {
                Reply::Failed
            }
            Effect::Acquire { object, message } => return self.acquire(truth, object, message, waited, now),
            Effect::Publish { object, message, header } => self.publish(truth, object, message, header, now),
            Effect::Abandon { object, message } => {
                let LeaseName { generation, holder } = message.lease.clone();
                truth.gave_back(object, &holder, message.reason, now);
                let reason = message.reason;
                if reason == AbandonReason::Failed {
                    truth.occurs("failed render");
                }
                self.step(truth, object, route::Event::Abandon { generation, holder, reason }, now);
                Reply::Done
            }
            _ => Reply::Done,
        })
    }

    fn acquire(
        &mut self,
        truth: &mut Truth,
        object: &str,
        message: &onegen::wire::Acquire,
        waited: Span,
        now: Millis,
    ) -> Option<Reply> {
        // Once for what it has lost, and once more.
        for _ in 0..3 {
            let (have, holder) = (message.have, message.holder.clone());
            let need = if self.glue == Some(Glue::FillIsTakenForRefresh) { Need::Refresh } else { message.need };
            let event = route::Event::Acquire { have, holder, position: message.position, need };
            let answer = self.step(truth, object, event, now);
            truth.answered(object, message.need, &answer, &RoutePolicy::default(), now);
            let bytes = match answer {
                Answer::Newer { generation } => match self.entry(object, generation) {
                    Some(bytes) => Some(bytes),
                    None => {
                        truth.occurs("bytes lost");
                        truth.lost(object, now);
                        self.step(truth, object, route::Event::BytesLost { generation }, now);
                        continue;
                    }
                },
                Answer::Hold { .. } if waited < message.wait_ms => return None,
                _ => None,
            };
            let answer = Acquired::from_answer(answer)?;
            let held = waited > Span::ZERO && bytes.is_some();
            let bytes = bytes.filter(|_| self.glue != Some(Glue::NewerComesWithoutBytes));
            return Some(Reply::Acquired { answer, bytes, waited: held });
        }
        Some(Reply::Failed)
    }

    fn publish(&mut self, truth: &mut Truth, object: &str, message: &Publish, header: &[u8], now: Millis) -> Reply {
        let Ok(mut entry) = frame::read_header(header) else { return Reply::Failed };
        let lease = message.lease.clone().map(|LeaseName { generation, holder }| (generation, holder));
        let holder = lease.as_ref().map(|(_, holder)| holder.clone());
        let event = route::Event::Publish {
            lease: lease.clone(),
            position: entry.position,
            seed: message.seed,
            render_time: message.render_ms,
            // As of an entry that is dropped again: one that stays is a part of that history.
            bytes: u64::MAX,
        };
        let mut answer = self.step(truth, object, event, now);
        if let (Some(Glue::IgnoresTheFence), Answer::Fenced { .. }, Some((generation, _))) =
            (self.glue, &answer, &lease)
        {
            answer = Answer::Accepted { generation: *generation };
        }
        match answer {
            Answer::Accepted { generation } => {
                entry.generation = generation;
                entry.key_life = Some(KeyLife { put_at: now, seconds: self.policy.kv_ttl_seconds });
                truth.accepted(object, holder.as_deref(), &entry, now);
                if entry.position == Position::BEFORE_EVERYTHING {
                    truth.occurs("published as from before everything");
                }
                let bytes = bytes_of(&entry);
                // A put begins once what is put is kept.
                let own = |put: &&mut Put| put.name == object && put.generation == generation && put.bytes.is_none();
                self.puts.iter_mut().filter(own).for_each(|put| put.bytes = Some(bytes.clone()));
                self.coordinator(object).bytes = Some(bytes);
            }
            Answer::Fenced { .. } => truth.occurs("fenced"),
            _ => {}
        }
        Published::from_answer(&answer, &self.policy).map_or(Reply::Failed, |answer| Reply::Published { answer })
    }

    fn read_kv(&self, truth: &mut Truth, shown: Option<&mut Shown>, key: &str, now: Millis) -> Stored {
        if self.is_down(Part::Kv) {
            return Stored::Unreadable;
        }
        let latest = self.kv.get(key).cloned();
        let value = match shown {
            None => latest,
            Some(shown) => {
                let (value, _) = shown
                    .entry(key.to_owned())
                    .and_modify(|(value, since)| {
                        if now >= since.after(KV_LAG) {
                            (*value, *since) = (latest.clone(), now);
                        } else if *value != latest {
                            truth.occurs("kv lagged");
                        }
                    })
                    .or_insert_with(|| (latest.clone(), now));
                value.clone()
            }
        };
        value.map_or(Stored::Absent, Stored::Found)
    }

    /// KV written past the coordinator, as its readers must survive and nobody may do.
    pub(crate) fn write_kv(&mut self, name: &str, entry: &Entry) {
        self.kv.insert(name.to_owned(), bytes_of(entry));
    }

    // --- the ledger ---------------------------------------------------------------------------------------------------------------

    fn ask_ledger(&mut self, event: ledger::Event, now: Millis) -> ledger::Answer {
        let Ok(answer) = self.ledger.step(&LedgerPolicy::default(), &mut self.rows, now, event);
        answer
    }

    fn since(&mut self, position: Position, now: Millis) -> ledger::Since {
        match self.ask_ledger(ledger::Event::Since { position }, now) {
            ledger::Answer::Since(since) => since,
            ledger::Answer::Checked(_) => unreachable!("a ledger answers what it is asked"),
        }
    }

    pub(crate) fn recreate_ledger(&mut self, now: Millis) {
        (self.ledger, self.rows) = (Ledger::new(now), Rows::default());
    }

    /// Everything is well again, and at rest.
    pub(crate) fn heal(&mut self) {
        self.down.clear();
        self.alarms_are_late = false;
    }

    pub(crate) fn must_agree(&self, truth: &mut Truth) {
        for (name, coordinator) in &self.coordinators {
            let Some(latest) = coordinator.route.as_ref().and_then(Route::latest) else { continue };
            let there = self.kv.get(name).map(|bytes| entry_of(bytes).generation);
            if there != Some(latest.generation) {
                truth.breaks(NO_TIME_TRAVEL, format!("{name}: at last KV has {there:?}, not {}", latest.generation));
            }
        }
    }
}
