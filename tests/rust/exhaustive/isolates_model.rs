//! Two real isolates, the coordinators of a page and of the data it is made of, and the ledger: every order in which what they
//! send is taken and answered. The page is made of the data, and both carry the tag that is
//! invalidated; whenever a page is served, it must be made of data that is as new as what its isolate had seen when it was asked.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use onegen::base::limits::{EngineOptions, LedgerPolicy, RoutePolicy};
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::{Bytes, Call, Caller, Effect, Engine, Outcome, ReadCall, Reply, RequestContext, Step, Stored};
use onegen::entry::frame;
use onegen::entry::key::Kind;
use onegen::entry::{Entry, Part};
use onegen::ledger::{self, Ledger, Profile, Rows};
use onegen::route::{self, Lease, Route};
use onegen::wire::{Acquired, LeaseName, Published};
use stateright::{Model, Property};

use crate::check::{assert_noticed, check};

const ISOLATES: usize = 2;
const START: Millis = Millis(1_800_000_000_000);
const TAG: &str = "data";

const NO_LOST_INVALIDATION: &str = "nothing is served as fresh that an invalidation ended which its isolate had seen";
const NO_PURGED: &str = "nothing is served at all that was ended at once";
const HONEST: &str = "nothing is published as younger than the oldest of its data";
const ONE_LEASE: &str = "at most one lease is live";
const FORWARD: &str = "no isolate serves a generation below one that it has served";
const WAITED: &str = "somebody is given the page of another isolate";

/// How the host drives the engine: as designed, or with one mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    AsDesigned,
    /// A render is as old as the moment at which it is stored.
    PositionAtTheEnd,
    /// A coordinator forgets whom it has granted a lease.
    GrantsEverybody,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Budget {
    visits: u8,
    invalidations: u8,
    /// How often somebody who waits for another's render looks again before that is done.
    pauses: u8,
}

#[derive(Debug, Clone)]
struct Bounds {
    driver: Driver,
    budget: Budget,
    kinds: Vec<Option<Profile>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Page,
    Data,
}

impl What {
    const fn kind(self) -> Kind {
        match self {
            Self::Page => Kind::Response,
            Self::Data => Kind::Data,
        }
    }
}

/// What a task does with the result of the call that is under way.
#[derive(Debug, Clone, PartialEq)]
enum Doing {
    Reading(What),
    /// The data is asked for where it comes from.
    Fetching(Option<Lease>),
    Storing(What, u64),
    Invalidating,
}

/// A call of the engine's that is under way.
#[derive(Debug, Clone, PartialEq)]
enum Under {
    Sent(u32, Effect),
    Answered(u32, Reply),
    /// Nothing of the engine's.
    Nothing,
}

/// A visit of the page, or an invalidation.
#[derive(Debug, Clone, PartialEq)]
struct Task {
    isolate: usize,
    doing: Doing,
    under: Under,
    context: RequestContext,
    lease: Option<Lease>,
    /// Where the isolate's copy stood when the page was asked for.
    seen: Position,
    /// The version that an invalidation makes known.
    version: u64,
}

#[derive(Debug, Clone)]
struct Coordinator {
    route: Route,
    bytes: Option<Bytes>,
}

#[derive(Debug, Clone)]
struct World {
    now: Millis,
    engines: Vec<Engine>,
    tasks: Vec<Task>,
    coordinators: BTreeMap<String, Coordinator>,
    kv: BTreeMap<String, Bytes>,
    ledger: Ledger,
    rows: Rows,
    /// The version that the data has where it comes from.
    source: u64,
    /// What each line of the ledger made known, and whether it ended entries at once.
    log: Vec<(u64, bool)>,
    /// Leases as an onlooker counts them.
    live: Vec<(String, String, Millis)>,
    served: Vec<u64>,
    names: u32,
    left: Budget,
    broken: Option<&'static str>,
    occurred: Vec<&'static str>,
}

impl World {
    fn fingerprint(&self) -> String {
        format!("{self:?}")
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint().hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Action {
    Visit {
        isolate: usize,
    },
    Invalidate {
        isolate: usize,
        profile: Option<Profile>,
    },
    /// What was sent is taken, and the answer is on its way.
    Take {
        task: usize,
    },
    Answer {
        task: usize,
    },
    Fetch {
        task: usize,
    },
}

impl World {
    fn breaks(&mut self, promise: &'static str) {
        self.broken.get_or_insert(promise);
    }

    fn occurs(&mut self, what: &'static str) {
        if !self.occurred.contains(&what) {
            self.occurred.push(what);
        }
    }

    /// The version that an entry must have at least for whoever has seen this much of the ledger: to be served, and as fresh.
    fn required(&self, seen: Position) -> (u64, u64) {
        let lines = self.log.iter().take(usize::try_from(seen.within(self.ledger.head().epoch)).unwrap_or(0));
        lines.fold((0, 0), |(served, fresh), (version, hard)| {
            (if *hard { served.max(*version) } else { served }, fresh.max(*version))
        })
    }

    /// Whether nothing would come of it now but another wait.
    fn is_waiting(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Pause { .. } => true,
            Effect::Acquire { object, message } if message.wait_ms > Span::ZERO => {
                let holder = message.holder.clone();
                let (have, position, need) = (message.have, message.position, message.need);
                let event = route::Event::Acquire { have, holder, position, need };
                self.coordinators.get(object).is_some_and(|coordinator| {
                    let answer = coordinator.route.clone().step(&RoutePolicy::default(), self.now, event).answer;
                    matches!(answer, route::Answer::Hold { .. })
                })
            }
            _ => false,
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        self.names.to_string()
    }

    fn ledger_step(&mut self, event: ledger::Event) -> ledger::Answer {
        let Ok(answer) = self.ledger.step(&LedgerPolicy::default(), &mut self.rows, self.now, event);
        answer
    }

    fn coordinator_step(&mut self, object: &str, event: route::Event) -> (route::Answer, Option<Bytes>) {
        let now = self.now;
        let made = || Coordinator { route: Route::new(now), bytes: None };
        let coordinator = self.coordinators.entry(object.to_owned()).or_insert_with(made);
        let answer = coordinator.route.step(&RoutePolicy::default(), now, event).answer;
        (answer, coordinator.bytes.clone())
    }

    /// Leases end when their time is over, when they are given back, and when what they were for is published.
    fn count_lease(&mut self, object: &str, holder: &str, remaining: Span) {
        let deadline = self.now.after(remaining);
        if !self.live.iter().any(|(name, known, _)| name == object && known == holder) {
            self.live.push((object.to_owned(), holder.to_owned(), deadline));
        }
        if self.live.iter().filter(|(name, ..)| name == object).count() > 1 {
            self.breaks(ONE_LEASE);
        }
    }

    fn end_lease(&mut self, object: &str, holder: &str) {
        self.live.retain(|(name, known, _)| name != object || known != holder);
    }
}

/// The version is where a host tells the shape of a value.
fn shape_of(version: u64) -> String {
    format!("v{version}")
}

fn version_of(shape: &str) -> u64 {
    shape.trim_start_matches('v').parse().unwrap_or(0)
}

fn with_generation(header: &[u8], generation: u64) -> Bytes {
    let mut entry = frame::read_header(header).unwrap_or_else(|corrupt| panic!("{}", corrupt.as_str()));
    entry.generation = generation;
    bytes_of(&entry)
}

fn bytes_of(entry: &Entry) -> Bytes {
    let header = frame::header(entry);
    let total = header.len() as u64 + entry.body_bytes();
    Bytes { header, total }
}

impl Bounds {
    fn begin(&self, world: &mut World, mut task: Task, call: Call) {
        let step = world.engines[task.isolate].begin(call, world.now);
        task.under = Under::Nothing;
        self.proceed(world, task, step);
    }

    fn proceed(&self, world: &mut World, mut task: Task, step: Step) {
        match step {
            Step::Perform { machine, effect, .. } => {
                task.under = Under::Sent(machine, effect);
                world.tasks.push(task);
            }
            Step::Done(outcome) => {
                task.under = Under::Nothing;
                self.ended(world, task, outcome);
            }
        }
    }

    fn read(&self, world: &mut World, mut task: Task, what: What) {
        task.doing = Doing::Reading(what);
        let call = ReadCall {
            kind: what.kind(),
            key: "key".to_owned(),
            caller: if what == What::Page { Caller::Regenerator } else { Caller::Renderer },
            nonce: world.name(),
            context: RequestContext { nested: what == What::Data, ..task.context.clone() },
            seeded: false,
            tags: Vec::new(),
            revalidate: None,
        };
        self.begin(world, task, Call::Read(call));
    }

    fn store(&self, world: &mut World, mut task: Task, what: What, lease: Option<Lease>, version: u64) {
        task.doing = Doing::Storing(what, version);
        let (mut context, mut lease) = (task.context.clone(), lease);
        if self.driver == Driver::PositionAtTheEnd {
            let position = position_of(&world.engines[task.isolate]);
            context.position = Some(position);
            lease = lease.map(|lease| Lease { position, ..lease });
        }
        let call = Call::Store {
            kind: what.kind(),
            key: "key".to_owned(),
            shape: shape_of(version),
            parts: vec![Part { name: "html".to_owned(), bytes: 1 }],
            tags: vec![TAG.to_owned()],
            revalidate: None,
            expire: None,
            lease,
            context,
            started_at: world.now,
            created_at: None,
        };
        self.begin(world, task, call);
    }

    fn ended(&self, world: &mut World, mut task: Task, outcome: Outcome) {
        match (task.doing.clone(), outcome) {
            (Doing::Reading(What::Page), outcome) => {
                let (lease, ledger, renders) = match outcome {
                    Outcome::Entry(entry) => {
                        self.served(world, &task, version_of(&entry.shape), entry.stale, entry.generation);
                        if entry.collapsed {
                            world.occurs(WAITED);
                        }
                        (entry.lease, entry.ledger, entry.regenerate)
                    }
                    Outcome::Miss(miss) => (miss.lease, miss.ledger, true),
                    Outcome::Ended { .. } => return,
                };
                task.lease = lease;
                task.context.position.get_or_insert(ledger);
                if renders {
                    self.read(world, task, What::Data);
                }
            }
            (Doing::Reading(What::Data), Outcome::Entry(entry)) => {
                if let Some(lowered) = entry.lowered {
                    let before = task.context.lowered;
                    task.context.lowered = Some(before.map_or(lowered, |before| before.lower_of(lowered)));
                }
                let lease = task.lease.take();
                self.store(world, task, What::Page, lease, version_of(&entry.shape));
            }
            (Doing::Reading(What::Data), Outcome::Miss(miss)) => {
                task.doing = Doing::Fetching(miss.lease);
                world.tasks.push(task);
            }
            (Doing::Storing(What::Data, version), _) => {
                let lease = task.lease.take();
                self.store(world, task, What::Page, lease, version);
            }
            _ => {}
        }
    }

    fn served(&self, world: &mut World, task: &Task, version: u64, stale: bool, generation: u64) {
        let (served, fresh) = world.required(task.seen);
        if version < served {
            world.breaks(NO_PURGED);
        }
        if !stale && version < fresh {
            world.breaks(NO_LOST_INVALIDATION);
        }
        if generation < world.served[task.isolate] {
            world.breaks(FORWARD);
        }
        world.served[task.isolate] = generation;
    }

    fn take(&self, world: &mut World, task: &Task, effect: Effect) -> Reply {
        match effect {
            Effect::Load { key, since } => {
                let kv = key.map(|key| world.kv.get(&key).cloned().map_or(Stored::Absent, Stored::Found));
                let since = since.map(|position| match world.ledger_step(ledger::Event::Since { position }) {
                    ledger::Answer::Since(since) => since,
                    ledger::Answer::Checked(_) => unreachable!("a ledger answers what it is asked"),
                });
                Reply::Loaded { kv, since }
            }
            Effect::Acquire { object, message } => {
                let (have, holder, position, need) = (message.have, message.holder, message.position, message.need);
                if self.driver == Driver::GrantsEverybody {
                    world.coordinators.remove(&object);
                }
                let event = route::Event::Acquire { have, holder, position, need };
                let (answer, bytes) = world.coordinator_step(&object, event);
                if let route::Answer::Granted { lease, remaining } = &answer {
                    world.count_lease(&object, &lease.holder, *remaining);
                }
                let waited = matches!(answer, route::Answer::Newer { .. });
                Reply::Acquired {
                    bytes: bytes.filter(|_| waited),
                    answer: Acquired::from_answer(answer).unwrap_or_else(|| unreachable!("it was asked for a lease")),
                    waited,
                }
            }
            Effect::Publish { object, message, header } => {
                let entry = frame::read_header(&header).unwrap_or_else(|corrupt| panic!("{}", corrupt.as_str()));
                let position = entry.position;
                if version_of(&entry.shape) < world.required(position).1 {
                    world.breaks(HONEST);
                }
                let lease = message.lease.map(|LeaseName { generation, holder }| (generation, holder));
                let own = lease.as_ref().map(|(_, holder)| holder.clone());
                let event = route::Event::Publish {
                    lease,
                    position,
                    seed: false,
                    render_time: message.render_ms,
                    bytes: u64::MAX,
                };
                let (answer, _) = world.coordinator_step(&object, event);
                if let Some(holder) = own {
                    world.end_lease(&object, &holder);
                }
                if let route::Answer::Accepted { generation } = answer {
                    let bytes = with_generation(&header, generation);
                    world.kv.insert(object.clone(), bytes.clone());
                    if let Some(coordinator) = world.coordinators.get_mut(&object) {
                        coordinator.bytes = Some(bytes);
                    }
                }
                let answer = Published::from_answer(&answer, &RoutePolicy::default());
                Reply::Published { answer: answer.unwrap_or_else(|| unreachable!("it was given a publication")) }
            }
            Effect::Abandon { object, message } => {
                let LeaseName { generation, holder } = message.lease;
                world.end_lease(&object, &holder);
                world.coordinator_step(&object, route::Event::Abandon { generation, holder, reason: message.reason });
                Reply::Done
            }
            Effect::Append { message } => {
                world.log.push((task.version, message.profile.is_none()));
                let (position, tags, profile) = (message.position, message.tags, message.profile);
                match world.ledger_step(ledger::Event::Append { position, tags, profile }) {
                    ledger::Answer::Since(since) => Reply::Appended { since },
                    ledger::Answer::Checked(_) => unreachable!("a ledger answers what it is asked"),
                }
            }
            Effect::Check { message } => {
                let (position, tags) = (message.position, message.tags);
                match world.ledger_step(ledger::Event::Check { position, tags }) {
                    ledger::Answer::Checked(invalidation) => Reply::Checked { invalidation },
                    ledger::Answer::Since(_) => unreachable!("a ledger answers what it is asked"),
                }
            }
            Effect::Pause { .. } => Reply::Done,
            Effect::Seed { .. } | Effect::PublishSeed { .. } | Effect::Regenerate { .. } => {
                unreachable!("no build left anything, and nobody refreshes")
            }
        }
    }
}

fn position_of(engine: &Engine) -> Position {
    let mut engine = engine.clone();
    match engine.begin(Call::Invalidate { tags: Vec::new(), profile: None }, START) {
        Step::Done(Outcome::Ended { position, .. }) => position,
        other => unreachable!("nothing is to be invalidated: {other:?}"),
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let engine = || Engine::new(EngineOptions::default(), "b1", "secret");
        let engines = (0..ISOLATES).map(|_| engine().unwrap_or_else(|error| panic!("{error}"))).collect();
        vec![World {
            now: START,
            engines,
            tasks: Vec::new(),
            coordinators: BTreeMap::new(),
            kv: BTreeMap::new(),
            ledger: Ledger::new(START),
            rows: Rows::default(),
            source: 1,
            log: Vec::new(),
            live: Vec::new(),
            served: vec![0; ISOLATES],
            names: 0,
            left: self.budget.clone(),
            broken: None,
            occurred: Vec::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        for isolate in 0..ISOLATES {
            if world.left.visits > 0 {
                actions.push(Action::Visit { isolate });
            }
            if world.left.invalidations > 0 {
                actions.extend(self.kinds.iter().map(|profile| Action::Invalidate { isolate, profile: *profile }));
            }
        }
        for (index, task) in world.tasks.iter().enumerate() {
            match (&task.under, &task.doing) {
                (Under::Sent(_, effect), _) if world.left.pauses == 0 && world.is_waiting(effect) => {}
                (Under::Sent(..), _) => {
                    actions.push(Action::Take { task: index });
                }
                (Under::Answered(..), _) => {
                    actions.push(Action::Answer { task: index });
                }
                (Under::Nothing, _) => actions.push(Action::Fetch { task: index }),
            }
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Visit { isolate } => {
                world.left.visits -= 1;
                let seen = position_of(&world.engines[isolate]);
                let context = RequestContext::default();
                let doing = Doing::Reading(What::Page);
                let task = Task { isolate, doing, under: Under::Nothing, context, lease: None, seen, version: 0 };
                self.read(&mut world, task, What::Page);
            }
            Action::Invalidate { isolate, profile } => {
                world.left.invalidations -= 1;
                // Whoever invalidates has changed the data before.
                world.source += 1;
                let (seen, version) = (Position::BEFORE_EVERYTHING, world.source);
                let context = RequestContext::default();
                let doing = Doing::Invalidating;
                let task = Task { isolate, doing, under: Under::Nothing, context, lease: None, seen, version };
                self.begin(&mut world, task, Call::Invalidate { tags: vec![TAG.to_owned()], profile });
            }
            Action::Take { task } => {
                let Under::Sent(machine, effect) = world.tasks[task].under.clone() else { return None };
                if world.is_waiting(&effect) {
                    world.left.pauses -= 1;
                }
                let taken = world.tasks[task].clone();
                let reply = self.take(&mut world, &taken, effect);
                world.tasks[task].under = Under::Answered(machine, reply);
            }
            Action::Answer { task } => {
                let task = world.tasks.remove(task);
                let Under::Answered(machine, reply) = task.under.clone() else { return None };
                let step = world.engines[task.isolate].resume(machine, reply, world.now);
                self.proceed(&mut world, task, step);
            }
            Action::Fetch { task } => {
                let task = world.tasks.remove(task);
                let Doing::Fetching(lease) = task.doing.clone() else { return None };
                let version = world.source;
                self.store(&mut world, task, What::Data, lease, version);
            }
        }
        world.tasks.sort_by_cached_key(|task| format!("{task:?}"));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let promises = [
            Property::always(NO_LOST_INVALIDATION, |_: &Self, world: &World| {
                world.broken != Some(NO_LOST_INVALIDATION)
            }),
            Property::always(NO_PURGED, |_: &Self, world: &World| world.broken != Some(NO_PURGED)),
            Property::always(HONEST, |_: &Self, world: &World| world.broken != Some(HONEST)),
            Property::always(ONE_LEASE, |_: &Self, world: &World| world.broken != Some(ONE_LEASE)),
            Property::always(FORWARD, |_: &Self, world: &World| world.broken != Some(FORWARD)),
        ];
        let waited = Property::sometimes(WAITED, |_: &Self, world: &World| world.occurred.contains(&WAITED));
        promises.into_iter().chain([waited]).collect()
    }
}

/// Two visits while something is invalidated, at once or softly.
fn invalidated() -> Bounds {
    let budget = Budget { visits: 2, invalidations: 1, pauses: 1 };
    let soft = Some(Profile { expire_ms: None });
    Bounds { driver: Driver::AsDesigned, budget, kinds: vec![None, soft] }
}

#[test]
fn two_visits_during_an_invalidation_break_no_promise() {
    check("isolates, invalidated", invalidated());
}

#[test]
fn a_render_that_counts_from_its_end_is_noticed() {
    let bounds = Bounds { driver: Driver::PositionAtTheEnd, ..invalidated() };
    assert_noticed("PositionAtTheEnd", HONEST, bounds);
}

#[test]
fn a_coordinator_that_grants_everybody_is_noticed() {
    assert_noticed("GrantsEverybody", ONE_LEASE, Bounds { driver: Driver::GrantsEverybody, ..invalidated() });
}
