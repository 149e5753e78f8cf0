//! The engine against a world of its own: the real lease and ledger machines, a KV, virtual time.

mod carried;
mod clocks;
mod key_life;
mod nested;
mod unshared;

use std::collections::BTreeMap;

use super::*;
use crate::base::limits::{LedgerPolicy, RoutePolicy};
use crate::base::position::Position;
use crate::entry::frame;
use crate::entry::key::Kind;
use crate::entry::{KeyLife, Part};
use crate::ledger::{self, Ledger, Since};
use crate::route::{self, AbandonReason, Lease, Route};
use crate::wire::{Acquired, Published};

const KEY: &str = "/page";
const SECRET: &str = "secret";
const KEY_LIFE: Span = Span::seconds(30 * 24 * 3600);

/// Everything outside the isolates.
struct World {
    now: Millis,
    kv: BTreeMap<String, Bytes>,
    seeds: BTreeMap<String, Bytes>,
    routes: BTreeMap<String, (Route, Option<Bytes>)>,
    ledger: Ledger,
    rows: ledger::Rows,
    /// Whether puts reach KV.
    kv_shows_writes: bool,
    coordinator_is_up: bool,
    ledger_is_up: bool,
    performed: Vec<&'static str>,
    /// Regenerations asked for, with their signed leases.
    regenerations: Vec<Option<String>>,
}

impl World {
    fn new() -> Self {
        let now = Millis(1_800_000_000_000);
        Self {
            now,
            kv: BTreeMap::new(),
            seeds: BTreeMap::new(),
            routes: BTreeMap::new(),
            ledger: Ledger::new(now),
            rows: ledger::Rows::default(),
            kv_shows_writes: true,
            coordinator_is_up: true,
            ledger_is_up: true,
            performed: Vec::new(),
            regenerations: Vec::new(),
        }
    }

    fn isolate() -> Engine {
        Engine::new(EngineOptions::default(), "b1", SECRET).unwrap()
    }

    fn pass(&mut self, span: Span) {
        self.now = self.now.after(span);
    }

    /// Drives a call to its end.
    fn call(&mut self, isolate: &mut Engine, call: Call) -> Outcome {
        let mut step = isolate.begin(call, self.now);
        loop {
            match step {
                Step::Done(outcome) => return outcome,
                Step::Perform { machine, effect, .. } => {
                    let reply = self.perform(effect);
                    step = isolate.resume(machine, reply, self.now);
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Reply {
        match effect {
            Effect::Load { key, since } => {
                let kv = key.map(|key| {
                    self.performed.push("kv");
                    self.kv.get(&key).cloned().map_or(Stored::Absent, Stored::Found)
                });
                let since = since.and_then(|position| {
                    self.performed.push("ledger");
                    self.ledger_is_up.then(|| self.since(position))
                });
                Reply::Loaded { kv, since }
            }
            Effect::Seed { key } => Reply::Seeded { seed: self.seeds.get(&key).cloned() },
            Effect::Acquire { object, message } => {
                self.performed.push("acquire");
                let event = route::Event::Acquire {
                    have: message.have,
                    holder: message.holder,
                    position: message.position,
                    need: message.need,
                };
                self.ask(object, event).map_or(Reply::Failed, |(answer, bytes)| Reply::Acquired {
                    bytes: matches!(answer, route::Answer::Newer { .. }).then_some(bytes).flatten(),
                    answer: Acquired::from_answer(answer).unwrap(),
                    waited: false,
                })
            }
            Effect::PublishSeed { object, message } => {
                self.performed.push("publish");
                let header = self.seeds.values().next().unwrap().clone();
                self.publish(object, message, &header)
            }
            Effect::Publish { object, message, header } => {
                self.performed.push("publish");
                let total = header.len() as u64 + frame_body(&header);
                self.publish(object, message, &Bytes { header, total })
            }
            Effect::Abandon { object, message } => {
                self.performed.push("abandon");
                let route::Event::Abandon { .. } = self.abandon(object, message.lease, message.reason) else {
                    unreachable!()
                };
                Reply::Done
            }
            Effect::Regenerate { token } => {
                self.regenerations.push(token);
                Reply::Regenerated { status: 200 }
            }
            Effect::Append { message } => {
                self.performed.push("append");
                if !self.ledger_is_up {
                    return Reply::Failed;
                }
                let event =
                    ledger::Event::Append { position: message.position, tags: message.tags, profile: message.profile };
                match self.ledger_step(event) {
                    ledger::Answer::Since(since) => Reply::Appended { since },
                    ledger::Answer::Checked(_) => unreachable!(),
                }
            }
            Effect::Check { message } => {
                self.performed.push("check");
                let event = ledger::Event::Check { position: message.position, tags: message.tags };
                match self.ledger_step(event) {
                    ledger::Answer::Checked(invalidation) => Reply::Checked { invalidation },
                    ledger::Answer::Since(_) => unreachable!(),
                }
            }
            Effect::Pause { ms } => {
                self.performed.push("pause");
                self.pass(ms);
                Reply::Done
            }
        }
    }

    fn ledger_step(&mut self, event: ledger::Event) -> ledger::Answer {
        let Ok(answer) = self.ledger.step(&LedgerPolicy::default(), &mut self.rows, self.now, event);
        answer
    }

    fn since(&mut self, position: Position) -> Since {
        match self.ledger_step(ledger::Event::Since { position }) {
            ledger::Answer::Since(since) => since,
            ledger::Answer::Checked(_) => unreachable!(),
        }
    }

    fn ask(&mut self, object: String, event: route::Event) -> Option<(route::Answer, Option<Bytes>)> {
        if !self.coordinator_is_up {
            return None;
        }
        let now = self.now;
        let (route, bytes) = self.routes.entry(object).or_insert_with(|| (Route::new(now), None));
        let answer = route.step(&RoutePolicy::default(), now, event).answer;
        Some((answer, bytes.clone()))
    }

    fn abandon(&mut self, object: String, lease: crate::wire::LeaseName, reason: AbandonReason) -> route::Event {
        let event = route::Event::Abandon { generation: lease.generation, holder: lease.holder, reason };
        self.ask(object, event.clone());
        event
    }

    fn publish(&mut self, object: String, message: crate::wire::Publish, bytes: &Bytes) -> Reply {
        let mut entry = frame::read(&bytes.header, bytes.total).unwrap();
        let event = route::Event::Publish {
            lease: message.lease.map(|lease| (lease.generation, lease.holder)),
            position: entry.position,
            seed: message.seed,
            render_time: message.render_ms,
            bytes: bytes.total,
        };
        let Some((answer, _)) = self.ask(object.clone(), event) else { return Reply::Failed };
        if let route::Answer::Accepted { generation } = answer {
            entry.generation = generation;
            entry.key_life = Some(KeyLife { put_at: self.now, seconds: KEY_LIFE.whole_seconds() });
            let bytes = stored(&entry);
            if self.kv_shows_writes {
                self.kv.insert(object.clone(), bytes.clone());
            }
            self.routes.get_mut(&object).unwrap().1 = Some(bytes);
        }
        Reply::Published { answer: Published::from_answer(&answer, &RoutePolicy::default()).unwrap() }
    }

    fn read(&mut self, isolate: &mut Engine, context: RequestContext) -> Outcome {
        self.call(isolate, read(Caller::Renderer, context))
    }

    /// A visitor's read; a miss under a lease is rendered and stored.
    fn visit(&mut self, isolate: &mut Engine, tags: &[&str]) -> Outcome {
        let outcome = self.read(isolate, RequestContext::default());
        if let Outcome::Miss(ReadMiss { lease: Some(lease), .. }) = &outcome {
            self.store(isolate, Some(lease.clone()), tags);
        }
        outcome
    }

    fn store(&mut self, isolate: &mut Engine, lease: Option<Lease>, tags: &[&str]) -> Outcome {
        let call = store(lease, tags, 100, self.now);
        self.call(isolate, call)
    }

    fn invalidate(&mut self, isolate: &mut Engine, tag: &str) -> Outcome {
        self.call(isolate, Call::Invalidate { tags: vec![tag.to_owned()], profile: None })
    }

    fn took(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.performed)
    }
}

fn stored(entry: &Entry) -> Bytes {
    let header = frame::header(entry);
    let total = header.len() as u64 + entry.body_bytes();
    Bytes { header, total }
}

/// The length of the body that a header speaks of.
fn frame_body(header: &[u8]) -> u64 {
    let metadata = &header[frame::PREFIX_BYTES..];
    serde_json::from_slice::<Entry>(metadata).unwrap().body_bytes()
}

/// A name that nobody else has.
fn nonce() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NONCES: AtomicU32 = AtomicU32::new(0);
    NONCES.fetch_add(1, Ordering::Relaxed).to_string()
}

fn read(caller: Caller, context: RequestContext) -> Call {
    let kind = Kind::Response;
    Call::Read(ReadCall {
        kind,
        key: KEY.to_owned(),
        caller,
        nonce: nonce(),
        context,
        seeded: true,
        tags: Vec::new(),
        revalidate: None,
    })
}

fn store(lease: Option<Lease>, tags: &[&str], bytes: u32, now: Millis) -> Call {
    Call::Store {
        kind: Kind::Response,
        key: KEY.to_owned(),
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes }],
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        revalidate: Some(60),
        expire: Some(3600),
        lease,
        context: RequestContext::default(),
        started_at: now,
        created_at: None,
    }
}

fn refresh(generation: u64, context: RequestContext) -> Call {
    Call::Refresh { kind: Kind::Response, key: KEY.to_owned(), generation, expire: Some(3600), nonce: nonce(), context }
}

fn entry(outcome: Outcome) -> ReadEntry {
    match outcome {
        Outcome::Entry(entry) => *entry,
        other => panic!("expected an entry, got {other:?}"),
    }
}

fn miss(outcome: Outcome) -> ReadMiss {
    match outcome {
        Outcome::Miss(miss) => miss,
        other => panic!("expected a miss, got {other:?}"),
    }
}

fn reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Entry(entry) => entry.reason,
        Outcome::Miss(miss) => miss.reason,
        Outcome::Ended { reason, .. } => reason,
    }
}

#[test]
fn a_page_is_rendered_once_and_fresh_in_an_isolate_that_never_saw_it() {
    let mut world = World::new();
    let (mut first, mut second) = (World::isolate(), World::isolate());
    assert_eq!(miss(world.visit(&mut first, &[])).reason, "leader");
    world.pass(Span::seconds(30));
    let found = entry(world.visit(&mut second, &[]));
    assert!(!found.stale);
    assert_eq!(found.source, Source::Kv);
}

#[test]
fn a_warm_hit_performs_nothing_and_a_cold_one_reads_kv_beside_the_ledger() {
    let mut world = World::new();
    let (mut warm, mut cold) = (World::isolate(), World::isolate());
    world.visit(&mut warm, &[]);
    world.took();
    assert_eq!(entry(world.visit(&mut warm, &[])).source, Source::Memory);
    assert!(world.took().is_empty());
    entry(world.visit(&mut cold, &[]));
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn a_look_into_memory_says_what_a_read_would_say_at_once() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let look = |isolate: &mut Engine, now: Millis| isolate.fresh_in_memory(Kind::Response, KEY, now);
    assert_eq!(look(&mut isolate, world.now), None, "there is nothing");
    world.visit(&mut isolate, &["a"]);
    let slot = look(&mut isolate, world.now);
    assert_eq!(slot.map(|slot| slot.0), entry(world.visit(&mut isolate, &["a"])).slot);
    assert!(slot.is_some());
    let Step::Perform { machine, .. } =
        isolate.begin(Call::Invalidate { tags: vec!["b".to_owned()], profile: None }, world.now)
    else {
        panic!("the ledger is told")
    };
    assert_eq!(
        look(&mut isolate, world.now),
        None,
        "something is being invalidated: a read knows whether it waits for that"
    );
    isolate.resume(machine, Reply::Failed, world.now.after(Span(1)));
    world.pass(Span(1000));
    assert_eq!(look(&mut isolate, world.now), None, "the copy of the ledger is too old");
}

#[test]
fn a_look_into_memory_finds_nothing_that_is_stale_or_unshared_or_wants_a_longer_life() {
    let look = |isolate: &mut Engine, world: &mut World| {
        // Within its window again.
        world.call(isolate, Call::Observe { at_least: Position::BEFORE_EVERYTHING });
        isolate.fresh_in_memory(Kind::Response, KEY, world.now).is_some()
    };
    let visited = |world: &mut World| {
        let mut isolate = World::isolate();
        world.visit(&mut isolate, &["a"]);
        isolate
    };
    let mut world = World::new();
    let mut isolate = visited(&mut world);
    assert!(look(&mut isolate, &mut world));
    world.pass(Span::seconds(61));
    assert!(!look(&mut isolate, &mut world), "it is past its lifetime");

    let mut world = World::new();
    let mut isolate = visited(&mut world);
    world.invalidate(&mut isolate, "a");
    assert!(!look(&mut isolate, &mut world), "it was invalidated");

    let mut world = World::new();
    world.coordinator_is_up = false;
    let mut isolate = visited(&mut world);
    assert!(!look(&mut isolate, &mut world), "nobody else has it");
}

#[test]
fn past_the_window_a_warm_hit_asks_the_ledger_alone() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    world.took();
    world.pass(Span(1000));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
}

#[test]
fn an_entry_older_than_the_copy_reaches_is_asked_about_once() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    for number in 0..2000 {
        world.invalidate(&mut World::isolate(), &format!("{}{number}", "a-long-tag-".repeat(5)));
        world.pass(Span(5));
    }
    world.pass(Span(1000));
    world.took();
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger", "check"], "its copy was told of fewer than there were");
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty(), "what was checked is known");
    world.pass(Span(1000));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);

    let mut cold = World::isolate();
    entry(world.visit(&mut cold, &["a"]));
    assert_eq!(world.took(), ["kv", "ledger", "check"]);
    entry(world.visit(&mut cold, &["a"]));
    assert!(world.took().is_empty());

    world.invalidate(&mut cold, "a");
    miss(world.read(&mut cold, RequestContext::default()));
    world.pass(Span(1000));
    let impatient = RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() };
    miss(world.read(&mut isolate, impatient));
}

#[test]
fn a_busy_ledger_is_asked_more_rarely_unless_every_read_is_to_ask() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let strong = EngineOptions { window_ms: Span::ZERO, ..EngineOptions::default() };
    let mut strong = Engine::new(strong, "b1", SECRET).unwrap();
    for _ in 0..600 {
        world.since(Position::BEFORE_EVERYTHING);
    }
    world.visit(&mut isolate, &["a"]);
    entry(world.visit(&mut strong, &["a"]));
    world.took();
    world.pass(Span(1999));
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty());
    entry(world.visit(&mut strong, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
    world.pass(Span(1));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
}

#[test]
fn a_second_isolate_is_told_to_wait_while_the_first_renders() {
    let mut world = World::new();
    let (mut leader, mut follower) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut leader, RequestContext::default())).lease;
    assert!(lease.is_some());
    let impatient = RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() };
    let outcome = miss(world.read(&mut follower, impatient));
    assert_eq!((outcome.reason, outcome.lease), ("wait-limit", None));
}

#[test]
fn in_one_isolate_the_second_visitor_looks_at_memory_instead_of_asking() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let lease = miss(world.read(&mut isolate, RequestContext::default())).lease;
    world.took();
    let Step::Perform { machine, effect: Effect::Pause { ms }, .. } =
        isolate.begin(read(Caller::Renderer, RequestContext { absent: true, ..RequestContext::default() }), world.now)
    else {
        panic!("expected a pause")
    };
    world.store(&mut isolate, lease, &[]);
    world.pass(ms);
    let Step::Done(outcome) = isolate.resume(machine, Reply::Done, world.now) else { panic!("expected the result") };
    assert!(entry(outcome).collapsed);
    assert_eq!(world.took(), ["publish"]);
}

#[test]
fn a_stale_page_is_served_and_regenerated_under_one_lease() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut one, &[]));
    assert!(stale.stale && entry(world.visit(&mut two, &[])).stale);
    let outcome = world.call(&mut one, refresh(stale.generation, RequestContext::default()));
    assert_eq!(reason(&outcome), "regenerated");
    assert_eq!(reason(&world.call(&mut two, refresh(stale.generation, RequestContext::default()))), "rendering");
    assert_eq!(world.regenerations.len(), 1);
}

#[test]
fn while_a_hold_is_remembered_kv_is_read_and_the_coordinator_not_asked_again() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut one, &[]));
    entry(world.visit(&mut two, &[]));
    world.call(&mut one, refresh(stale.generation, RequestContext::default()));
    world.call(&mut two, refresh(stale.generation, RequestContext::default()));
    world.took();
    assert!(entry(world.visit(&mut two, &[])).stale);
    assert_eq!(reason(&world.call(&mut two, refresh(stale.generation, RequestContext::default()))), "held");
    assert_eq!(world.took(), ["kv"]);
}

#[test]
fn whoever_carries_the_lease_renders_and_publishes_under_it() {
    let mut world = World::new();
    let (mut leader, mut renderer, mut cold) = (World::isolate(), World::isolate(), World::isolate());
    world.visit(&mut leader, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut leader, &[]));
    world.call(&mut leader, refresh(stale.generation, RequestContext::default()));
    let token = world.regenerations.remove(0).unwrap();
    let carried = crate::route::lease_token::CarriedLease::verify(&token, SECRET);
    let context = RequestContext { carried: carried.clone(), ..RequestContext::default() };
    world.took();
    let outcome = miss(world.read(&mut renderer, context.clone()));
    assert_eq!((outcome.reason, outcome.lease), ("leader", None));
    assert_eq!(world.took(), ["ledger"], "it brings its ledger copy up to the lease's position, and acquires nothing");
    let Call::Store { kind, key, shape, parts, tags, revalidate, started_at, .. } = store(None, &[], 100, world.now)
    else {
        unreachable!()
    };
    let lease = carried.map(|carried| carried.lease);
    let created_at = None;
    let call =
        Call::Store { kind, key, shape, parts, tags, revalidate, expire: None, lease, context, started_at, created_at };
    assert_eq!(reason(&world.call(&mut renderer, call)), "accepted");
    let fresh = entry(world.visit(&mut cold, &[]));
    assert!(!fresh.stale && fresh.generation > stale.generation);
    assert_eq!(fresh.expire, Some(3600), "the replaced entry's, since this host does not tell a regeneration's");
}

#[test]
fn the_isolate_that_invalidates_sees_it_at_once_and_others_after_one_window() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &["a"]);
    entry(world.visit(&mut two, &["a"]));
    assert_eq!(reason(&world.invalidate(&mut one, "a")), "recorded");
    assert!(miss(world.read(&mut one, RequestContext::default())).renewed);
    world.pass(Span(1000));
    let outcome = world.read(&mut two, RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() });
    assert_eq!(miss(outcome).reason, "wait-limit");
}

#[test]
fn while_an_invalidation_is_being_recorded_the_isolate_does_not_serve_what_it_is_about() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["news"]);
    let Step::Perform { machine: append, effect, .. } =
        isolate.begin(Call::Invalidate { tags: vec!["news".to_owned()], profile: None }, world.now)
    else {
        panic!("an invalidation has an effect")
    };
    let Step::Perform { machine: read, effect: Effect::Pause { .. }, .. } =
        isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now)
    else {
        panic!("the read waits")
    };
    let question = Call::Invalidated { tags: vec!["news".to_owned()], position: isolate.ledger.position() };
    let Step::Perform { machine: query, effect: Effect::Pause { .. }, .. } = isolate.begin(question, world.now) else {
        panic!("the question waits")
    };
    let recorded = world.perform(effect);
    isolate.resume(append, recorded, world.now);
    let Step::Done(Outcome::Ended { invalidation, .. }) = isolate.resume(query, Reply::Done, world.now) else {
        panic!("the question is answered")
    };
    assert_eq!(invalidation, Some(Invalidation::Hard));
    let Step::Perform { effect: Effect::Acquire { .. }, .. } = isolate.resume(read, Reply::Done, world.now) else {
        panic!("what was invalidated is not served")
    };
}

#[test]
fn nobody_waits_long_for_an_invalidation_that_is_not_recorded() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["news"]);
    let call = Call::Invalidate { tags: vec!["news".to_owned()], profile: None };
    let Step::Perform { machine: append, .. } = isolate.begin(call, world.now) else { panic!() };
    let begun = world.now;
    let mut step = isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    while let Step::Perform { machine, effect: Effect::Pause { ms }, .. } = step {
        world.pass(ms);
        step = isolate.resume(machine, Reply::Done, world.now);
    }
    assert!(matches!(step, Step::Done(Outcome::Entry(_))));
    assert!(world.now.since(begun) <= Span::seconds(4));
    // So it is at every further attempt.
    let Step::Perform { machine: append, .. } = isolate.resume(append, Reply::Failed, world.now) else { panic!() };
    isolate.resume(append, Reply::Done, world.now);
    let begun = world.now;
    assert_eq!(entry(world.read(&mut isolate, RequestContext::default())).reason, "fresh");
    let waited = world.now.since(begun);
    assert!(waited >= Span::seconds(2) && waited <= Span::seconds(4), "{waited:?}");
}

#[test]
fn an_invalidation_during_a_render_outlives_the_render() {
    let mut world = World::new();
    let (mut renderer, mut other) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut renderer, RequestContext::default())).lease;
    world.invalidate(&mut other, "a");
    world.pass(Span(400));
    assert_eq!(reason(&world.store(&mut renderer, lease, &["a"])), "accepted");
    let outcome = miss(world.read(&mut other, RequestContext::default()));
    assert!(outcome.renewed && outcome.lease.is_some(), "the page read old data: it is not served as fresh");
}

#[test]
fn a_waiter_may_serve_once_what_was_fresh_when_it_asked_and_does_not_remember_it() {
    let mut world = World::new();
    let (mut renderer, mut waiter, mut other) = (World::isolate(), World::isolate(), World::isolate());
    let lease = miss(world.read(&mut renderer, RequestContext::default())).lease;
    let step = waiter.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    let Step::Perform { machine, effect, .. } = step else { panic!() };
    let reply = world.perform(effect);
    let step = waiter.resume(machine, reply, world.now);
    let Step::Perform { machine, effect: Effect::Seed { .. }, .. } = step else { panic!("{step:?}") };
    let step = waiter.resume(machine, Reply::Seeded { seed: None }, world.now);
    let Step::Perform { machine, effect, .. } = step else { panic!() };
    world.store(&mut renderer, lease, &["a"]);
    world.invalidate(&mut other, "a");
    // The waiter's own isolate learns of the invalidation while it waits.
    world.pass(Span(1500));
    world.call(&mut waiter, Call::Observe { at_least: Position::BEFORE_EVERYTHING });
    let mut reply = world.perform(effect);
    if let Reply::Acquired { waited, .. } = &mut reply {
        *waited = true;
    }
    let Step::Done(outcome) = waiter.resume(machine, reply, world.now) else { panic!() };
    let served = entry(outcome);
    assert_eq!((served.reason, served.collapsed), ("purged", true));
    assert_eq!(served.memory, MemoryOrder::default());
}

#[test]
fn a_bystander_passes_a_miss_on_and_acquires_nothing() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let outcome = world.call(&mut isolate, read(Caller::Bystander, RequestContext::default()));
    assert_eq!(miss(outcome).reason, "pass");
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn a_prefetch_regenerates_nothing() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let prefetch = RequestContext { prefetch: true, ..RequestContext::default() };
    assert_eq!(reason(&world.call(&mut isolate, refresh(1, prefetch))), "prefetch");
    assert!(world.took().is_empty());
}

fn regenerator(world: &mut World, isolate: &mut Engine) -> ReadEntry {
    entry(world.call(isolate, read(Caller::Regenerator, RequestContext::default())))
}

#[test]
fn of_two_servers_that_find_a_page_stale_one_is_told_to_regenerate_it() {
    let (mut world, mut one, mut other) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span::seconds(61));
    let led = regenerator(&mut world, &mut one);
    assert!(led.stale && led.regenerate && led.lease.is_some());
    let followed = regenerator(&mut world, &mut other);
    assert!(followed.stale && !followed.regenerate && followed.lease.is_none());
    world.took();
    assert!(!regenerator(&mut world, &mut other).regenerate);
    assert_eq!(world.took(), ["kv"], "the coordinator is not asked again before the hold ends");
    world.store(&mut one, led.lease, &[]);
    let new = regenerator(&mut world, &mut other);
    assert!(!new.stale && new.generation > followed.generation);
}

#[test]
fn a_server_is_handed_what_another_published_instead_of_a_lease() {
    let (mut world, mut one, mut other) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    regenerator(&mut world, &mut other);
    world.pass(Span::seconds(61));
    world.kv_shows_writes = false;
    let led = regenerator(&mut world, &mut one);
    world.store(&mut one, led.lease, &[]);
    let given = regenerator(&mut world, &mut other);
    assert_eq!((given.stale, given.regenerate, given.source), (false, false, Source::Coordinator));
}

#[test]
fn a_prefetch_on_a_server_leaves_the_lease_to_a_visitor() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    let prefetch = RequestContext { prefetch: true, ..RequestContext::default() };
    assert!(!entry(world.call(&mut server, read(Caller::Regenerator, prefetch))).regenerate);
    assert!(regenerator(&mut world, &mut server).regenerate);
}

#[test]
fn a_server_whose_coordinator_is_down_regenerates_once_per_back_off() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    world.coordinator_is_up = false;
    let alone = regenerator(&mut world, &mut server);
    assert!(alone.regenerate && alone.lease.is_none());
    assert!(!regenerator(&mut world, &mut server).regenerate);
    world.pass(Span::seconds(1));
    assert!(regenerator(&mut world, &mut server).regenerate);
}

#[test]
fn a_server_that_gives_its_lease_back_asks_again_at_once() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    let lease = regenerator(&mut world, &mut server).lease.unwrap();
    let entry_key = server.scope().entry_key(Kind::Response, KEY);
    world.call(&mut server, Call::Release { entry_key, lease, reason: AbandonReason::Failed });
    world.took();
    assert!(!regenerator(&mut world, &mut server).regenerate, "the coordinator counts the failure");
    assert!(world.took().contains(&"acquire"));
}

#[test]
fn a_kv_that_lags_costs_a_hop_and_never_a_second_render() {
    let mut world = World::new();
    world.kv_shows_writes = false;
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!((found.source, found.collapsed), (Source::Coordinator, false), "it was there already: a hit");
    assert_eq!(entry(world.visit(&mut two, &[])).source, Source::Memory);
}

#[test]
fn an_isolate_never_serves_a_generation_below_one_it_has_seen() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    let old_kv = world.kv.clone();
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut two, &[]));
    let Outcome::Ended { .. } = world.call(&mut one, refresh(stale.generation, RequestContext::default())) else {
        panic!()
    };
    let token = world.regenerations.remove(0).unwrap();
    let lease = crate::route::lease_token::CarriedLease::verify(&token, SECRET).unwrap().lease;
    world.store(&mut two, Some(lease.clone()), &[]);
    two.memory.forget(&two.scope.entry_key(Kind::Response, KEY));
    world.kv = old_kv;
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!(found.generation, lease.generation, "KV went back; the coordinator has the newer one");
}

#[test]
fn a_corrupt_value_is_a_miss_counted_and_overwritten() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let name = isolate.scope.entry_key(Kind::Response, KEY);
    world.kv.insert(name.clone(), Bytes { header: b"garbage-garbage".to_vec(), total: 15 });
    assert_eq!(miss(world.visit(&mut isolate, &[])).reason, "leader");
    assert_eq!(isolate.corrupt_values(), 1);
    assert!(frame::header_bytes(&world.kv[&name].header).is_ok());
}

#[test]
fn a_render_too_large_for_kv_ends_its_lease_and_makes_nobody_wait() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease;
    let call = store(lease, &[], 26 * 1024 * 1024, world.now);
    assert_eq!(reason(&world.call(&mut one, call)), "too-large");
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "not-stored");
    world.took();
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "uncacheable");
    assert!(world.took().is_empty(), "an isolate that knows does not even ask");
}

#[test]
fn without_a_coordinator_a_page_is_rendered_and_the_coordinator_not_asked_by_every_request() {
    let mut world = World::new();
    world.coordinator_is_up = false;
    let mut isolate = World::isolate();
    assert_eq!(miss(world.read(&mut isolate, RequestContext::default())).reason, "coordinator-down");
    world.took();
    miss(world.read(&mut isolate, RequestContext::default()));
    assert!(!world.took().contains(&"acquire"));
    assert_eq!(reason(&world.store(&mut isolate, None, &[])), "coordinator-down");
    assert_eq!(entry(world.visit(&mut isolate, &[])).source, Source::Memory, "its own render serves this isolate");
}

#[test]
fn without_a_coordinator_a_stale_page_is_regenerated_once_per_back_off() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &[]);
    world.pass(Span(60_001));
    world.coordinator_is_up = false;
    for _ in 0..10 {
        let stale = entry(world.visit(&mut isolate, &[]));
        world.call(&mut isolate, refresh(stale.generation, RequestContext::default()));
    }
    assert_eq!(world.regenerations, [None]);
}

#[test]
fn a_cold_isolate_without_a_ledger_serves_briefly_and_remembers_nothing() {
    let mut world = World::new();
    let (mut warm, mut cold) = (World::isolate(), World::isolate());
    world.visit(&mut warm, &["a"]);
    world.ledger_is_up = false;
    let found = entry(world.visit(&mut cold, &["a"]));
    assert!(found.brief);
    assert_eq!((found.reason, found.memory), ("ledger-down", MemoryOrder::default()));
}

#[test]
fn what_is_served_without_being_kept_counts_as_seen_all_the_same() {
    let (mut world, mut maker, mut blind) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut maker, &["a"]);
    let older = world.kv.clone();
    world.invalidate(&mut maker, "a");
    world.visit(&mut maker, &["a"]);
    world.ledger_is_up = false;
    let newer = entry(world.call(&mut blind, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((newer.reason, newer.source), ("ledger-down", Source::Kv));
    // Another location's KV still shows the older one.
    world.kv = older;
    let again = entry(world.call(&mut blind, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((again.generation, again.source), (newer.generation, Source::Coordinator));
}

#[test]
fn a_ledger_that_is_down_leaves_the_copy_in_use() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    world.pass(Span::seconds(5));
    world.ledger_is_up = false;
    let found = entry(world.visit(&mut isolate, &["a"]));
    assert!(!found.brief);
    world.took();
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty(), "a ledger that did not answer is not asked by every read");
}

#[test]
fn a_lost_invalidation_is_reported() {
    let mut world = World::new();
    world.ledger_is_up = false;
    let mut isolate = World::isolate();
    assert_eq!(reason(&world.invalidate(&mut isolate, "a")), "not-recorded");
    assert_eq!(world.took().iter().filter(|did| **did == "append").count(), 4);
}

fn seed(world: &mut World) {
    let entry = Entry {
        generation: 0,
        position: Position::BEFORE_EVERYTHING,
        created_at: world.now,
        revalidate: Some(60),
        expire: Some(3600),
        tags: vec!["a".to_owned()],
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes: 9 }],
        key_life: None,
    };
    world.seeds.insert(KEY.to_owned(), stored(&entry));
}

#[test]
fn a_page_from_the_build_is_a_hit_on_its_first_visit() {
    let mut world = World::new();
    seed(&mut world);
    let (mut one, mut two) = (World::isolate(), World::isolate());
    assert_eq!(entry(world.visit(&mut one, &[])).source, Source::Seed);
    assert_eq!(entry(world.visit(&mut two, &[])).source, Source::Kv);
}

#[test]
fn a_bystander_takes_a_page_from_the_build_too() {
    let mut world = World::new();
    seed(&mut world);
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let read = |caller| read(caller, RequestContext::default());
    assert_eq!(entry(world.call(&mut one, read(Caller::Bystander))).source, Source::Seed);
    assert_eq!(entry(world.call(&mut two, read(Caller::Bystander))).source, Source::Kv);
}

#[test]
fn a_seed_never_takes_the_place_of_something_newer() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    seed(&mut world);
    world.kv.clear();
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!(found.source, Source::Coordinator);
    assert!(found.generation > 0);
}

#[test]
fn a_seed_whose_tag_was_ever_invalidated_is_rendered_anew() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.invalidate(&mut isolate, "a");
    seed(&mut world);
    let outcome = miss(world.visit(&mut isolate, &[]));
    assert_eq!((outcome.reason, outcome.renewed), ("leader", true));
}

fn bury(world: &mut World, isolate: &mut Engine) {
    let lease = miss(world.read(isolate, RequestContext::default())).lease;
    let Call::Store { kind, key, lease, context, started_at, .. } = store(lease, &[], 0, world.now) else {
        unreachable!()
    };
    let call = Call::Store {
        kind,
        key,
        shape: "tombstone".to_owned(),
        parts: Vec::new(),
        tags: Vec::new(),
        revalidate: None,
        expire: None,
        lease,
        context,
        started_at,
        created_at: None,
    };
    world.call(isolate, call);
    world.took();
}

#[test]
fn a_tombstone_is_a_miss_that_nobody_waits_for() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    bury(&mut world, &mut one);
    let outcome = miss(world.read(&mut two, RequestContext::default()));
    assert_eq!((outcome.reason, outcome.lease), ("tombstone", None));
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn where_absence_can_be_cached_one_caller_renders_what_a_tombstone_stands_for() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    bury(&mut world, &mut one);
    let outcome = miss(world.call(&mut two, read(Caller::Regenerator, RequestContext::default())));
    assert_eq!(outcome.reason, "leader");
    assert!(outcome.lease.is_some());
}

#[test]
fn a_lease_that_was_not_used_is_the_next_ones_at_once() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease.unwrap();
    let entry_key = one.scope.entry_key(Kind::Response, KEY);
    world.call(&mut one, Call::Release { entry_key, lease, reason: AbandonReason::Unused });
    assert!(miss(world.read(&mut two, RequestContext::default())).lease.is_some());
}

#[test]
fn a_lease_given_back_lets_the_next_one_render() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease.unwrap();
    let entry_key = one.scope.entry_key(Kind::Response, KEY);
    world.call(&mut one, Call::Release { entry_key, lease, reason: AbandonReason::Failed });
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "backing-off");
    world.pass(Span::seconds(2));
    assert!(miss(world.read(&mut two, RequestContext::default())).lease.is_some());
}

#[test]
fn a_machine_nobody_resumes_leaves_nothing_behind() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    assert_eq!(isolate.machines(), 1);
    world.pass(Span::seconds(120));
    isolate.begin(Call::Invalidate { tags: Vec::new(), profile: None }, world.now);
    assert_eq!(isolate.machines(), 0);
}

#[test]
fn a_reply_to_a_machine_that_is_gone_is_a_miss() {
    let mut isolate = World::isolate();
    assert_eq!(isolate.resume(77, Reply::Done, Millis(1)), Step::Done(isolate.miss("engine-restarted")));
}

#[test]
fn an_entry_is_as_old_as_its_value_where_the_host_knows_when_that_was_made() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    let made = Millis(world.now.0 - 61_000);
    let Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, .. } =
        store(None, &[], 10, world.now)
    else {
        unreachable!()
    };
    let created_at = Some(made);
    let call =
        Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, created_at };
    world.call(&mut isolate, call);
    let stored = entry(world.call(&mut isolate, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((stored.created_at, stored.reason), (made, "stale-age"));
}

#[test]
fn whoever_wants_the_copy_within_its_window_hears_whether_it_is() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    let observe = |world: &mut World, isolate: &mut Engine| match world
        .call(isolate, Call::Observe { at_least: Position::BEFORE_EVERYTHING })
    {
        Outcome::Ended { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(observe(&mut world, &mut isolate), "observed");
    assert_eq!(observe(&mut world, &mut isolate), "within-window");
    world.now = world.now.after(Span::seconds(2));
    world.ledger_is_up = false;
    assert_eq!(observe(&mut world, &mut isolate), "ledger-down");
    assert_eq!(observe(&mut world, &mut isolate), "ledger-down", "also while it is not asked again");
    world.ledger_is_up = true;
    world.now = world.now.after(Span::seconds(2));
    assert_eq!(observe(&mut world, &mut isolate), "observed");
}
