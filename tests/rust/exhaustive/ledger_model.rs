//! Every interleaving of two copies of a ledger that ask, invalidate, and are answered late and in any order; and wrong ledgers that
//! the check must notice.

use onegen::base::limits::LedgerPolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::ledger::Load;
use onegen::ledger::{Answer, Event, Extent, Ledger, Profile, Row, Rows, Since, Stamp, Table};
use onegen::ledger::{Invalidation, Known, LedgerCopy};
use stateright::{Model, Property};

use crate::check::{assert_noticed, check};

const TAGS: [&str; 2] = ["a", "b"];
const COPIES: usize = 2;
const TICK: Span = Span(10);
const EPOCHS: [Millis; 2] = [Millis(1_000), Millis(2_000)];
const NOT_TOO_MILD: &str = "no copy finds valid what it has seen invalidated";
const NOT_TOO_HARSH: &str = "no copy finds invalid what nobody invalidated";
const OWN: &str = "whoever invalidates has seen it once the answer is there";
const FORWARD: &str = "no copy goes back within an epoch";
const CHECKED: &str = "the ledger itself says what its log says";
const OUT_OF_ORDER: &str = "an older answer arrives after a newer one";
const ENDED: &str = "a copy that was told of a soft invalidation sees its end pass";
const RECREATED: &str = "a copy of a lost ledger hears of its successor";

/// How the ledger is driven: as designed, or with one mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    AsDesigned,
    /// The answer to an invalidation has its own rows alone.
    AnswersOwnRowsAlone,
    /// A copy takes the latest answer to arrive for the latest that was given.
    TakesAnswersAsTheyCome,
    /// A tag's later invalidation takes the place of its earlier ones.
    ReplacesStamps,
}

/// How often each thing may happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Budget {
    questions: u8,
    invalidations: u8,
    ticks: u8,
    recreations: u8,
    losses: u8,
}

#[derive(Debug, Clone)]
struct Bounds {
    driver: Driver,
    budget: Budget,
    occurs: Vec<&'static str>,
}

/// One line of the log as it was written, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    epoch: u64,
    number: u64,
    at: Millis,
    tags: Vec<&'static str>,
    profile: Option<Profile>,
}

/// What a copy has, to be made a real one from at each step: a real one takes kilobytes, and there are millions of states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Held {
    position: Position,
    stamps: Vec<Stamp>,
}

impl Held {
    fn copy(&self) -> LedgerCopy {
        let mut copy = LedgerCopy::default();
        if self.position.epoch > 0 {
            let rows = TAGS.iter().zip(&self.stamps).filter(|(_, stamp)| stamp.newest() > 0).map(|(tag, stamp)| Row {
                tag: (*tag).to_owned(),
                hard: stamp.hard,
                soft: stamp.soft,
                soft_ends_in_ms: stamp.soft_ends_at.map(|end| Span(end.0)),
            });
            let rows = rows.collect();
            copy.merge(Since { from: 0, head: self.position, floor: 0, rows, window_ms: Span::ZERO }, Millis(0));
        }
        copy
    }

    fn of(copy: &LedgerCopy) -> Self {
        Self { position: copy.position(), stamps: TAGS.iter().map(|tag| copy.stamp(tag)).collect() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    copy: usize,
    position: Position,
    asked_at: Millis,
    /// The tags, and how, of an invalidation.
    appends: Option<(Vec<&'static str>, Option<Profile>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Answered {
    copy: usize,
    asked_at: Millis,
    since: Since,
    /// Where the ledger stood with its own invalidation.
    own: Option<Position>,
}

impl std::hash::Hash for Answered {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.copy, self.asked_at, &self.own, format!("{:?}", self.since)).hash(state);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    now: Millis,
    ticked: u8,
    extent: (Position, u64),
    rows: Vec<(String, Stamp)>,
    log: Vec<Line>,
    copies: [Held; COPIES],
    questions: Vec<Question>,
    answers: Vec<Answered>,
    left: Budget,
    broken: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Ask { copy: usize },
    Invalidate { copy: usize, tags: Vec<&'static str>, profile: Option<Profile> },
    Reach { question: usize },
    Lose { answer: usize },
    Deliver { answer: usize },
    Tick,
    Recreate,
}

impl World {
    fn table(&self) -> Rows {
        let mut rows = Rows::default();
        for (tag, stamp) in &self.rows {
            let Ok(()) = rows.put(tag, *stamp);
        }
        rows
    }

    fn ledger(&self) -> Ledger {
        Ledger::restored(Extent { head: self.extent.0, floor: self.extent.1 }, Load::default())
    }

    fn ask(&self, event: Event) -> (Ledger, Rows, Answer) {
        let (mut ledger, mut rows) = (self.ledger(), self.table());
        let Ok(answer) = ledger.step(&LedgerPolicy::default(), &mut rows, self.now, event);
        (ledger, rows, answer)
    }

    fn keep(&mut self, ledger: &Ledger, rows: &Rows) {
        self.extent = (ledger.extent().head, ledger.extent().floor);
        let all = TAGS.iter().map(|tag| (*tag).to_owned()).collect();
        let Ok(stamps) = rows.stamps(&all);
        self.rows = stamps.into_iter().collect();
    }

    fn breaks(&mut self, promise: &'static str) {
        self.broken.get_or_insert(promise);
    }

    /// Asked whenever a copy, the ledger or the time is another than before.
    fn check_what_is_said(&mut self) {
        if !self.says_rightly(|world, head, tag, number, says| world.replay(head, tag, number, world.now) <= says) {
            self.breaks(NOT_TOO_MILD);
        }
        let whole = |world: &Self, head: Position| world.whole_log(head.epoch);
        if !self.says_rightly(|world, head, tag, number, says| says <= world.harshest(whole(world, head), tag, number))
        {
            self.breaks(NOT_TOO_HARSH);
        }
        if !self.ledger_says_rightly() {
            self.breaks(CHECKED);
        }
    }

    /// What the lines of an epoch up to a number say of an entry at a moment.
    fn replay(&self, head: Position, tag: &str, rendered_at: u64, at: Millis) -> Invalidation {
        let lines = self.log.iter().filter(|line| line.epoch == head.epoch && line.tags.contains(&tag));
        let lines = lines.filter(|line| line.number > rendered_at && line.number <= head.number);
        lines.map(|line| line.says(at)).max().unwrap_or(Invalidation::None)
    }

    /// What may be said at most. A copy counts an end from when it asked, so that it comes too early by as long as its question took;
    /// and a later soft invalidation leaves the earlier's end as it is, so that what lies between ends with it.
    fn harshest(&self, head: Position, tag: &str, rendered_at: u64) -> Invalidation {
        let says = self.replay(head, tag, rendered_at, self.now);
        let latest = self.now.after(TICK.times(self.ticked.into()));
        let an_end_passes = self.replay(head, tag, 0, latest) == Invalidation::Hard;
        if says == Invalidation::Soft && an_end_passes { Invalidation::Hard } else { says }
    }

    fn whole_log(&self, epoch: u64) -> Position {
        Position { epoch, number: self.log.iter().filter(|line| line.epoch == epoch).count() as u64 }
    }

    /// Whether all that copies say of entries with one tag is right.
    fn says_rightly(&self, rightly: impl Fn(&Self, Position, &str, u64, Invalidation) -> bool) -> bool {
        self.copies.iter().filter(|held| held.position.epoch > 0).all(|held| {
            let (copy, Position { epoch, number: head }) = (held.copy(), held.position);
            TAGS.iter().all(|tag| {
                (0..=head).all(|number| {
                    let entry = Position { epoch, number };
                    match copy.knows([&(*tag).to_owned()], entry, self.now) {
                        Known::Is(says) => rightly(self, held.position, tag, number, says),
                        Known::Ask => false,
                    }
                })
            })
        })
    }

    fn ledger_says_rightly(&self) -> bool {
        let head = self.extent.0;
        TAGS.iter().all(|tag| {
            (0..=head.number).all(|number| {
                let event = Event::Check { position: Position { number, ..head }, tags: vec![(*tag).to_owned()] };
                match self.ask(event).2 {
                    Answer::Checked(says) => {
                        self.replay(head, tag, number, self.now) <= says && says <= self.harshest(head, tag, number)
                    }
                    Answer::Since(_) => false,
                }
            })
        })
    }
}

impl Line {
    fn says(&self, at: Millis) -> Invalidation {
        match self.profile {
            None => Invalidation::Hard,
            Some(Profile { expire_ms: Some(span) }) if self.at.after(span) <= at => Invalidation::Hard,
            Some(_) => Invalidation::Soft,
        }
    }
}

impl Bounds {
    fn reach(&self, world: &mut World, question: Question) {
        let Question { copy, position, asked_at, appends } = question;
        let event = match &appends {
            None => Event::Since { position },
            Some((tags, profile)) => {
                let (number, tags) = (world.extent.0.number + 1, tags.clone());
                world.log.push(Line {
                    epoch: world.extent.0.epoch,
                    number,
                    at: world.now,
                    tags: tags.clone(),
                    profile: *profile,
                });
                if self.driver == Driver::ReplacesStamps {
                    world.rows.retain(|(tag, _)| !tags.contains(&tag.as_str()));
                }
                Event::Append { position, tags: tags.into_iter().map(str::to_owned).collect(), profile: *profile }
            }
        };
        let (ledger, rows, answer) = world.ask(event);
        world.keep(&ledger, &rows);
        let Answer::Since(mut since) = answer else { return };
        if let (Driver::AnswersOwnRowsAlone, Some((tags, _))) = (self.driver, &appends) {
            since.rows.retain(|row| tags.contains(&row.tag.as_str()));
        }
        let own = appends.map(|_| since.head);
        world.answers.push(Answered { copy, asked_at, since, own });
    }

    fn deliver(&self, world: &mut World, answer: usize) {
        let Answered { copy, asked_at, mut since, own } = world.answers.remove(answer);
        let before = world.copies[copy].position;
        let mut merged = world.copies[copy].copy();
        if self.driver == Driver::TakesAnswersAsTheyCome {
            (merged, since.from) = (LedgerCopy::default(), 0);
        }
        merged.merge(since, asked_at);
        world.copies[copy] = Held::of(&merged);
        let after = world.copies[copy].position;
        if after.epoch < before.epoch || (after.epoch == before.epoch && after.number < before.number) {
            world.breaks(FORWARD);
        }
        if own.is_some_and(|own| after.epoch == own.epoch && after.number < own.number) {
            world.breaks(OWN);
        }
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let [epoch, _] = EPOCHS;
        vec![World {
            now: Millis(0),
            ticked: 0,
            extent: (Position { epoch: epoch.0, number: 0 }, 0),
            rows: Vec::new(),
            log: Vec::new(),
            copies: Default::default(),
            questions: Vec::new(),
            answers: Vec::new(),
            left: self.budget.clone(),
            broken: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        for copy in 0..COPIES {
            if world.left.questions > 0 {
                actions.push(Action::Ask { copy });
            }
            if world.left.invalidations > 0 {
                for tags in [vec![TAGS[0]], TAGS.to_vec()] {
                    for profile in [None, Some(Profile { expire_ms: None }), Some(Profile { expire_ms: Some(TICK) })] {
                        actions.push(Action::Invalidate { copy, tags: tags.clone(), profile });
                    }
                }
            }
        }
        actions.extend((0..world.questions.len()).map(|question| Action::Reach { question }));
        for answer in 0..world.answers.len() {
            actions.push(Action::Deliver { answer });
            if world.left.losses > 0 {
                actions.push(Action::Lose { answer });
            }
        }
        if world.left.ticks > 0 {
            actions.push(Action::Tick);
        }
        if world.left.recreations > 0 {
            actions.push(Action::Recreate);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        let asked_at = world.now;
        match action.clone() {
            Action::Ask { copy } => {
                world.left.questions -= 1;
                let position = world.copies[copy].position;
                world.questions.push(Question { copy, position, asked_at, appends: None });
            }
            Action::Invalidate { copy, tags, profile } => {
                world.left.invalidations -= 1;
                let position = world.copies[copy].position;
                world.questions.push(Question { copy, position, asked_at, appends: Some((tags, profile)) });
            }
            Action::Reach { question } => {
                let question = world.questions.remove(question);
                self.reach(&mut world, question);
            }
            Action::Lose { answer } => {
                world.left.losses -= 1;
                world.answers.remove(answer);
            }
            Action::Deliver { answer } => self.deliver(&mut world, answer),
            Action::Tick => {
                world.left.ticks -= 1;
                world.ticked += 1;
                world.now = world.now.after(TICK);
            }
            Action::Recreate => {
                world.left.recreations -= 1;
                world.extent = (Position { epoch: EPOCHS[1].0, number: 0 }, 0);
                world.rows.clear();
            }
        }
        if matches!(action, Action::Reach { .. } | Action::Deliver { .. } | Action::Tick | Action::Recreate) {
            world.check_what_is_said();
        }
        world.questions.sort_unstable_by_key(|question| format!("{question:?}"));
        world.answers.sort_unstable_by_key(|answer| format!("{answer:?}"));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let promises = [NOT_TOO_MILD, NOT_TOO_HARSH, CHECKED, FORWARD, OWN].map(|promise| match promise {
            NOT_TOO_MILD => {
                Property::always(NOT_TOO_MILD, |_: &Self, world: &World| world.broken != Some(NOT_TOO_MILD))
            }
            NOT_TOO_HARSH => {
                Property::always(NOT_TOO_HARSH, |_: &Self, world: &World| world.broken != Some(NOT_TOO_HARSH))
            }
            CHECKED => Property::always(CHECKED, |_: &Self, world: &World| world.broken != Some(CHECKED)),
            FORWARD => Property::always(FORWARD, |_: &Self, world: &World| world.broken != Some(FORWARD)),
            _ => Property::always(OWN, |_: &Self, world: &World| world.broken != Some(OWN)),
        });
        let occurrences = self.occurs.iter().map(|occurrence| match *occurrence {
            OUT_OF_ORDER => Property::sometimes(OUT_OF_ORDER, |_: &Self, world: &World| {
                let older = |answer: &Answered| {
                    let Position { epoch, number } = world.copies[answer.copy].position;
                    answer.since.head.epoch == epoch && answer.since.head.number < number
                };
                world.answers.iter().any(older)
            }),
            ENDED => Property::sometimes(ENDED, |_: &Self, world: &World| {
                let mut stamps = world.copies.iter().flat_map(|held| &held.stamps);
                stamps.any(|stamp| stamp.soft_ends_at.is_some_and(|end| end <= world.now))
            }),
            _ => Property::sometimes(RECREATED, |_: &Self, world: &World| {
                let [one, other] = &world.copies;
                one.position.epoch == EPOCHS[0].0 && other.position.epoch == EPOCHS[1].0
            }),
        });
        promises.into_iter().chain(occurrences).collect()
    }
}

/// Invalidations of every kind one upon the other, and ends that pass.
fn profiles() -> Bounds {
    let budget = Budget { questions: 0, invalidations: 2, ticks: 2, recreations: 0, losses: 0 };
    Bounds { driver: Driver::AsDesigned, budget, occurs: vec![ENDED] }
}

/// Answers that overtake each other and are lost.
fn answers() -> Bounds {
    let budget = Budget { questions: 1, invalidations: 2, ticks: 0, recreations: 0, losses: 1 };
    Bounds { budget, occurs: vec![OUT_OF_ORDER], ..profiles() }
}

/// A ledger that is lost and created anew while questions and answers are under way.
fn recreated() -> Bounds {
    let budget = Budget { questions: 2, invalidations: 1, ticks: 1, recreations: 1, losses: 0 };
    Bounds { budget, occurs: vec![RECREATED], ..profiles() }
}

#[test]
fn invalidations_of_every_kind_one_upon_the_other_are_judged_as_their_log_says() {
    check("ledger, profiles", profiles());
}

#[test]
fn answers_that_overtake_each_other_lose_nothing() {
    check("ledger, answers", answers());
}

#[test]
fn copies_of_a_lost_ledger_go_over_to_its_successor() {
    check("ledger, recreated", recreated());
}

#[test]
fn a_ledger_that_answers_an_invalidation_with_its_own_rows_alone_is_noticed() {
    assert_noticed("AnswersOwnRowsAlone", NOT_TOO_MILD, Bounds { driver: Driver::AnswersOwnRowsAlone, ..answers() });
}

#[test]
fn a_copy_that_takes_answers_as_they_come_is_noticed() {
    assert_noticed(
        "TakesAnswersAsTheyCome",
        NOT_TOO_MILD,
        Bounds { driver: Driver::TakesAnswersAsTheyCome, ..recreated() },
    );
}

#[test]
fn an_invalidation_that_takes_an_earlier_ones_place_is_noticed() {
    assert_noticed("ReplacesStamps", NOT_TOO_MILD, Bounds { driver: Driver::ReplacesStamps, ..profiles() });
}
