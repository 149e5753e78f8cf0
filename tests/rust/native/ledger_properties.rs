//! Many copies of one ledger, told late, twice, and in the wrong order, against a replay of the plain log.

use onegen::base::limits::LedgerPolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::ledger::{Answer, Event, Ledger, Profile, Row, Rows, Since};
use onegen::ledger::{Invalidation, Known, LedgerCopy};
use proptest::prelude::*;

const START: Millis = Millis(1_000_000);
const TAGS: [&str; 4] = ["a", "b", "c", "d"];
const COPIES: usize = 3;

/// One line of the log as it was written, and nothing else.
#[derive(Debug, Clone)]
struct Line {
    epoch: u64,
    number: u64,
    at: Millis,
    tags: Vec<String>,
    profile: Option<Profile>,
}

/// What the lines up to `head` say of an entry.
fn replay(log: &[Line], head: Position, tags: &[String], rendered_at: Position, now: Millis) -> Invalidation {
    let rendered_at = if rendered_at.epoch == head.epoch { rendered_at.number } else { 0 };
    log.iter()
        .filter(|line| line.epoch == head.epoch && line.number > rendered_at && line.number <= head.number)
        .filter(|line| line.tags.iter().any(|tag| tags.contains(tag)))
        .map(|line| match line.profile {
            None => Invalidation::Hard,
            Some(Profile { expire_ms: Some(span) }) if line.at.after(span) <= now => Invalidation::Hard,
            Some(_) => Invalidation::Soft,
        })
        .max()
        .unwrap_or(Invalidation::None)
}

#[derive(Debug, Clone)]
enum Move {
    Wait(Span),
    /// A copy asks; the answer is on its way.
    Ask {
        copy: usize,
    },
    /// A copy invalidates; the answer is on its way.
    Invalidate {
        copy: usize,
        tags: Vec<usize>,
        profile: Option<Option<u64>>,
    },
    /// A question or an invalidation reaches the ledger; the answer is on its way.
    Reach {
        question: usize,
    },
    /// An answer arrives; once more later, perhaps.
    Deliver {
        answer: usize,
        again: bool,
    },
    /// An isolate is replaced by one that knows nothing; answers to the first one's questions reach the second.
    Replace {
        copy: usize,
    },
    /// The ledger loses everything and is created anew.
    Recreate,
}

fn moves(recreations: u32) -> impl Strategy<Value = Vec<Move>> {
    let tags = prop::collection::vec(0..TAGS.len(), 1..3);
    let profile = prop_oneof![
        2 => Just(None),
        1 => Just(Some(None)),
        3 => (0u64..5_000).prop_map(|ms| Some(Some(ms))),
    ];
    let invalidate = (0..COPIES, tags, profile);
    let one = prop_oneof![
        3 => (0u64..2_000).prop_map(|ms| Move::Wait(Span(ms))),
        3 => (0..COPIES).prop_map(|copy| Move::Ask { copy }),
        4 => invalidate.prop_map(|(copy, tags, profile)| Move::Invalidate { copy, tags, profile }),
        6 => any::<usize>().prop_map(|question| Move::Reach { question }),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(answer, again)| Move::Deliver { answer, again }),
        1 => (0..COPIES).prop_map(|copy| Move::Replace { copy }),
        recreations => Just(Move::Recreate),
    ];
    prop::collection::vec(one, 1..80)
}

/// Enough for everything, or for a few rows of about 65 bytes.
fn storage() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(u64::MAX), 1 => 0u64..300]
}

/// A question on its way to the ledger.
#[derive(Debug, Clone)]
struct Question {
    copy: usize,
    asked_at: Millis,
    event: Event,
}

/// An answer on its way to the copy that asked.
#[derive(Debug, Clone)]
struct Underway {
    copy: usize,
    asked_at: Millis,
    since: Since,
}

struct History {
    now: Millis,
    ledger: Ledger,
    table: Rows,
    policy: LedgerPolicy,
    log: Vec<Line>,
    copies: Vec<LedgerCopy>,
    questions: Vec<Question>,
    underway: Vec<Underway>,
    /// How many rows an answer carries at most; the rest is left out below a floor.
    rows: usize,
}

impl History {
    fn new(rows: usize) -> Self {
        Self::keeping(rows, LedgerPolicy::default().storage_bytes)
    }

    /// Of a ledger that keeps no more than so many bytes.
    fn keeping(rows: usize, storage_bytes: u64) -> Self {
        Self {
            now: START,
            ledger: Ledger::new(START),
            table: Rows::default(),
            policy: LedgerPolicy { storage_bytes },
            log: Vec::new(),
            copies: vec![LedgerCopy::default(); COPIES],
            questions: Vec::new(),
            underway: Vec::new(),
            rows,
        }
    }

    fn step(&mut self, event: Event) -> Answer {
        let Ok(answer) = self.ledger.step(&self.policy, &mut self.table, self.now, event);
        answer
    }

    fn ask(&mut self, copy: usize, event: Event) {
        self.questions.push(Question { copy, asked_at: self.now, event });
    }

    fn reach(&mut self, Question { copy, asked_at, event }: Question) {
        let Answer::Since(since) = self.step(event.clone()) else { return };
        if let Event::Append { tags, profile, .. } = event {
            let Position { epoch, number } = self.ledger.head();
            self.log.push(Line { epoch, number, at: self.now, tags, profile });
        }
        let since = shortened(since, self.rows);
        self.underway.push(Underway { copy, asked_at, since });
    }

    fn make(&mut self, next: &Move) {
        match next {
            Move::Wait(span) => self.now = self.now.after(*span),
            Move::Ask { copy } => self.ask(*copy, Event::Since { position: self.copies[*copy].position() }),
            Move::Invalidate { copy, tags, profile } => {
                let tags: Vec<_> = tags.iter().map(|tag| TAGS[*tag].to_owned()).collect();
                let profile = profile.map(|expire| Profile { expire_ms: expire.map(Span) });
                let position = self.copies[*copy].position();
                self.ask(*copy, Event::Append { position, tags, profile });
            }
            Move::Reach { question } => {
                let Some(index) = question.checked_rem(self.questions.len()) else { return };
                let question = self.questions.remove(index);
                self.reach(question);
            }
            Move::Deliver { answer, again } => {
                let Some(index) = answer.checked_rem(self.underway.len()) else { return };
                let Underway { copy, asked_at, since } =
                    if *again { self.underway[index].clone() } else { self.underway.remove(index) };
                self.copies[copy].merge(since, asked_at);
            }
            Move::Replace { copy } => self.copies[*copy] = LedgerCopy::default(),
            Move::Recreate => {
                self.now = self.now.after(Span(1));
                self.ledger = Ledger::new(self.now);
                self.table = Rows::default();
            }
        }
    }

    fn entries(&self) -> Vec<(Vec<String>, Position)> {
        let mut positions = vec![Position::BEFORE_EVERYTHING];
        positions.extend(
            self.log
                .iter()
                .flat_map(|line| [line.number - 1, line.number].map(|number| Position { epoch: line.epoch, number })),
        );
        let mut entries = Vec::new();
        for position in positions {
            for tags in [&["a"][..], &["b"], &["c", "d"], &[]] {
                entries.push((tags.iter().map(|tag| (*tag).to_owned()).collect(), position));
            }
        }
        entries
    }
}

/// The same answer with fewer rows, the newest, and a floor: what the ledger does beyond its own, larger limit.
fn shortened(mut since: Since, most: usize) -> Since {
    let newest = |row: &Row| row.hard.max(row.soft);
    if since.rows.len() > most {
        since.rows.sort_by_key(|row| std::cmp::Reverse(newest(row)));
        since.floor = since.floor.max(newest(&since.rows[most]));
        since.rows.retain(|row| newest(row) > since.floor);
    }
    since
}

fn no_copy_is_wrong(world: &History) -> Result<(), TestCaseError> {
    for (tags, rendered_at) in world.entries() {
        for copy in world.copies.iter().filter(|copy| copy.exists()) {
            let truth = replay(&world.log, copy.position(), &tags, rendered_at, world.now);
            let known = copy.knows(&tags, rendered_at, world.now);
            let enough = match known {
                Known::Ask => true,
                Known::Is(verdict) => verdict >= truth,
            };
            prop_assert!(enough, "{tags:?} of {rendered_at:?} is {truth:?}, and {copy:?} says {known:?}");
            if rendered_at.epoch != 0 && rendered_at.covers(copy.position()) {
                prop_assert_eq!(known, Known::Is(Invalidation::None), "what was rendered since is left alone");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_answers_makes_a_copy_miss_an_invalidation_it_has_passed(
        history in moves(0),
        rows in prop_oneof![Just(usize::MAX), 0usize..4],
        storage_bytes in storage(),
    ) {
        let mut world = History::keeping(rows, storage_bytes);
        for next in &history {
            world.make(next);
            no_copy_is_wrong(&world)?;
        }
    }

    #[test]
    fn a_copy_that_once_saw_an_invalidation_never_takes_it_back(
        history in moves(1),
        rows in prop_oneof![Just(usize::MAX), 0usize..4],
        storage_bytes in storage(),
    ) {
        let mut world = History::keeping(rows, storage_bytes);
        let mut seen = [Position::BEFORE_EVERYTHING; COPIES];
        for next in &history {
            world.make(next);
            if let Move::Replace { copy } = next {
                seen[*copy] = Position::BEFORE_EVERYTHING;
            }
            for (copy, seen) in world.copies.iter().zip(&mut seen) {
                let position = copy.position();
                prop_assert!(
                    position.epoch > seen.epoch || position.covers(*seen),
                    "a copy that stood at {seen:?} stands at {position:?}"
                );
                *seen = position;
            }
            no_copy_is_wrong(&world)?;
        }
    }

    #[test]
    fn the_ledger_itself_answers_no_milder_than_its_log(history in moves(0), storage_bytes in storage()) {
        let mut world = History::keeping(usize::MAX, storage_bytes);
        for next in &history {
            world.make(next);
        }
        for (tags, position) in world.entries() {
            let truth = replay(&world.log, world.ledger.head(), &tags, position, world.now);
            let Answer::Checked(verdict) = world.step(Event::Check { position, tags }) else {
                return Err(TestCaseError::fail("a check is answered as one"));
            };
            prop_assert!(verdict >= truth);
            if truth == Invalidation::None && position.number >= world.ledger.extent().floor {
                prop_assert_eq!(verdict, truth, "what was rendered since is left alone");
            }
        }
    }

    #[test]
    fn an_invalidating_isolate_sees_its_own_at_once_and_everybody_elses_before_it(history in moves(0)) {
        let mut world = History::new(usize::MAX);
        for next in &history {
            world.make(next);
            if let Move::Invalidate { copy, .. } = next {
                let Some(question) = world.questions.pop() else { continue };
                world.reach(question);
                let Some(Underway { copy: own, asked_at, since }) = world.underway.pop() else { continue };
                prop_assert_eq!(*copy, own);
                world.copies[own].merge(since, asked_at);
                prop_assert_eq!(world.copies[own].position(), world.ledger.head());
                no_copy_is_wrong(&world)?;
            }
        }
    }
}
