//! What happens in a history, drawn from its seed before anything happens: so that moves can be left out and the rest stays.

use onegen::base::time::Span;
use onegen::ledger::Profile;

use crate::random::Random;

/// One thing that happens. Numbers mean the n-th of what there is then, counted round; a move that finds nothing does nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Move {
    Visit {
        isolate: usize,
        page: usize,
        prefetch: bool,
    },
    Invalidate {
        isolate: usize,
        tag: usize,
        profile: Option<Profile>,
    },
    /// A message, or an answer, reaches whom it is for.
    Deliver {
        nth: usize,
    },
    /// It never does.
    Lose {
        nth: usize,
    },
    /// A message is taken twice; the second answer goes nowhere.
    Repeat {
        nth: usize,
    },
    RenderEnds {
        nth: usize,
        how: Ending,
    },
    PutEnds {
        nth: usize,
        how: PutEnding,
    },
    /// A put that was given up reaches KV all the same.
    StrayPutLands {
        nth: usize,
    },
    Pass {
        span: Span,
    },
    /// An isolate dies, and another starts in its place; of the other build, perhaps.
    Crash {
        isolate: usize,
        other_build: bool,
    },
    /// The engine panics: what the isolate knew is gone, its requests go on.
    Panic {
        isolate: usize,
    },
    SetClock {
        isolate: usize,
        back: bool,
        by: Span,
    },
    /// An object leaves memory; another instance starts over what is stored.
    Evict {
        nth: usize,
    },
    Outage {
        of: Part,
        begins: bool,
    },
    AlarmsAreLate {
        late: bool,
    },
    /// From now on a location shows what it shows of a key for up to a minute longer.
    KvLags {
        isolate: usize,
        lags: bool,
    },
    RecreateLedger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Well,
    Fails,
    NotStored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutEnding {
    Confirmed,
    Failed,
    /// It failed as far as anybody was told.
    LandedUnheard,
    /// Nobody hears of it, and it may land later.
    Astray,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Coordinators,
    Ledger,
    Kv,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) isolates: usize,
    /// By how much each isolate's clock is off at first, in milliseconds.
    pub(crate) skews: Vec<i64>,
    pub(crate) moves: Vec<Move>,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let isolates = 2 + random.below(3) as usize;
        let skews = (0..isolates).map(|_| random.pick(&[0, 0, 0, 1_500, -1_500, 90_000, -90_000])).collect();
        let length = 60 + random.below(200);
        // A history in which everything goes wrong at once shows less than one in which a few things do.
        let troubles: Vec<u64> = (0..12).filter(|_| random.one_in(3)).collect();
        let moves = (0..length).map(|_| Self::draw(&mut random, isolates, &troubles)).collect();
        Self { isolates, skews, moves }
    }

    fn draw(random: &mut Random, isolates: usize, troubles: &[u64]) -> Move {
        let isolate = random.below(isolates as u64) as usize;
        let nth = if random.one_in(4) { random.below(8) as usize } else { 0 };
        if !troubles.is_empty() && random.one_in(8) {
            let trouble = random.pick(troubles);
            return Self::trouble(random, trouble, isolate, nth);
        }
        match random.below(100) {
            0..=13 => Move::Visit { isolate, page: random.below(3) as usize, prefetch: random.one_in(8) },
            14..=18 => {
                let expire_ms = random.pick(&[None, Some(Span(0)), Some(Span::seconds(1)), Some(Span::seconds(30))]);
                let profile = random.pick(&[None, Some(Profile { expire_ms })]);
                Move::Invalidate { isolate, tag: random.below(3) as usize, profile }
            }
            19..=26 => Move::Pass { span: Span(random.pick(&[1, 20, 400, 1_100, 3_000, 11_000, 25_000, 70_000])) },
            27..=38 => {
                let fails = troubles.contains(&2) && random.one_in(3);
                Move::RenderEnds { nth, how: if fails { Ending::Fails } else { Ending::Well } }
            }
            39..=44 => Move::PutEnds { nth, how: PutEnding::Confirmed },
            _ => Move::Deliver { nth },
        }
    }

    fn trouble(random: &mut Random, trouble: u64, isolate: usize, nth: usize) -> Move {
        match trouble {
            0 => Move::Lose { nth },
            1 => Move::Repeat { nth },
            2 => Move::RenderEnds { nth, how: random.pick(&[Ending::Fails, Ending::NotStored]) },
            3 => {
                let how = random.pick(&[PutEnding::Failed, PutEnding::LandedUnheard, PutEnding::Astray]);
                if random.one_in(3) { Move::StrayPutLands { nth } } else { Move::PutEnds { nth, how } }
            }
            4 => Move::Crash { isolate, other_build: random.one_in(3) },
            5 => Move::Panic { isolate },
            6 => {
                let by = Span(random.pick(&[700, 5_000, 3_600_000]));
                Move::SetClock { isolate, back: random.one_in(2), by }
            }
            7 => Move::Evict { nth: random.below(4) as usize },
            8 => {
                let of = random.pick(&[Part::Coordinators, Part::Ledger, Part::Kv]);
                Move::Outage { of, begins: random.one_in(2) }
            }
            9 => Move::AlarmsAreLate { late: random.one_in(2) },
            10 => Move::KvLags { isolate, lags: !random.one_in(3) },
            _ if random.one_in(6) => Move::RecreateLedger,
            _ => Move::Pass { span: Span(random.pick(&[9_999, 10_000, 10_001, 310_000])) },
        }
    }
}
