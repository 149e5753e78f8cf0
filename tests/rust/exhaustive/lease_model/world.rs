//! The small world: isolates, a network that delays and loses, one route object, its storage, and one KV key.
//!
//! Whatever real programs await is two actions here, so every interleaving is tried. A lost message is one that is never
//! delivered. The object's answers come from the real [`Route::step`]; the rest is the least that surrounds it.

use onegen::base::limits::RoutePolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::route::{AbandonReason, Answer, Effect, Event, Lease, Need, Outcome, Route};
use stateright::{Model, Property};

const LEASE: Span = Span::seconds(2);
const BACK_OFF: Span = Span::seconds(1);
/// A put that was given up may still land, but not this much later: what the machine's repeated put relies on.
const LATEST_LANDING: Span = Span::seconds(60);
/// When the machine gives a silent put up.
const PUT_LIMIT: Span = Span::seconds(30);

/// How the object is driven, and how an isolate reads: as designed, or with one mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    AsDesigned,
    /// The answer to an acquire leaves first; the row is stored later, unless the object dies before.
    AnswersBeforeStoring,
    /// A superseded object goes on answering from its memory, because it touches no storage.
    AnswersFromMemory,
    /// A late publication is taken and put all the same.
    IgnoresTheFence,
    /// A put counts as confirmed although it failed.
    TakesFailedPutsForDone,
    /// An isolate takes what KV shows, even below what it has seen.
    BelievesKvBlindly,
    /// The end of a lease wakes nobody.
    ForgetsItsWaiters,
}

/// How long messages between isolates and the object take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// No time: what is sent is answered before anything else happens.
    Immediate,
    /// Any time, for ever included.
    Arbitrary,
}

/// How a KV put takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Puts {
    /// At once.
    Immediate,
    /// Begun, landed and confirmed apart; failed, and landing even so.
    Ambiguous,
}

/// How many of each thing happen at most: what makes the world finite.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) questions: u8,
    pub(super) repeats: u8,
    pub(super) crashes: u8,
    pub(super) evictions: u8,
    pub(super) failed_renders: u8,
    pub(super) renders_not_stored: u8,
    pub(super) publications_without_lease: u8,
    /// Those that end without a confirmation, or not in time.
    pub(super) failed_puts: u8,
    /// How often time passes although the alarm is due.
    pub(super) late_alarms: u8,
}

/// The bounds of one check.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) callers: usize,
    pub(super) driver: Driver,
    pub(super) network: Network,
    pub(super) puts: Puts,
    pub(super) last_moment: Millis,
    pub(super) budget: Budget,
    /// What must occur somewhere, so that the promises are not kept by nothing happening.
    pub(super) occurs: Vec<&'static str>,
}

/// A question's name; stands for the random holder name.
type Name = u8;

/// An isolate, nameless: isolates in the same situation are the same isolate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Caller {
    pub(super) seen: u64,
    pub(super) doing: Doing,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Doing {
    Nothing,
    Asking(Name),
    Rendering(Name, u64),
    Publishing(Name, u64),
}

/// What is under way, in any order, for any length of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Message {
    Acquire { name: Name, have: u64 },
    Publish { name: Name, generation: u64 },
    PublishWithoutLease { name: Name },
    Abandon { name: Name, generation: u64, failed: bool },
    Granted { name: Name, generation: u64 },
    Newer { name: Name, generation: u64, kv_had_it: bool },
    ServeWhatYouHave { name: Name },
    Accepted { name: Name, generation: u64 },
    Fenced { name: Name, generation: u64 },
}

impl Message {
    /// What a caller must be doing to take this answer; `None` for what is sent to the object.
    fn awaited_by(&self) -> Option<Doing> {
        match *self {
            Self::Granted { name, .. } | Self::Newer { name, .. } | Self::ServeWhatYouHave { name } => {
                Some(Doing::Asking(name))
            }
            Self::Accepted { name, generation } | Self::Fenced { name, generation } => {
                Some(Doing::Publishing(name, generation))
            }
            _ => None,
        }
    }
}

/// A request that the object keeps waiting, in its memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Held {
    name: Name,
    have: u64,
    pub(super) recheck_at: Millis,
}

/// A put on its way. Nobody but the world knows whether it has landed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Put {
    pub(super) generation: u64,
    begun_at: Millis,
    landed: bool,
    /// Set once the object gave it up: it can still land before then.
    gone_at: Option<Millis>,
}

/// The KV key: its value, and the one before it that some location still shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Kv {
    pub(super) value: u64,
    pub(super) before: u64,
}

/// A lease as an onlooker who sees every answer leave would count it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Witnessed {
    generation: u64,
    name: Name,
    deadline: Millis,
}

/// What must never happen, noticed while it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    GenerationHandedOutTwice,
    AcceptedAfterTakeover,
    LeaderTurnedAway,
    LatestWentBack,
    CallerWentBack,
    RepetitionChangedSomething,
    TwoPutsAtOnce,
}

/// Everything an onlooker remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Onlooker {
    live: Vec<Witnessed>,
    highest: u64,
    pub(super) accepted: u64,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Millis,
    pub(super) stored: Route,
    /// What a driver that answers too early, or an object that was superseded, has in its memory only.
    memory: Option<Route>,
    pub(super) callers: Vec<Caller>,
    pub(super) network: Vec<Message>,
    pub(super) held: Vec<Held>,
    pub(super) kv: Kv,
    pub(super) puts: Vec<Put>,
    pub(super) onlooker: Onlooker,
    names: Name,
    left: Budget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// An isolate reads KV, finds the entry stale or missing, and asks.
    Ask {
        caller: usize,
        kv_lags: bool,
    },
    /// The answer was lost: the same once more.
    Repeat {
        caller: usize,
    },
    /// Its request ended without an answer.
    GiveUp {
        caller: usize,
    },
    /// The isolate dies; another one starts in its place.
    Crash {
        caller: usize,
    },
    Rendered {
        caller: usize,
    },
    RenderFailed {
        caller: usize,
    },
    RenderedNotToStore {
        caller: usize,
    },
    RenderedUnasked {
        caller: usize,
    },
    Deliver {
        message: usize,
    },
    DeliverToSuperseded {
        message: usize,
    },
    Recheck {
        held: usize,
    },
    /// The object leaves memory and starts anew over its storage.
    Evict,
    /// Another instance of the object is started; this one does not know.
    Supersede,
    StoreAtLast,
    RingAlarm,
    PutLands {
        put: usize,
    },
    PutIsConfirmed {
        put: usize,
    },
    PutFails {
        put: usize,
    },
    /// Until the next moment at which anything changes by itself.
    TimePasses,
}

pub(super) fn policy() -> RoutePolicy {
    RoutePolicy {
        first_lease_ms: LEASE,
        min_lease_ms: LEASE,
        max_lease_ms: LEASE,
        first_back_off_ms: BACK_OFF,
        max_back_off_ms: BACK_OFF.times(2),
        first_hit_for_miss_ms: BACK_OFF,
        max_hit_for_miss_ms: BACK_OFF.times(2),
        ..RoutePolicy::default()
    }
}

impl World {
    fn new(bounds: &Bounds) -> Self {
        Self {
            now: Millis(0),
            stored: Route::new(Millis(0)),
            memory: None,
            callers: vec![Caller { seen: 0, doing: Doing::Nothing }; bounds.callers],
            network: Vec::new(),
            held: Vec::new(),
            kv: Kv::default(),
            puts: Vec::new(),
            onlooker: Onlooker::default(),
            names: 0,
            left: bounds.budget.clone(),
        }
    }

    pub(super) fn is_without(&self, fault: Fault) -> bool {
        self.onlooker.fault != Some(fault)
    }

    /// How many leases an onlooker counts as live.
    pub(super) fn live_leases(&self) -> usize {
        self.onlooker.live.len()
    }

    /// What somebody new would be told who has seen everything published.
    pub(super) fn asked_by_a_stranger(&self, at: Millis, have: u64, need: Need) -> Answer {
        let event = Event::Acquire { have: some(have), holder: "stranger".to_owned(), position: POSITION, need };
        self.stored.clone().step(&policy(), at, event).answer
    }

    /// Nothing is on its way to KV, and the object sees nothing left to put.
    pub(super) fn kv_is_settled(&self) -> bool {
        self.puts.is_empty() && self.stored.alarm_at(&policy()) > self.now.after(LATEST_LANDING)
    }

    /// When the longest pause that anything can impose from now on is over.
    pub(super) fn after_every_pause(&self) -> Millis {
        self.now.after(LEASE).after(BACK_OFF.times(2))
    }

    fn send(&mut self, message: Message) {
        self.network.push(message);
    }

    fn new_name(&mut self) -> Name {
        self.names += 1;
        self.names
    }

    fn fault(&mut self, happened: bool, fault: Fault) {
        if happened && self.onlooker.fault.is_none() {
            self.onlooker.fault = Some(fault);
        }
    }

    fn next_moment(&self) -> Option<Millis> {
        let leases = self.onlooker.live.iter().map(|lease| lease.deadline);
        let held = self.held.iter().map(|held| held.recheck_at);
        let puts = self.puts.iter().filter_map(|put| put.gone_at);
        let pause = match self.asked_by_a_stranger(self.now, u64::MAX - 1, Need::Fill) {
            Answer::Uncacheable { hold, .. } => Some(self.now.after(hold)),
            _ => None,
        };
        let alarm = self.stored.alarm_at(&policy());
        leases.chain(held).chain(puts).chain(pause).chain([alarm]).filter(|at| *at > self.now).min()
    }

    fn leads(&self, name: Name) -> bool {
        self.onlooker.live.iter().any(|lease| lease.name == name)
    }

    fn alarm_is_due(&self) -> bool {
        self.stored.alarm_at(&policy()) <= self.now
    }

    fn pass_time(&mut self, until: Millis) {
        if self.alarm_is_due() {
            self.left.late_alarms -= 1;
        }
        self.now = until;
        self.onlooker.live.retain(|lease| until < lease.deadline);
        self.puts.retain(|put| put.gone_at.is_none_or(|at| until < at));
    }

    /// Before every comparison, so that worlds that differ in nothing but order, or in answers nobody waits for, are one.
    fn sorted(mut self) -> Self {
        let callers = &self.callers;
        self.network.retain(|message| {
            let awaited = message.awaited_by();
            awaited.is_none_or(|doing| callers.iter().any(|caller| caller.doing == doing))
        });
        self.callers.sort_unstable();
        self.network.sort_unstable();
        self.held.sort_unstable();
        self.puts.sort_unstable();
        self
    }
}

const POSITION: Position = Position::BEFORE_EVERYTHING;

const fn some(generation: u64) -> Option<u64> {
    if generation == 0 { None } else { Some(generation) }
}

/// As of an entry that is dropped again: one that stays is a part of that history.
const LARGE: u64 = u64::MAX;

fn event_of(message: &Message) -> Event {
    match message {
        Message::Acquire { name, have } => Event::Acquire {
            have: some(*have),
            holder: name.to_string(),
            position: POSITION,
            need: if *have == 0 { Need::Fill } else { Need::Refresh },
        },
        Message::Publish { name, generation } => Event::Publish {
            lease: Some((*generation, name.to_string())),
            position: POSITION,
            seed: false,
            render_time: Span::seconds(1),
            bytes: LARGE,
        },
        Message::Abandon { name, generation, failed } => Event::Abandon {
            generation: *generation,
            holder: name.to_string(),
            reason: if *failed { AbandonReason::Failed } else { AbandonReason::NotStored },
        },
        _ => {
            Event::Publish { lease: None, position: POSITION, seed: false, render_time: Span::seconds(1), bytes: LARGE }
        }
    }
}

impl Bounds {
    fn apply(&self, world: &mut World, event: Event) -> Outcome {
        let now = world.now;
        if self.driver == Driver::AnswersBeforeStoring && matches!(event, Event::Acquire { .. }) {
            let mut route = world.memory.take().unwrap_or_else(|| world.stored.clone());
            let outcome = route.step(&policy(), now, event);
            world.memory = Some(route);
            return outcome;
        }
        if let Some(route) = world.memory.take_if(|_| self.driver == Driver::AnswersBeforeStoring) {
            world.stored = route;
        }
        let outcome = world.stored.step(&policy(), now, event);
        for effect in &outcome.effects {
            match effect {
                Effect::Wake if self.driver != Driver::ForgetsItsWaiters => {
                    for held in std::mem::take(&mut world.held) {
                        world.send(Message::Acquire { name: held.name, have: held.have });
                    }
                }
                Effect::Put { generation } => self.begin_put(world, *generation),
                _ => {}
            }
        }
        outcome
    }

    fn begin_put(&self, world: &mut World, generation: u64) {
        world.fault(world.puts.iter().any(|put| put.gone_at.is_none()), Fault::TwoPutsAtOnce);
        match self.puts {
            Puts::Immediate => {
                land(world, generation);
                self.apply(world, Event::PutEnded { generation, confirmed: true });
            }
            Puts::Ambiguous => world.puts.push(Put { generation, begun_at: world.now, landed: false, gone_at: None }),
        }
    }

    fn handle_or_receive(&self, world: &mut World, message: &Message) {
        match message.awaited_by() {
            Some(doing) => self.receive(world, message, &doing),
            None => self.handle(world, message),
        }
    }

    fn handle(&self, world: &mut World, message: &Message) {
        let before = world.stored.clone();
        let outcome = self.apply(world, event_of(message));
        self.watch_repetition(world, message, &outcome, &before);
        self.answer(world, message, &outcome.answer);
    }

    /// The same message again, at once, gets the same answer and changes nothing.
    fn watch_repetition(&self, world: &mut World, message: &Message, outcome: &Outcome, before: &Route) {
        match (message, &outcome.answer) {
            (Message::Publish { generation, .. }, Answer::Accepted { .. }) => {
                let repeated = *generation == world.onlooker.accepted;
                world.fault(repeated && world.stored != *before, Fault::RepetitionChangedSomething);
            }
            (Message::Abandon { .. }, _) => {}
            _ => return,
        }
        let mut again = world.stored.clone();
        let repeated = again.step(&policy(), world.now, event_of(message));
        let same = repeated.answer == outcome.answer && again == world.stored && repeated.effects.is_empty();
        world.fault(!same, Fault::RepetitionChangedSomething);
    }

    fn answer(&self, world: &mut World, message: &Message, answer: &Answer) {
        if let (&Message::Acquire { name, .. }, Answer::Hold { .. } | Answer::Uncacheable { .. }) = (message, answer) {
            world.fault(world.leads(name), Fault::LeaderTurnedAway);
        }
        match (message, answer) {
            (&Message::Acquire { name, have }, Answer::Granted { lease, remaining }) => {
                self.witness_grant(world, name, lease, *remaining);
                world.fault(lease.generation <= have, Fault::CallerWentBack);
                world.send(Message::Granted { name, generation: lease.generation });
            }
            (&Message::Acquire { name, .. }, &Answer::Newer { generation }) => {
                let kv_had_it = world.kv.value == generation;
                world.send(Message::Newer { name, generation, kv_had_it });
            }
            (&Message::Acquire { name, have: 0 }, &Answer::Hold { recheck, .. }) => {
                world.held.push(Held { name, have: 0, recheck_at: world.now.after(recheck) });
            }
            (&Message::Acquire { name, .. }, _) => world.send(Message::ServeWhatYouHave { name }),
            (&Message::Publish { name, generation }, Answer::Accepted { .. }) => {
                self.witness_publication(world, generation, Some(name));
                world.send(Message::Accepted { name, generation });
            }
            (&Message::Publish { name, generation }, _) => {
                let leads =
                    world.onlooker.live.iter().any(|lease| lease.generation == generation && lease.name == name);
                world.fault(leads, Fault::LeaderTurnedAway);
                if self.driver == Driver::IgnoresTheFence {
                    self.witness_publication(world, generation, Some(name));
                    land(world, generation);
                    world.send(Message::Accepted { name, generation });
                } else {
                    world.send(Message::Fenced { name, generation });
                }
            }
            (Message::PublishWithoutLease { .. }, &Answer::Accepted { generation }) => {
                world.fault(!world.onlooker.live.is_empty(), Fault::AcceptedAfterTakeover);
                self.witness_publication(world, generation, None);
            }
            (&Message::Abandon { name, generation, .. }, _) => {
                world.onlooker.live.retain(|lease| !(lease.generation == generation && lease.name == name));
            }
            _ => {}
        }
    }

    fn witness_grant(&self, world: &mut World, name: Name, lease: &Lease, remaining: Span) {
        let generation = lease.generation;
        if world.onlooker.live.iter().any(|live| live.generation == generation && live.name == name) {
            return;
        }
        world.fault(generation <= world.onlooker.highest, Fault::GenerationHandedOutTwice);
        world.onlooker.highest = world.onlooker.highest.max(generation);
        let deadline = world.now.after(remaining);
        world.onlooker.live.push(Witnessed { generation, name, deadline });
        world.onlooker.live.sort_unstable();
    }

    fn witness_publication(&self, world: &mut World, generation: u64, name: Option<Name>) {
        if generation == world.onlooker.accepted {
            return;
        }
        world.fault(generation < world.onlooker.highest, Fault::AcceptedAfterTakeover);
        world.fault(generation < world.onlooker.accepted, Fault::LatestWentBack);
        world.onlooker.accepted = generation;
        world.onlooker.highest = world.onlooker.highest.max(generation);
        world.onlooker.live.retain(|lease| lease.generation != generation || Some(lease.name) != name);
    }

    fn receive(&self, world: &mut World, message: &Message, awaited_by: &Doing) {
        let Some(caller) = world.callers.iter_mut().find(|caller| caller.doing == *awaited_by) else {
            return;
        };
        caller.doing = match *message {
            Message::Granted { name, generation } => Doing::Rendering(name, generation),
            _ => Doing::Nothing,
        };
        if let Message::Newer { generation, .. } | Message::Accepted { generation, .. } = *message {
            let went_back = generation < caller.seen;
            caller.seen = generation;
            world.fault(went_back, Fault::CallerWentBack);
        }
    }

    fn caller_actions(&self, world: &World, actions: &mut Vec<Action>) {
        let left = &world.left;
        for (caller, state) in world.callers.iter().enumerate() {
            if caller > 0 && world.callers.get(caller - 1) == Some(state) {
                continue;
            }
            match state.doing {
                Doing::Nothing => {
                    if left.questions > 0 {
                        actions.push(Action::Ask { caller, kv_lags: false });
                        if world.kv.before != world.kv.value {
                            actions.push(Action::Ask { caller, kv_lags: true });
                        }
                    }
                    if left.publications_without_lease > 0 {
                        actions.push(Action::RenderedUnasked { caller });
                    }
                }
                Doing::Asking(_) if self.network == Network::Immediate => {}
                Doing::Asking(_) => {
                    actions.push(Action::GiveUp { caller });
                    if left.repeats > 0 {
                        actions.push(Action::Repeat { caller });
                    }
                }
                Doing::Rendering(..) => {
                    actions.push(Action::Rendered { caller });
                    if left.failed_renders > 0 {
                        actions.push(Action::RenderFailed { caller });
                    }
                    if left.renders_not_stored > 0 {
                        actions.push(Action::RenderedNotToStore { caller });
                    }
                    if left.crashes > 0 {
                        actions.push(Action::Crash { caller });
                    }
                }
                Doing::Publishing(..) => {
                    actions.push(Action::GiveUp { caller });
                    if left.repeats > 0 {
                        actions.push(Action::Repeat { caller });
                    }
                }
            }
        }
    }

    fn caller_acts(&self, world: &mut World, action: Action, caller: &mut Caller) {
        match (action, caller.doing.clone()) {
            (Action::Ask { kv_lags, .. }, _) => {
                world.left.questions -= 1;
                let shown = if kv_lags { world.kv.before } else { world.kv.value };
                if self.driver == Driver::BelievesKvBlindly {
                    world.fault(shown < caller.seen, Fault::CallerWentBack);
                    caller.seen = shown;
                } else {
                    caller.seen = caller.seen.max(shown);
                }
                let name = world.new_name();
                caller.doing = Doing::Asking(name);
                world.send(Message::Acquire { name, have: caller.seen });
            }
            (Action::Repeat { .. }, Doing::Asking(name)) => {
                world.left.repeats -= 1;
                world.send(Message::Acquire { name, have: caller.seen });
            }
            (Action::Repeat { .. }, Doing::Publishing(name, generation)) => {
                world.left.repeats -= 1;
                world.send(Message::Publish { name, generation });
            }
            (Action::Crash { .. }, _) => {
                world.left.crashes -= 1;
                *caller = Caller { seen: 0, doing: Doing::Nothing };
            }
            (Action::Rendered { .. }, Doing::Rendering(name, generation)) => {
                caller.doing = Doing::Publishing(name, generation);
                world.send(Message::Publish { name, generation });
            }
            (Action::RenderFailed { .. }, Doing::Rendering(name, generation)) => {
                world.left.failed_renders -= 1;
                caller.doing = Doing::Nothing;
                world.send(Message::Abandon { name, generation, failed: true });
            }
            (Action::RenderedNotToStore { .. }, Doing::Rendering(name, generation)) => {
                world.left.renders_not_stored -= 1;
                caller.doing = Doing::Nothing;
                world.send(Message::Abandon { name, generation, failed: false });
            }
            (Action::RenderedUnasked { .. }, _) => {
                world.left.publications_without_lease -= 1;
                let name = world.new_name();
                world.send(Message::PublishWithoutLease { name });
            }
            _ => caller.doing = Doing::Nothing,
        }
    }

    fn time_may_pass(&self, world: &World) -> bool {
        world.next_moment().is_some_and(|at| {
            let overdue = world.puts.iter().any(|put| put.gone_at.is_none() && at.since(put.begun_at) >= PUT_LIMIT);
            at <= self.last_moment
                && (world.left.late_alarms > 0 || !world.alarm_is_due())
                && (world.left.failed_puts > 0 || !overdue)
        })
    }

    fn object_starts_anew(&self, world: &mut World) {
        for held in std::mem::take(&mut world.held) {
            for caller in world.callers.iter_mut().filter(|caller| caller.doing == Doing::Asking(held.name)) {
                caller.doing = Doing::Nothing;
            }
        }
        give_puts_up(world, Span::ZERO);
        self.apply(world, Event::Restarted);
    }
}

fn land(world: &mut World, generation: u64) {
    if world.kv.value != generation {
        world.kv.before = world.kv.value;
        world.kv.value = generation;
    }
}

/// Nobody listens any more to those begun so long ago; they may land even so.
fn give_puts_up(world: &mut World, begun_before: Span) -> bool {
    let now = world.now;
    let silent = |put: &&mut Put| put.gone_at.is_none() && now.since(put.begun_at) >= begun_before;
    let mut some = false;
    for put in world.puts.iter_mut().filter(silent) {
        put.gone_at = Some(now.after(LATEST_LANDING));
        some = true;
    }
    forget_finished_puts(world);
    some
}

fn forget_finished_puts(world: &mut World) {
    world.puts.retain(|put| put.gone_at.is_none() || !put.landed);
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.onlooker.fault.is_some() {
            return;
        }
        self.caller_actions(world, actions);
        for (message, content) in world.network.iter().enumerate() {
            if message > 0 && world.network.get(message - 1) == Some(content) {
                continue;
            }
            actions.push(Action::Deliver { message });
            let superseded = self.driver == Driver::AnswersFromMemory && world.memory.is_some();
            if superseded && content.awaited_by().is_none() {
                actions.push(Action::DeliverToSuperseded { message });
            }
        }
        for (held, waiting) in world.held.iter().enumerate() {
            if waiting.recheck_at <= world.now {
                actions.push(Action::Recheck { held });
            }
        }
        if world.left.evictions > 0 {
            actions.push(Action::Evict);
            if self.driver == Driver::AnswersFromMemory && world.memory.is_none() {
                actions.push(Action::Supersede);
            }
        }
        if self.driver == Driver::AnswersBeforeStoring && world.memory.is_some() {
            actions.push(Action::StoreAtLast);
        }
        if world.alarm_is_due() {
            actions.push(Action::RingAlarm);
        }
        for (index, put) in world.puts.iter().enumerate() {
            if !put.landed {
                actions.push(Action::PutLands { put: index });
            }
            if put.gone_at.is_none() {
                if put.landed {
                    actions.push(Action::PutIsConfirmed { put: index });
                }
                if world.left.failed_puts > 0 {
                    actions.push(Action::PutFails { put: index });
                }
            }
        }
        if self.time_may_pass(world) {
            actions.push(Action::TimePasses);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Ask { caller, .. }
            | Action::Repeat { caller }
            | Action::GiveUp { caller }
            | Action::Crash { caller }
            | Action::Rendered { caller }
            | Action::RenderFailed { caller }
            | Action::RenderedNotToStore { caller }
            | Action::RenderedUnasked { caller } => {
                let mut state = world.callers.get(caller)?.clone();
                self.caller_acts(&mut world, action, &mut state);
                *world.callers.get_mut(caller)? = state;
            }
            Action::Deliver { message } => {
                let message = world.network.remove(message);
                self.handle_or_receive(&mut world, &message);
            }
            Action::DeliverToSuperseded { message } => {
                let message = world.network.remove(message);
                let mut route = world.memory.take()?;
                let outcome = route.step(&policy(), world.now, event_of(&message));
                world.memory = Some(route);
                self.answer(&mut world, &message, &outcome.answer);
            }
            Action::Recheck { held } => {
                let held = world.held.remove(held);
                self.handle(&mut world, &Message::Acquire { name: held.name, have: held.have });
            }
            Action::Evict => {
                world.left.evictions -= 1;
                world.memory = None;
                self.object_starts_anew(&mut world);
            }
            Action::Supersede => {
                world.left.evictions -= 1;
                world.memory = Some(world.stored.clone());
                self.object_starts_anew(&mut world);
            }
            Action::StoreAtLast => world.stored = world.memory.take()?,
            Action::RingAlarm => {
                if give_puts_up(&mut world, PUT_LIMIT) {
                    world.left.failed_puts -= 1;
                }
                self.apply(&mut world, Event::Alarm);
            }
            Action::PutLands { put } => {
                let put = world.puts.get_mut(put)?;
                put.landed = true;
                let generation = put.generation;
                land(&mut world, generation);
                forget_finished_puts(&mut world);
            }
            Action::PutIsConfirmed { put } => {
                let put = world.puts.remove(put);
                self.apply(&mut world, Event::PutEnded { generation: put.generation, confirmed: true });
            }
            Action::PutFails { put } => {
                world.left.failed_puts -= 1;
                let now = world.now;
                let put = world.puts.get_mut(put)?;
                let generation = put.generation;
                put.gone_at = Some(now.after(LATEST_LANDING));
                forget_finished_puts(&mut world);
                let confirmed = self.driver == Driver::TakesFailedPutsForDone;
                self.apply(&mut world, Event::PutEnded { generation, confirmed });
            }
            Action::TimePasses => {
                let until = world.next_moment()?;
                world.pass_time(until);
            }
        }
        if self.network == Network::Immediate {
            while let Some(message) = world.network.pop() {
                self.handle_or_receive(&mut world, &message);
            }
        }
        Some(world.sorted())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        super::properties(self)
    }
}
