//! Every interleaving of a small world around the lease machine, and wrong ways to drive it that the check must notice.

mod world;

use onegen::base::time::Millis;
use onegen::route::{Answer, HoldReason, Need};
use stateright::Property;

use crate::check::{self, check};
use world::{Bounds, Budget, Doing, Driver, Fault, Message, Network, Puts, World};

const ONE_LEASE: &str = "at most one lease is live";
const INCREASING: &str = "generations handed out strictly increase";
const FENCE: &str = "nothing is accepted after a takeover";
const LEADER: &str = "the leader is neither fenced nor told to wait";
const LATEST: &str = "the latest published generation never decreases";
const CALLER: &str = "no isolate accepts less than it has seen";
const REPETITION: &str = "a repeated publication or abandonment changes nothing";
const ONE_PUT: &str = "no put begins before the last one ended";
const CONVERGENCE: &str = "once nothing is left to put, KV holds the latest";
const DEAD_LEADER: &str = "a dead leader blocks nobody beyond its lease";
const TAKEOVER: &str = "a lease that ran out is taken over while its leader still renders";
const LATE: &str = "a late publication is refused";
const LAGGING: &str = "a reader is told of something newer that KV does not show it yet";
const GOES_BACK: &str = "KV goes back to an older value for a while";
const REPEATED: &str = "a put is repeated";
const NO_SLEEPER: &str = "nobody is kept waiting for nothing";

fn properties(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let promises = vec![
        Property::always(ONE_LEASE, |_, world: &World| world.live_leases() <= 1),
        Property::always(INCREASING, |_, world: &World| world.is_without(Fault::GenerationHandedOutTwice)),
        Property::always(FENCE, |_, world: &World| world.is_without(Fault::AcceptedAfterTakeover)),
        Property::always(LEADER, |_, world: &World| world.is_without(Fault::LeaderTurnedAway)),
        Property::always(LATEST, |_, world: &World| {
            let latest = world.stored.latest().map_or(0, |latest| latest.generation);
            world.is_without(Fault::LatestWentBack) && latest == world.onlooker.accepted
        }),
        Property::always(CALLER, |_, world: &World| world.is_without(Fault::CallerWentBack)),
        Property::always(REPETITION, |_, world: &World| world.is_without(Fault::RepetitionChangedSomething)),
        Property::always(ONE_PUT, |_, world: &World| world.is_without(Fault::TwoPutsAtOnce)),
        Property::always(CONVERGENCE, |_, world: &World| {
            !world.kv_is_settled() || world.stored.latest().is_none_or(|latest| latest.generation == world.kv.value)
        }),
        Property::always(DEAD_LEADER, |_, world: &World| {
            let have = world.onlooker.accepted;
            let now = world.asked_by_a_stranger(world.now, have, Need::Refresh);
            let blocked = matches!(now, Answer::Hold { reason: HoldReason::Rendering, .. });
            let later = world.asked_by_a_stranger(world.after_every_pause(), have, Need::Refresh);
            (!blocked || world.live_leases() > 0) && matches!(later, Answer::Granted { .. })
        }),
        Property::always(NO_SLEEPER, |_, world: &World| {
            world.held.iter().all(|held| held.recheck_at <= world.now)
                || matches!(world.asked_by_a_stranger(world.now, 0, Need::Fill), Answer::Hold { .. })
        }),
    ];
    let occurrences = bounds.occurs.iter().map(|occurrence| match *occurrence {
        TAKEOVER => Property::sometimes(TAKEOVER, takeover),
        LATE => Property::sometimes(LATE, late_publication_refused),
        LAGGING => Property::sometimes(LAGGING, newer_because_kv_lags),
        GOES_BACK => Property::sometimes(GOES_BACK, |_, world: &World| world.kv.value < world.kv.before),
        _ => Property::sometimes(REPEATED, put_repeated),
    });
    promises.into_iter().chain(occurrences).collect()
}

fn told(world: &World, what: fn(&Message) -> bool) -> bool {
    world.network.iter().any(what)
}

fn takeover(_: &Bounds, world: &World) -> bool {
    let leaders = world.callers.iter().filter(|caller| matches!(caller.doing, Doing::Rendering(..))).count();
    leaders > 1
}

fn late_publication_refused(_: &Bounds, world: &World) -> bool {
    told(world, |message| matches!(message, Message::Fenced { .. }))
}

fn newer_because_kv_lags(_: &Bounds, world: &World) -> bool {
    told(world, |message| matches!(message, Message::Newer { kv_had_it: true, .. }))
}

fn put_repeated(_: &Bounds, world: &World) -> bool {
    world
        .puts
        .iter()
        .enumerate()
        .any(|(index, put)| world.puts.iter().skip(index + 1).any(|other| other.generation == put.generation))
}

/// Several isolates at once; messages delayed, lost and repeated; the object leaves memory meanwhile.
fn crowd() -> Bounds {
    Bounds {
        callers: 3,
        driver: Driver::AsDesigned,
        network: Network::Arbitrary,
        puts: Puts::Immediate,
        last_moment: Millis(4_000),
        budget: Budget {
            questions: 3,
            repeats: 1,
            crashes: 0,
            evictions: 1,
            failed_renders: 0,
            renders_not_stored: 0,
            publications_without_lease: 0,
            failed_puts: 0,
            late_alarms: 1,
        },
        occurs: vec![TAKEOVER, LATE, LAGGING],
    }
}

/// Fewer isolates, which die, fail, do not store, and publish without being asked.
fn trouble() -> Bounds {
    let budget = Budget {
        questions: 3,
        repeats: 0,
        crashes: 1,
        evictions: 0,
        failed_renders: 1,
        renders_not_stored: 1,
        publications_without_lease: 1,
        failed_puts: 0,
        late_alarms: 1,
    };
    Bounds { callers: 2, last_moment: Millis(5_000), budget, ..crowd() }
}

/// Puts that fail, land late, and land after they failed; the object leaves memory meanwhile.
fn storage() -> Bounds {
    let budget = Budget {
        questions: 0,
        repeats: 0,
        crashes: 0,
        evictions: 1,
        failed_renders: 0,
        renders_not_stored: 0,
        publications_without_lease: 3,
        failed_puts: 2,
        late_alarms: 1,
    };
    Bounds {
        callers: 1,
        network: Network::Immediate,
        puts: Puts::Ambiguous,
        last_moment: Millis(170_000),
        budget,
        occurs: vec![REPEATED],
        ..crowd()
    }
}

/// Isolates that read a KV key which goes back for a while.
fn readers() -> Bounds {
    let budget = Budget {
        questions: 2,
        evictions: 0,
        publications_without_lease: 2,
        failed_puts: 1,
        late_alarms: 0,
        ..storage().budget
    };
    Bounds { last_moment: Millis(95_000), budget, occurs: vec![REPEATED, GOES_BACK], ..storage() }
}

fn assert_noticed(driver: Driver, broken: &'static str, bounds: Bounds) {
    check::assert_noticed(&format!("{driver:?}"), broken, Bounds { driver, ..bounds });
}

#[test]
fn a_crowd_with_a_slow_and_lossy_network_breaks_no_promise() {
    check("crowd", crowd());
}

#[test]
fn isolates_that_die_fail_and_publish_unasked_break_no_promise() {
    check("trouble", trouble());
}

#[test]
fn puts_that_fail_and_land_late_end_with_the_latest_in_kv() {
    check("storage", storage());
}

#[test]
fn readers_of_a_kv_key_that_goes_back_never_go_back_themselves() {
    check("readers", readers());
}

#[test]
fn an_answer_that_leaves_before_its_row_is_stored_is_noticed() {
    assert_noticed(Driver::AnswersBeforeStoring, INCREASING, crowd());
    assert_noticed(Driver::AnswersBeforeStoring, ONE_LEASE, crowd());
}

#[test]
fn a_superseded_object_that_answers_without_touching_storage_is_noticed() {
    assert_noticed(Driver::AnswersFromMemory, ONE_LEASE, crowd());
}

#[test]
fn a_late_publication_that_is_taken_is_noticed() {
    assert_noticed(Driver::IgnoresTheFence, FENCE, crowd());
    assert_noticed(Driver::IgnoresTheFence, LATEST, crowd());
}

#[test]
fn a_failed_put_taken_for_done_is_noticed() {
    assert_noticed(Driver::TakesFailedPutsForDone, CONVERGENCE, storage());
}

#[test]
fn an_isolate_that_believes_kv_blindly_is_noticed() {
    assert_noticed(Driver::BelievesKvBlindly, CALLER, readers());
}

#[test]
fn waiters_that_nobody_wakes_are_noticed() {
    assert_noticed(Driver::ForgetsItsWaiters, NO_SLEEPER, crowd());
}
