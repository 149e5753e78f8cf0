//! Playing histories: many at once, one told, one made shorter; and looking for planted mistakes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::faults::{Fault, Glue};
use crate::plan::{Move, Plan};
use crate::truth::Violation;
use crate::world::World;

/// A mistake is looked for in so many histories.
const HISTORIES_PER_FAULT: u64 = 60_000;

/// A simulator in which these never happen would prove little.
const MUST_OCCUR: [&str; 24] = [
    "takeover",
    "follower",
    "backing-off",
    "hit-for-miss",
    "newer",
    "fenced",
    "alarm",
    "eviction",
    "put failed",
    "a given-up put landed",
    "kv went back",
    "kv lagged",
    "message lost",
    "message repeated",
    "deadline passed",
    "panic",
    "clock set",
    "outage",
    "ledger lost",
    "deployment",
    "lease carried",
    "another's render was waited for",
    "a page built on a stale part",
    "invalidation reported as lost",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    Glue(Glue),
    Machine(Fault),
}

impl Mistake {
    const fn glue(self) -> Option<Glue> {
        match self {
            Self::Glue(glue) => Some(glue),
            _ => None,
        }
    }

    fn name(self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Glue(glue) => format!("{glue:?}"),
            Self::Machine(fault) => format!("{fault:?}"),
        }
    }

    fn plant(self) {
        onegen::base::fault::plant(match self {
            Self::Machine(fault) => Some(fault),
            _ => None,
        });
    }
}

fn play(plan: &Plan, mistake: Mistake, told: bool) -> World {
    mistake.plant();
    let mut world = World::new(plan, mistake.glue(), told);
    for one in &plan.moves {
        world.make(one);
        if world.truth.violation.is_some() {
            return world;
        }
    }
    world.settle();
    world
}

fn violation(plan: &Plan, mistake: Mistake) -> Option<Violation> {
    play(plan, mistake, false).truth.violation
}

/// Leaves out what is not needed for the same promise to be broken.
fn shrunk(plan: &Plan, mistake: Mistake, promise: &str) -> Plan {
    let fails = |plan: &Plan| violation(plan, mistake).is_some_and(|violation| violation.promise == promise);
    let mut best = plan.clone();
    let mut chunk = best.moves.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < best.moves.len() {
            let mut moves: Vec<Move> = best.moves.clone();
            moves.drain(at..(at + chunk).min(moves.len()));
            let shorter = Plan { moves, ..best.clone() };
            if fails(&shorter) {
                best = shorter;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    for skew in 0..best.skews.len() {
        let mut plain = best.clone();
        plain.skews[skew] = 0;
        if fails(&plain) {
            best = plain;
        }
    }
    best
}

fn print_story(plan: &Plan, mistake: Mistake) {
    let world = play(plan, mistake, true);
    println!("{} isolates, clocks off by {:?} ms", plan.isolates, plan.skews);
    for line in world.story.iter().flatten() {
        println!("{line}");
    }
    match world.truth.violation {
        Some(Violation { promise, evidence }) => println!("BROKEN: promise {promise}: {evidence}"),
        None => println!("no promise was broken"),
    }
}

/// Tells one history; one that breaks a promise, as short as it can be made.
pub(crate) fn tell(seed: u64) -> bool {
    let plan = Plan::of(seed);
    let Some(found) = violation(&plan, Mistake::None) else {
        print_story(&plan, Mistake::None);
        return true;
    };
    let short = shrunk(&plan, Mistake::None, found.promise);
    println!("seed {seed} breaks promise {} ({} of {} moves):", found.promise, short.moves.len(), plan.moves.len());
    print_story(&short, Mistake::None);
    false
}

/// Every seed that once found something.
pub(crate) fn keep_all(seeds: &[(u64, &str)]) -> bool {
    seeds.iter().all(|(seed, what)| match violation(&Plan::of(*seed), Mistake::None) {
        None => true,
        Some(found) => {
            println!("seed {seed} ({what}) breaks promise {} again: {}", found.promise, found.evidence);
            false
        }
    })
}

/// Plays histories on all cores, with the mistake of a name if one is given, and says what they found.
pub(crate) fn run(from: u64, histories: u64, planted: Option<&String>) -> bool {
    let mistake = match planted {
        None => Mistake::None,
        Some(name) => match mistakes(Some(name)).first() {
            Some(mistake) => *mistake,
            None => return false,
        },
    };
    let next = AtomicU64::new(from);
    let broken: Mutex<BTreeMap<&'static str, Vec<u64>>> = Mutex::new(BTreeMap::new());
    let occurred: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut own: BTreeMap<&'static str, u64> = BTreeMap::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + histories {
                        break;
                    }
                    let truth = play(&Plan::of(seed), mistake, false).truth;
                    for (what, times) in truth.occurred {
                        *own.entry(what).or_default() += times;
                    }
                    if let Some(Violation { promise, .. }) = truth.violation
                        && let Ok(mut broken) = broken.lock()
                    {
                        broken.entry(promise).or_default().push(seed);
                    }
                }
                if let Ok(mut occurred) = occurred.lock() {
                    for (what, times) in own {
                        *occurred.entry(what).or_default() += times;
                    }
                }
            });
        }
    });
    let (broken, occurred) = (broken.into_inner().unwrap_or_default(), occurred.into_inner().unwrap_or_default());
    for (what, times) in &occurred {
        println!("{times:>10}  {what}");
    }
    let missing: Vec<_> = MUST_OCCUR.iter().filter(|what| !occurred.contains_key(*what)).collect();
    if !missing.is_empty() {
        println!("in {histories} histories never happened: {missing:?}");
    }
    for (promise, seeds) in &broken {
        println!("promise {promise}: {} histories, for example {:?}", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    let violations: usize = broken.values().map(Vec::len).sum();
    println!("simulated_violations: {violations} (histories {histories})");
    violations == 0 && missing.is_empty()
}

/// All mistakes, or the one of a name; `None` is the name of none.
fn mistakes(only: Option<&String>) -> Vec<Mistake> {
    let all = Glue::ALL.into_iter().map(Mistake::Glue).chain(Fault::ALL.into_iter().map(Mistake::Machine));
    let is_meant = |mistake: &Mistake| match (only, mistake) {
        (None, mistake) => *mistake != Mistake::None,
        (Some(name), Mistake::None) => name == "None",
        (Some(name), mistake) => mistake.name() == *name,
    };
    let found: Vec<_> = all.chain([Mistake::None]).filter(is_meant).collect();
    if found.is_empty() {
        println!("no mistake is called {only:?}");
    }
    found
}

/// Plays histories with each mistake, or with that of a name, until it is found.
pub(crate) fn find_all_faults(only: Option<&String>, within: Option<u64>) -> bool {
    let mistakes = mistakes(only);
    let limit = within.unwrap_or(HISTORIES_PER_FAULT);
    let (mut missed, all) = (0, mistakes.len());
    for mistake in mistakes {
        match first_found(mistake, limit) {
            Some((seed, found)) => println!("{}: {} histories, promise {}", mistake.name(), seed + 1, found.promise),
            None => {
                missed += 1;
                println!("{}: MISSED in {limit} histories", mistake.name());
            }
        }
    }
    println!("planted_faults_missed: {missed} (of {all})");
    missed == 0 && all > 0
}

fn first_found(mistake: Mistake, limit: u64) -> Option<(u64, Violation)> {
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<Option<(u64, Violation)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= limit {
                        break;
                    }
                    if let Some(violation) = violation(&Plan::of(seed), mistake)
                        && let Ok(mut found) = found.lock()
                    {
                        done.store(true, Ordering::Relaxed);
                        if found.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
                            *found = Some((seed, violation));
                        }
                    }
                }
            });
        }
    });
    found.into_inner().ok().flatten()
}
