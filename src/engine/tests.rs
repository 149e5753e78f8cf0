//! The engine against a world of its own: the real lease and ledger machines, a KV, virtual time.

mod carried;
mod clocks;
mod fresh;
mod invalidations;
mod key_life;
mod leases;
mod machines;
mod nested;
mod outages;
mod regenerators;
mod seeds;
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

fn regenerator(world: &mut World, isolate: &mut Engine) -> ReadEntry {
    entry(world.call(isolate, read(Caller::Regenerator, RequestContext::default())))
}
