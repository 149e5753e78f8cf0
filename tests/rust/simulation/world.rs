//! Isolates with the real engine, what they have asked and have not been answered, and time.

mod moves;
mod settling;

use std::collections::BTreeMap;

use onegen::base::limits::EngineOptions;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::{Call, Effect, Engine, Outcome, ReadCall, ReadEntry, Reply, RequestContext, Source, Step};
use onegen::entry::key::Scope;
use onegen::route::{Lease, Need};
use onegen::wire::Acquired;

use crate::faults::Glue;
use crate::objects::{Objects, Shown};
use crate::plan::Plan;
use crate::truth::{LAST_GOOD_ENTRY, NO_LOST_INVALIDATION, Truth};

pub(crate) const START: Millis = Millis(1_800_000_000_000);
pub(crate) const SECRET: &str = "secret";
const BUILDS: [&str; 2] = ["b1", "b2"];

/// How pages reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Next.js regenerates by itself what it is told is stale.
    NextStart,
    /// A message has some isolate regenerate it, under a lease that travels.
    OpenNext,
}

#[derive(Debug)]
pub(crate) struct Isolate {
    pub(crate) engine: Engine,
    pub(crate) host: Host,
    pub(crate) build: usize,
    /// Counts its engines: a reply is never given to another than the one that asked (`pkg/src/engine/engine.ts`).
    engines: u32,
    /// How far its clock is off.
    skew: i64,
    /// Since when nothing that it asked has failed, and its clock has not been set.
    pub(crate) calm_since: Millis,
    lags: bool,
    shown: Shown,
    /// Until when, by its clock, it was told not to ask of a route again.
    holds: BTreeMap<String, (Millis, Millis)>,
    /// What it has served last of each route: its generation, and when that was made.
    pub(crate) served: BTreeMap<String, (u64, Millis)>,
}

/// What is done with the result of the engine's call that is under way.
#[derive(Debug, Clone)]
pub(crate) enum Doing {
    ReadingPage {
        began: Millis,
        seen: Position,
    },
    ReadingData {
        began: Millis,
        seen: Position,
    },
    /// Until somebody ends it.
    MakingData {
        lease: Option<Lease>,
    },
    MakingPage,
    StoringData {
        version: u64,
    },
    StoringPage,
    Refreshing,
    Releasing,
    Invalidating {
        tag: usize,
        version: u64,
    },
}

/// A request, or something that it left to be done.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) isolate: usize,
    pub(crate) page: usize,
    pub(crate) context: RequestContext,
    pub(crate) lease: Option<Lease>,
    pub(crate) doing: Doing,
    /// What the page's data was when it was read.
    pub(crate) versions: [u64; 3],
    /// When its isolate began to render.
    pub(crate) rendered_from: Millis,
    /// Whether it only prefetches: it stores nothing.
    pub(crate) prefetches: bool,
    /// The refresh that it renders for.
    pub(crate) asked_by: Option<u32>,
}

/// What was sent and not answered.
#[derive(Debug)]
struct Wire {
    machine: u32,
    engine: u32,
    effect: Effect,
    sent_at: Millis,
    deadline: Millis,
    state: Sent,
}

#[derive(Debug)]
enum Sent {
    OnItsWay,
    /// The coordinator holds the answer back.
    Held,
    Answered(Reply),
    /// Nobody will ever answer.
    Lost,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) isolates: Vec<Isolate>,
    pub(crate) objects: Objects,
    pub(crate) truth: Truth,
    pub(crate) tasks: BTreeMap<u32, Task>,
    wires: BTreeMap<u32, Wire>,
    next: u32,
    pub(crate) glue: Option<Glue>,
    /// The story so far, if anybody wants to read it.
    pub(crate) story: Option<Vec<String>>,
}

/// What a look into memory finds fresh, where a host may look before it asks.
fn looked(engine: &mut Engine, call: &Call, now: Millis) -> Option<u32> {
    let Call::Read(ReadCall { kind, key, context, tags, revalidate, .. }) = call else { return None };
    let may_look = tags.is_empty() && revalidate.is_none() && context.carried.is_none();
    let may_look = may_look && !context.on_demand && !context.nested;
    may_look.then(|| engine.fresh_in_memory(*kind, key, now)).flatten().map(|slot| slot.0)
}

/// Whether a read ends at once with what is in a slot, fresh, and has nothing else to say.
fn is_fresh_hit(step: &Step, in_slot: u32) -> bool {
    let Step::Done(Outcome::Entry(entry)) = step else { return false };
    let ReadEntry { stale, regenerate, lease, slot, touch, brief, lowered, collapsed, .. } = entry.as_ref();
    let says_more = *stale || *regenerate || lease.is_some() || *touch || *brief || lowered.is_some() || *collapsed;
    entry.source == Source::Memory && *slot == Some(in_slot) && !says_more
}

impl World {
    pub(crate) fn new(plan: &Plan, glue: Option<Glue>, told: bool) -> Self {
        let mut world = Self {
            now: START,
            isolates: Vec::new(),
            objects: Objects::new(START, glue),
            truth: Truth::default(),
            tasks: BTreeMap::new(),
            wires: BTreeMap::new(),
            next: 0,
            glue,
            story: told.then(Vec::new),
        };
        for (n, skew) in plan.skews.iter().enumerate().take(plan.isolates) {
            let host = if n % 2 == 0 { Host::NextStart } else { Host::OpenNext };
            let isolate = world.isolate(host, 0, *skew);
            world.isolates.push(isolate);
        }
        world
    }

    fn isolate(&self, host: Host, build: usize, skew: i64) -> Isolate {
        let engine = self.engine(build);
        let (calm_since, holds, served) = (self.now, BTreeMap::new(), BTreeMap::new());
        Isolate { engine, host, build, engines: 0, skew, calm_since, lags: false, shown: Shown::new(), holds, served }
    }

    fn engine(&self, build: usize) -> Engine {
        let mut options = EngineOptions::default();
        if self.glue == Some(Glue::WindowOfAMinute) {
            options.window_ms = Span::seconds(60);
        }
        let build = if self.glue == Some(Glue::BuildsShareAScope) { 0 } else { build };
        Engine::new(options, BUILDS[build], SECRET).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        let at = self.now.since(START);
        let goes_on = self.truth.violation.is_none();
        if let Some(story) = self.story.as_mut().filter(|_| goes_on) {
            story.push(format!("{:>9} ms  {}", at.0, line()));
        }
    }

    pub(crate) fn clock(&self, isolate: usize) -> Millis {
        Millis(self.now.0.saturating_add_signed(self.isolates[isolate].skew))
    }

    pub(crate) fn scope(&self, isolate: usize) -> &Scope {
        self.isolates[isolate].engine.scope()
    }

    pub(crate) fn nonce(&mut self) -> String {
        self.next += 1;
        format!("n{}", self.next)
    }

    /// Where an isolate's copy of the ledger stands.
    pub(crate) fn copy(&mut self, isolate: usize) -> Position {
        let now = self.clock(isolate);
        let nothing = Call::Invalidate { tags: Vec::new(), profile: None };
        match self.isolates[isolate].engine.begin(nothing, now) {
            Step::Done(Outcome::Ended { position, .. }) => position,
            other => unreachable!("there was nothing to invalidate: {other:?}"),
        }
    }

    // --- calls of the engine ------------------------------------------------------------------------------------------------

    pub(crate) fn begin(&mut self, task: Task, call: Call) {
        self.next += 1;
        let id = self.next;
        let now = self.clock(task.isolate);
        let engine = &mut self.isolates[task.isolate].engine;
        let looked = looked(engine, &call, now);
        let step = engine.begin(call, now);
        if looked.is_some_and(|slot| !is_fresh_hit(&step, slot)) {
            let evidence = format!("a look into memory found slot {looked:?} fresh, and the read says {step:?}");
            self.truth.breaks(NO_LOST_INVALIDATION, evidence);
        }
        self.tasks.insert(id, task);
        self.proceed(id, step);
    }

    /// Goes on with a task that waits for something other than the engine.
    pub(crate) fn wait(&mut self, task: Task) {
        self.next += 1;
        self.tasks.insert(self.next, task);
    }

    fn proceed(&mut self, id: u32, step: Step) {
        match step {
            Step::Perform { machine, effect, deadline_ms } => {
                self.is_heeded(id, &effect);
                let deadline = self.now.after(deadline_ms);
                let engine = self.tasks.get(&id).map_or(0, |task| self.isolates[task.isolate].engines);
                let state = Sent::OnItsWay;
                self.wires.insert(id, Wire { machine, engine, effect, sent_at: self.now, deadline, state });
            }
            Step::Done(outcome) => {
                if let Some(task) = self.tasks.remove(&id) {
                    self.ended(task, outcome);
                }
            }
        }
    }

    fn resume(&mut self, id: u32, reply: Reply) {
        let Some(wire) = self.wires.remove(&id) else { return };
        let Some(isolate) = self.tasks.get(&id).map(|task| task.isolate) else { return };
        let failed = matches!(reply, Reply::Failed)
            || matches!(
                (&reply, &wire.effect),
                (Reply::Loaded { since: None, .. }, Effect::Load { since: Some(_), .. })
            )
            || matches!(&reply, Reply::Loaded { kv: Some(onegen::engine::Stored::Unreadable), .. });
        if failed {
            self.isolates[isolate].calm_since = self.now;
        }
        let now = self.clock(isolate);
        self.is_told(isolate, &wire.effect, &reply);
        let one = &mut self.isolates[isolate];
        // No machine has this number: it was another engine's.
        let machine = if one.engines == wire.engine { wire.machine } else { u32::MAX };
        let step = one.engine.resume(machine, reply, now);
        self.proceed(id, step);
    }

    /// An answer that says how long an isolate is not to ask again, or that what it says is over.
    fn is_told(&mut self, isolate: usize, effect: &Effect, reply: &Reply) {
        let now = self.clock(isolate);
        let holds = &mut self.isolates[isolate].holds;
        match (effect, reply) {
            (Effect::Acquire { object, message }, Reply::Acquired { answer, .. }) if message.need == Need::Refresh => {
                if let Acquired::Hold { ms, .. } = answer {
                    holds.insert(object.clone(), (now, now.after(*ms)));
                } else {
                    holds.remove(object);
                }
            }
            (Effect::Publish { object, .. } | Effect::Abandon { object, .. }, _) => drop(holds.remove(object)),
            (Effect::Regenerate { .. }, _) => holds.clear(),
            _ => {}
        }
    }

    /// Whoever was told to hold does not ask before that is over.
    fn is_heeded(&mut self, id: u32, effect: &Effect) {
        let Some(isolate) = self.tasks.get(&id).map(|task| task.isolate) else { return };
        let now = self.clock(isolate);
        match effect {
            Effect::Acquire { object, message } if message.need == Need::Refresh => {
                let hold = self.isolates[isolate].holds.get(object);
                if hold.is_some_and(|(from, until)| *from <= now && now < *until) {
                    let evidence = format!("{object}: isolate {isolate} asks again before it was told to");
                    self.truth.breaks(LAST_GOOD_ENTRY, evidence);
                }
            }
            Effect::Abandon { object, .. } => drop(self.isolates[isolate].holds.remove(object)),
            _ => {}
        }
    }

    /// The end of a regeneration that a refresh asked for.
    pub(crate) fn regenerated(&mut self, refresh: u32) {
        if let Some(wire) = self.wires.get_mut(&refresh) {
            wire.state = Sent::Answered(Reply::Regenerated { status: 200 });
        }
    }

    // --- messages --------------------------------------------------------------------------------------------------------------

    fn nth_wire(&self, nth: usize) -> Option<u32> {
        let ready: Vec<_> = self
            .wires
            .iter()
            .filter(|(_, wire)| !matches!(wire.state, Sent::Held | Sent::Lost))
            .map(|(id, _)| *id)
            .collect();
        ready.get(nth.checked_rem(ready.len())?).copied()
    }

    /// Brings a message to whom it is for, or its answer back. Whether there was one.
    pub(crate) fn deliver(&mut self, nth: usize) -> bool {
        let Some(id) = self.nth_wire(nth) else { return false };
        let Some(wire) = self.wires.get_mut(&id) else { return false };
        if let Sent::Answered(reply) = &wire.state {
            let reply = reply.clone();
            self.resume(id, reply);
            return true;
        }
        let effect = wire.effect.clone();
        match &effect {
            Effect::Regenerate { token } => {
                wire.state = Sent::Lost;
                let token = token.clone();
                self.regenerate(id, token);
            }
            // It ends when its time is over.
            Effect::Pause { ms } if self.now < wire.sent_at.after(*ms) => return false,
            _ => {
                let reply = self.taken(id, &effect);
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.state = reply.map_or(Sent::Held, Sent::Answered);
                }
            }
        }
        self.wake();
        true
    }

    fn taken(&mut self, id: u32, effect: &Effect) -> Option<Reply> {
        let (isolate, sent_at) = (self.tasks[&id].isolate, self.wires[&id].sent_at);
        if let (Effect::Append { message }, Doing::Invalidating { tag, version }) = (effect, &self.tasks[&id].doing)
            && !self.objects.down.contains(&crate::plan::Part::Ledger)
        {
            let Position { epoch, number } = self.objects.head();
            let ends = message.profile.map(|profile| profile.expire_ms);
            self.truth.recorded(Position { epoch, number: number + 1 }, *tag, *version, self.now, ends);
        }
        let one = &mut self.isolates[isolate];
        let shown = if one.lags { Some(&mut one.shown) } else { None };
        let waited = self.now.since(sent_at);
        let reply = self.objects.take(&mut self.truth, shown, effect, waited, self.now);
        if self.story.is_some() {
            let told = format!(
                "  #{id} {effect:?} → {}",
                reply.as_ref().map_or("held".to_owned(), |reply| format!("{reply:?}"))
            );
            self.tell(|| shortened(&told));
        }
        reply
    }

    /// Those that a coordinator has kept waiting ask it again.
    fn wake(&mut self) {
        for name in std::mem::take(&mut self.objects.woken) {
            for wire in self.wires.values_mut() {
                if matches!(&wire.effect, Effect::Acquire { object, .. } if *object == name)
                    && matches!(wire.state, Sent::Held)
                {
                    wire.state = Sent::OnItsWay;
                }
            }
        }
    }

    // --- time --------------------------------------------------------------------------------------------------------------------

    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.now.after(span);
        // Whatever happens by itself happens when its time has come.
        for _ in 0..10_000 {
            let wires = self.wires.values().map(|wire| match &wire.effect {
                Effect::Pause { ms } => wire.sent_at.after(*ms).min(wire.deadline),
                Effect::Acquire { message, .. } if matches!(wire.state, Sent::Held) => {
                    wire.sent_at.after(message.wait_ms).min(wire.deadline)
                }
                _ => wire.deadline,
            });
            let next = wires.chain(self.objects.next_moment()).min().unwrap_or(end).max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            self.what_is_due();
        }
        self.now = end;
        self.objects.pass(&mut self.truth, end);
        self.wake();
    }

    fn what_is_due(&mut self) {
        let now = self.now;
        self.objects.pass(&mut self.truth, now);
        self.wake();
        let overdue: Vec<_> = self.wires.iter().filter(|(_, wire)| wire.deadline <= now).map(|(id, _)| *id).collect();
        for id in overdue {
            self.truth.occurs("deadline passed");
            self.truth.lossy_at = now;
            let effect = self.wires.get(&id).map(|wire| format!("{:?}", wire.effect)).unwrap_or_default();
            self.tell(|| shortened(&format!("  #{id} is not answered in time: {effect}")));
            self.resume(id, Reply::Failed);
        }
        let rested: Vec<_> = self
            .wires
            .iter()
            .filter(|(_, wire)| matches!(&wire.effect, Effect::Pause { ms } if wire.sent_at.after(*ms) <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in rested {
            self.resume(id, Reply::Done);
        }
        for wire in self.wires.values_mut() {
            if let (Sent::Held, Effect::Acquire { message, .. }) = (&wire.state, &wire.effect)
                && wire.sent_at.after(message.wait_ms) <= now
            {
                if let Effect::Acquire { object, message } = &wire.effect {
                    self.truth.was_held(object, message.have, now);
                }
                wire.state = Sent::OnItsWay;
            }
        }
    }
}

pub(crate) fn shortened(text: &str) -> String {
    let mut short = text.to_owned();
    while let Some(from) = short.find("header: [") {
        let to = short[from..].find(']').map_or(short.len(), |to| from + to + 1);
        short.replace_range(from..to, "header…");
    }
    short.truncate(500);
    short
}
