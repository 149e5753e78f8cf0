//! Whoever reads bytes that somebody else wrote. Each decoder is followed by what its result is given to: a value that is read
//! well and then breaks a machine is as bad as one that breaks its reader.
//!
//! A decoder says whether it took the bytes for what they should be. It panics where a promise is broken.

use std::hint::black_box;

use onegen::base::limits::{EngineOptions, LedgerPolicy, RoutePolicy};
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::MemoryTier;
use onegen::engine::{Bytes, Call, Caller, Engine, ReadCall, Reply, RequestContext, Step, Stored};
use onegen::entry::Entry;
use onegen::entry::frame;
use onegen::entry::freshness::{Verdict, judge};
use onegen::entry::key::{EntryKey, Kind, Scope};
use onegen::ledger::{self, Ledger, Rows, Since};
use onegen::ledger::{Invalidation, LedgerCopy};
use onegen::route::lease_token::CarriedLease;
use onegen::route::{self, Route};
use onegen::wire::api::{self, Message, Operation, Request};
use onegen::wire::{Acquired, Published};
use serde::Deserialize;

/// A name, as in `corpus/`, and what reads.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub const DECODERS: [Decoder; 9] = [
    ("frame", frame_of_kv),
    ("since", answer_of_the_ledger),
    ("conversation", conversation_with_the_engine),
    ("route", row_of_a_coordinator),
    ("ledger", messages_to_the_ledger),
    ("request", request_to_the_api),
    ("lease-token", token_of_a_lease),
    ("entry-key", name_of_an_entry),
    ("options", options_of_a_config),
];

const SECRET: &str = "secret";
/// The last moment that JavaScript's clock knows (ECMA-262, 21.4.1.1).
const LATEST_TIME: u64 = 8_640_000_000_000_000;
const NOW: Millis = Millis(1_800_000_000_000);

fn engine() -> Engine {
    Engine::new(EngineOptions::default(), "b1", SECRET).unwrap()
}

/// Whatever was begun comes to an end when nobody answers any more.
fn ends(engine: &mut Engine, mut step: Step, mut now: Millis) {
    for _ in 0..200 {
        match step {
            Step::Done(_) => return,
            Step::Perform { machine, deadline_ms, .. } => {
                now = now.after(deadline_ms.and(Span(1)));
                step = engine.resume(machine, Reply::Failed, now);
            }
        }
    }
    panic!("a call goes on although everything it asks fails: {step:?}");
}

fn read_of(key: &str) -> Call {
    Call::Read(ReadCall {
        kind: Kind::Response,
        key: key.to_owned(),
        caller: Caller::Renderer,
        nonce: "n1".to_owned(),
        context: RequestContext::default(),
        seeded: true,
        tags: Vec::new(),
        revalidate: None,
    })
}

// --- what is stored -------------------------------------------------------------------------------------------------------------

/// A value of Workers KV: it is read by an engine, kept, judged and written again.
fn frame_of_kv(bytes: &[u8]) -> bool {
    let read = frame::read_header(bytes);
    let body = read.as_ref().map_or(0, Entry::body_bytes);
    let header = frame::header_bytes(bytes).map_or(bytes.len(), |length| length.min(bytes.len()));
    let value = Bytes { header: bytes[..header].to_vec(), total: (header as u64).saturating_add(body) };
    let mut engine = engine();
    let Step::Perform { machine, .. } = engine.begin(read_of("/a"), NOW) else { panic!("KV was not asked") };
    let since = Some(ledger_of(&[]));
    let step = engine.resume(machine, Reply::Loaded { kv: Some(Stored::Found(value)), since }, NOW);
    ends(&mut engine, step, NOW);
    let Ok(entry) = read else {
        return false;
    };
    assert_eq!(frame::read_header(&frame::header(&entry)), Ok(entry.clone()), "what was written is read back");
    for invalidation in [Invalidation::None, Invalidation::Soft, Invalidation::Hard] {
        let is_gone = matches!(judge(&entry, invalidation, NOW), Verdict::Gone(_));
        assert!(is_gone || invalidation != Invalidation::Hard, "served although it was invalidated");
    }
    black_box((entry.fresh_for(NOW), entry.usable_for(NOW)));
    let mut memory = MemoryTier::new(1 << 20);
    memory.put("a", entry.clone(), header as u64);
    memory.put_unshared("a", entry, header as u64);
    true
}

/// The row of a coordinator and, a line each, what comes to it afterwards: `<now> <operation> <message>`.
fn row_of_a_coordinator(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let Ok(mut route) = serde_json::from_str::<Route>(lines.next().unwrap_or_default()) else { return false };
    let policy = RoutePolicy::default();
    let mut all_read = true;
    for (now, operation, message) in lines.map(line) {
        let position = Position::BEFORE_EVERYTHING;
        let event = match api::message(operation, message) {
            Ok(Some(Message::Acquire(acquire))) => {
                let (have, holder, need) = (acquire.have, acquire.holder, acquire.need);
                route::Event::Acquire { have, holder, position: acquire.position, need }
            }
            Ok(Some(Message::Publish(publish))) => {
                let lease = publish.lease.map(|lease| (lease.generation, lease.holder));
                route::Event::Publish {
                    lease,
                    position,
                    seed: publish.seed,
                    render_time: publish.render_ms,
                    bytes: message.len() as u64,
                }
            }
            Ok(Some(Message::Abandon(abandon))) => {
                let (generation, holder) = (abandon.lease.generation, abandon.lease.holder);
                route::Event::Abandon { generation, holder, reason: abandon.reason }
            }
            Ok(None) if operation == Operation::Touch => route::Event::Touch,
            Ok(None) => route::Event::Alarm,
            _ => {
                all_read = false;
                route::Event::Restarted
            }
        };
        let before = route.last_generation();
        let route::Outcome { answer, effects } = route.step(&policy, now, event);
        let is_forgotten = effects.contains(&route::Effect::DeleteAll);
        assert!(is_forgotten || route.last_generation() >= before, "generations go on");
        black_box((route.alarm_at(&policy), Published::from_answer(&answer, &policy), Acquired::from_answer(answer)));
        let row = serde_json::to_string(&route).unwrap();
        assert_eq!(serde_json::from_str::<Route>(&row).unwrap(), route, "a row that was written is read back");
    }
    all_read
}

fn line(text: &str) -> (Millis, Operation, &str) {
    let mut words = text.splitn(3, ' ');
    let now = words.next().and_then(|now| now.parse().ok()).map_or(NOW, |now: u64| Millis(now.min(LATEST_TIME)));
    let name = words.next().unwrap_or_default();
    let operation = Operation::ALL.into_iter().find(|one| one.as_str() == name).unwrap_or(Operation::Health);
    (now, operation, words.next().unwrap_or_default())
}

// --- what travels ---------------------------------------------------------------------------------------------------------------

fn ledger_of(tags: &[&str]) -> Since {
    let (mut ledger, mut rows) = (Ledger::new(NOW), Rows::default());
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let event = ledger::Event::Append { position: Position::BEFORE_EVERYTHING, tags, profile: None };
    match ledger.step(&LedgerPolicy::default(), &mut rows, NOW, event) {
        Ok(ledger::Answer::Since(since)) => since,
        other => panic!("an invalidation is answered otherwise: {other:?}"),
    }
}

/// An answer of the ledger's: it becomes part of a copy, and entries are judged by that.
fn answer_of_the_ledger(bytes: &[u8]) -> bool {
    let Ok(since) = serde_json::from_slice::<Since>(bytes) else { return false };
    let mut copy = LedgerCopy::default();
    copy.merge(ledger_of(&["a"]), NOW);
    let before = copy.position();
    copy.merge(since.clone(), NOW.after(Span(1)));
    assert!(copy.position().epoch != before.epoch || copy.position().number >= before.number, "a copy goes back");
    for tag in since.rows.iter().map(|row| row.tag.clone()).chain(["a".to_owned()]) {
        for rendered_at in [Position::BEFORE_EVERYTHING, before, copy.position()] {
            black_box([NOW, Millis(u64::MAX)].map(|now| copy.knows([&tag], rendered_at, now)));
        }
    }
    copy.merge(since, Millis(0));
    true
}

/// What a host asks of the engine, when, and what it says became of it.
#[derive(Deserialize)]
struct Conversation {
    at: Vec<u64>,
    calls: Vec<Call>,
    replies: Vec<Reply>,
}

/// The bindings read the same values from JavaScript.
fn conversation_with_the_engine(bytes: &[u8]) -> bool {
    let Ok(told) = serde_json::from_slice::<Conversation>(bytes) else { return false };
    let mut engine = engine();
    let mut times = told.at.into_iter().map(|at| Millis(at.min(LATEST_TIME)));
    let mut replies = told.replies.into_iter();
    let mut now = NOW;
    for call in told.calls {
        now = times.next().unwrap_or(now);
        let mut step = engine.begin(call, now);
        while let Step::Perform { machine, .. } = step {
            let Some(reply) = replies.next() else { break };
            now = times.next().unwrap_or(now);
            step = engine.resume(machine, reply, now);
        }
        ends(&mut engine, step, now);
    }
    true
}

/// Messages to the ledger, a line each: `<now> <operation> <message>`. A copy hears all its answers.
fn messages_to_the_ledger(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (mut ledger, mut rows, mut copy) = (Ledger::new(NOW), Rows::default(), LedgerCopy::default());
    let mut all_read = true;
    for (now, operation, message) in text.lines().map(line) {
        let event = match api::message(operation, message) {
            Ok(Some(Message::Since(question))) => ledger::Event::Since { position: question.position },
            Ok(Some(Message::Check(check))) => ledger::Event::Check { position: check.position, tags: check.tags },
            Ok(Some(Message::Append(append))) => {
                let (position, tags, profile) = (append.position, append.tags, append.profile);
                ledger::Event::Append { position, tags, profile }
            }
            _ => {
                all_read = false;
                continue;
            }
        };
        let before = ledger.head();
        let Ok(answer) = ledger.step(&LedgerPolicy::default(), &mut rows, now, event);
        assert!(ledger.head().covers(before), "positions go on");
        if let ledger::Answer::Since(since) = answer {
            copy.merge(serde_json::from_slice(&serde_json::to_vec(&since).unwrap()).unwrap(), now);
        }
    }
    all_read
}

/// A request, a line each: the configured tokens, method and path, `Authorization`, the keys; then its message.
fn request_to_the_api(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (tokens, (method, path), authorization) = (next(), next().split_once(' ').unwrap_or_default(), next());
    let keys: Vec<String> = next().split('\t').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    let message = next();
    black_box(api::is_known(authorization, 7));
    let request = Request { method, path, authorization: Some(authorization), keys: &keys };
    let refusal = match api::decide(Some(tokens), request) {
        Ok(permit) => {
            assert!(permit.object.is_empty() || permit.object.contains(&permit.app), "an object of another app");
            match api::message(permit.operation, message) {
                Ok(_) => return true,
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    assert!(!refusal.problem().detail.is_empty(), "{}: refused without a word", refusal.as_str());
    false
}

fn token_of_a_lease(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some(carried) = CarriedLease::verify(&text, SECRET) else { return false };
    assert_eq!(carried.sign(SECRET), text, "only what was signed is believed");
    assert_eq!(CarriedLease::verify(&text, "another"), None);
    true
}

fn name_of_an_entry(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (app, key) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(scope) = Scope::new(app, key) {
        let name = scope.entry_key(Kind::Data, key);
        assert!(name.len() <= 512, "Workers KV takes keys of 512 bytes, not {}", name.len());
        let owner = EntryKey::parse(&name).map(|named| named.app);
        assert!(key.is_empty() || owner == Ok(app), "{name} is read as {owner:?}'s");
    }
    EntryKey::parse(key).is_ok()
}

// --- what is configured -----------------------------------------------------------------------------------------------------------

/// The engine's options cross one by one.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct IsolateOptions {
    app: String,
    memory_bytes: u64,
    window_ms: u64,
    wait_ms: u64,
}

impl Default for IsolateOptions {
    fn default() -> Self {
        let EngineOptions { app, memory_bytes, window_ms, wait_ms } = EngineOptions::default();
        Self { app, memory_bytes, window_ms: window_ms.0, wait_ms: wait_ms.0 }
    }
}

#[derive(Deserialize)]
struct Options {
    engine: IsolateOptions,
    route: RoutePolicy,
    ledger: LedgerPolicy,
}

/// Options that are accepted run: a page is asked for, rendered in vain and published under them.
fn options_of_a_config(bytes: &[u8]) -> bool {
    let Ok(options) = serde_json::from_slice::<Options>(bytes) else { return false };
    let IsolateOptions { app, memory_bytes, window_ms, wait_ms } = options.engine;
    let engine = EngineOptions { app, memory_bytes, window_ms: Span(window_ms), wait_ms: Span(wait_ms) };
    let (Ok(engine), Ok(policy), Ok(_)) = (engine.validated(), options.route.validated(), options.ledger.validated())
    else {
        return false;
    };
    if let Ok(mut engine) = Engine::new(engine, "b1", SECRET) {
        let step = engine.begin(read_of("/a"), NOW);
        ends(&mut engine, step, NOW);
    }
    let mut route = Route::new(NOW);
    for n in 0..40 {
        let (now, holder) = (NOW.after(Span::seconds(600).times(n)), format!("n{n}"));
        let position = Position::BEFORE_EVERYTHING;
        let have = route.latest().map(|latest| latest.generation);
        let ask = route::Event::Acquire { have, holder: holder.clone(), position, need: route::Need::Fill };
        let answer = route.step(&policy, now, ask).answer;
        if let route::Answer::Granted { lease: route::Lease { generation, .. }, .. } = answer {
            let reason = route::AbandonReason::Failed;
            let event = match n % 3 {
                0 => route::Event::Abandon { generation, holder, reason },
                _ => route::Event::Publish {
                    lease: Some((generation, holder)),
                    position,
                    seed: false,
                    render_time: Span(n),
                    bytes: n,
                },
            };
            route.step(&policy, now, event);
        }
        route.step(&policy, route.alarm_at(&policy).max(now), route::Event::Alarm);
    }
    true
}
