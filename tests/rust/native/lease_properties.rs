//! Random histories of one route, far longer than the exhaustive check's, against references that could not be simpler.

use onegen::base::limits::RoutePolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::route::{AbandonReason, Answer, Effect, Event, HoldReason, Need, Route};
use proptest::prelude::*;

const POSITION: Position = Position { epoch: 5, number: 7 };
const START: Millis = Millis(1_795_000_000_000);
const KV_INTERVAL: Span = Span::seconds(1);
/// When the machine gives a silent put up.
const PUT_LIMIT: Span = Span::seconds(30);
/// Only dropping bytes and forgetting lie further ahead than this.
const NOTHING_TO_PUT: Span = Span::seconds(150);

/// Bytes of an entry that its coordinator forgets once KV has it.
const LARGE: u64 = 1 << 20;

fn acquire(have: Option<u64>, holder: &str, need: Need) -> Event {
    Event::Acquire { have, holder: holder.to_owned(), position: POSITION, need }
}

fn publish(generation: u64, holder: &str) -> Event {
    Event::Publish {
        lease: Some((generation, holder.to_owned())),
        position: POSITION,
        seed: false,
        render_time: Span::seconds(2),
        bytes: LARGE,
    }
}

const fn publish_unasked() -> Event {
    Event::Publish { lease: None, position: POSITION, seed: false, render_time: Span::seconds(2), bytes: LARGE }
}

fn abandon(generation: u64, holder: &str, reason: AbandonReason) -> Event {
    Event::Abandon { generation, holder: holder.to_owned(), reason }
}

/// What somebody does next; which lease or caller is meant is decided when it happens.
#[derive(Debug, Clone)]
enum Move {
    Wait(Span),
    Acquire { caller: usize, fill: bool },
    RepeatAcquire { lease: usize },
    Publish { lease: usize },
    PublishUnasked,
    Abandon { lease: usize, reason: AbandonReason },
    Touch,
    LoseBytes,
    Restart,
    EndPut { confirmed: bool },
    RingAlarm,
}

fn reasons() -> impl Strategy<Value = AbandonReason> {
    prop_oneof![Just(AbandonReason::Failed), Just(AbandonReason::NotStored), Just(AbandonReason::Unused)]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let month = RoutePolicy::default().kv_ttl_seconds * 1000;
    let span = prop_oneof![
        4 => 0u64..50,
        4 => 500u64..5_000,
        4 => 5_000u64..70_000,
        // Exactly a first lease, and exactly what a put may take.
        2 => Just(10_000u64),
        2 => Just(30_000u64),
        1 => month - 20_000..month + 20_000,
    ];
    let one = prop_oneof![
        4 => span.prop_map(|ms| Move::Wait(Span(ms))),
        5 => (0..4usize, any::<bool>()).prop_map(|(caller, fill)| Move::Acquire { caller, fill }),
        1 => (0..4usize).prop_map(|lease| Move::RepeatAcquire { lease }),
        3 => (0..4usize).prop_map(|lease| Move::Publish { lease }),
        1 => Just(Move::PublishUnasked),
        2 => (0..4usize, reasons()).prop_map(|(lease, reason)| Move::Abandon { lease, reason }),
        1 => Just(Move::Touch),
        1 => Just(Move::LoseBytes),
        1 => Just(Move::Restart),
        2 => any::<bool>().prop_map(|confirmed| Move::EndPut { confirmed }),
        2 => Just(Move::RingAlarm),
    ];
    prop::collection::vec(one, 1..200)
}

/// A lease as the reference counts it: who was told what, and until when.
#[derive(Debug, Clone)]
struct Told {
    generation: u64,
    holder: String,
    deadline: Millis,
    over: bool,
}

/// The promises in their plainest form.
#[derive(Debug, Default)]
struct Reference {
    told: Vec<Told>,
    published: Vec<u64>,
}

impl Reference {
    fn live(&self, now: Millis) -> Vec<&Told> {
        self.told.iter().filter(|told| !told.over && now < told.deadline).collect()
    }

    /// The lease that many leases back.
    fn back(&self, count: usize) -> Option<Told> {
        let index = self.told.len().checked_sub(count + 1)?;
        self.told.get(index).cloned()
    }

    fn highest(&self) -> u64 {
        self.told.iter().map(|told| told.generation).chain(self.published.iter().copied()).max().unwrap_or(0)
    }
}

struct History {
    policy: RoutePolicy,
    route: Route,
    now: Millis,
    reference: Reference,
    have: [Option<u64>; 4],
    put: Option<u64>,
    names: u64,
}

impl History {
    fn new() -> Self {
        Self {
            policy: RoutePolicy::default(),
            route: Route::new(START),
            now: START,
            reference: Reference::default(),
            have: [None; 4],
            put: None,
            names: 0,
        }
    }

    fn step(&mut self, event: Event) -> Answer {
        let outcome = self.route.step(&self.policy, self.now, event);
        for effect in &outcome.effects {
            if let Effect::Put { generation } = effect {
                self.put = Some(*generation);
            }
        }
        // What is stored is what goes on.
        self.route = serde_json::from_str(&serde_json::to_string(&self.route).unwrap()).unwrap();
        outcome.answer
    }

    fn make(&mut self, next: &Move) -> Result<(), TestCaseError> {
        match *next {
            Move::Wait(span) => self.now = self.now.after(span),
            Move::Acquire { caller, fill } => {
                self.names += 1;
                let holder = format!("h{}", self.names);
                self.ask(caller, &holder, fill)?;
            }
            Move::RepeatAcquire { lease } => {
                let Some(told) = self.reference.back(lease) else { return Ok(()) };
                self.ask(0, &told.holder, true)?;
            }
            Move::Publish { lease } => {
                let Some(told) = self.reference.back(lease) else { return Ok(()) };
                self.publish(&told)?;
            }
            Move::PublishUnasked => {
                let live = !self.reference.live(self.now).is_empty();
                if let Answer::Accepted { generation } = self.step(publish_unasked()) {
                    prop_assert!(!live, "a publication without a lease was accepted although somebody leads");
                    prop_assert!(generation > self.reference.highest());
                    self.reference.published.push(generation);
                } else {
                    prop_assert!(live, "nobody leads, and its position is the latest's");
                }
            }
            Move::Abandon { lease, reason } => {
                let Some(told) = self.reference.back(lease) else { return Ok(()) };
                let event = abandon(told.generation, &told.holder, reason);
                self.step(event.clone());
                self.changes_nothing(event)?;
                for own in self.reference.told.iter_mut().filter(|own| own.generation == told.generation) {
                    own.over = true;
                }
            }
            Move::Touch => drop(self.step(Event::Touch)),
            Move::LoseBytes => {
                if let Some(generation) = self.route.latest().map(|latest| latest.generation) {
                    self.step(Event::BytesLost { generation });
                }
            }
            Move::Restart => {
                self.put = None;
                self.step(Event::Restarted);
            }
            Move::EndPut { confirmed } => {
                if let Some(generation) = self.put.take() {
                    self.step(Event::PutEnded { generation, confirmed });
                }
            }
            Move::RingAlarm => drop(self.step(Event::Alarm)),
        }
        prop_assert!(self.reference.live(self.now).len() <= 1, "two leases are live: {:?}", self.reference);
        Ok(())
    }

    fn ask(&mut self, caller: usize, holder: &str, fill: bool) -> Result<(), TestCaseError> {
        let have = self.have[caller];
        let need = if fill { Need::Fill } else { Need::Refresh };
        match self.step(acquire(have, holder, need)) {
            Answer::Granted { lease, remaining } => {
                let deadline = self.now.after(remaining);
                prop_assert!(have.is_none_or(|have| lease.generation > have));
                let live = self.reference.live(self.now);
                let own = live.iter().find(|told| told.holder == holder);
                if let Some(own) = own {
                    prop_assert_eq!((own.generation, own.deadline), (lease.generation, deadline), "the same once more");
                } else {
                    prop_assert!(live.is_empty(), "granted although {live:?} leads");
                    prop_assert!(lease.generation > self.reference.highest(), "generations only increase");
                    let holder = holder.to_owned();
                    self.reference.told.push(Told { generation: lease.generation, holder, deadline, over: false });
                }
            }
            Answer::Newer { generation } => {
                prop_assert_eq!(self.reference.published.last(), Some(&generation));
                prop_assert!(have.is_none_or(|have| generation > have), "nobody is sent back");
                self.have[caller] = Some(generation);
            }
            Answer::Hold { reason: HoldReason::Rendering, recheck, .. } => {
                let live = self.reference.live(self.now);
                prop_assert_eq!(live.len(), 1, "nobody waits for nobody");
                prop_assert!(live[0].holder != holder, "the leader waits for itself");
                prop_assert_eq!(self.now.after(recheck), live[0].deadline, "nobody waits beyond the lease");
            }
            Answer::Hold { .. } | Answer::Uncacheable { .. } => {}
            other => prop_assert!(false, "{other:?} does not answer an acquire"),
        }
        Ok(())
    }

    fn publish(&mut self, told: &Told) -> Result<(), TestCaseError> {
        let event = publish(told.generation, &told.holder);
        match self.step(event.clone()) {
            Answer::Accepted { generation } => {
                prop_assert_eq!(generation, told.generation);
                if self.reference.published.last() != Some(&generation) {
                    prop_assert_eq!(generation, self.reference.highest(), "somebody else was given a lease since");
                    self.reference.published.push(generation);
                }
                self.changes_nothing(event)?;
                for own in self.reference.told.iter_mut().filter(|own| own.generation == generation) {
                    own.over = true;
                }
            }
            Answer::Fenced { latest } => {
                prop_assert!(latest.is_none_or(|latest| self.reference.published.last() == Some(&latest)));
                let live = self.reference.live(self.now);
                prop_assert!(live.iter().all(|live| live.generation != told.generation), "the leader was fenced");
                let again = self.step(event);
                prop_assert_eq!(again, Answer::Fenced { latest });
            }
            other => prop_assert!(false, "{other:?} does not answer a publication"),
        }
        Ok(())
    }

    fn changes_nothing(&mut self, event: Event) -> Result<(), TestCaseError> {
        let before = self.route.clone();
        let outcome = self.route.step(&self.policy, self.now, event);
        prop_assert_eq!(&self.route, &before);
        prop_assert!(outcome.effects.is_empty());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_one_lease_and_only_increasing_generations(history in moves()) {
        let mut world = History::new();
        for next in &history {
            world.make(next)?;
        }
    }

    #[test]
    fn after_any_history_somebody_may_render_once_every_pause_is_over(history in moves()) {
        let mut world = History::new();
        for next in &history {
            world.make(next)?;
        }
        let policy = &world.policy;
        let longest = policy.max_lease_ms.0.max(policy.max_back_off_ms.0).max(policy.max_hit_for_miss_ms.0);
        world.now = world.now.after(Span(longest));
        let have = world.route.latest().map(|latest| latest.generation);
        let answer = world.step(acquire(have, "late", Need::Refresh));
        let granted = matches!(answer, Answer::Granted { .. });
        prop_assert!(granted, "{answer:?}");
    }

    #[test]
    fn after_any_history_each_alarm_sets_the_next_one_later(history in moves()) {
        let mut world = History::new();
        for next in &history {
            world.make(next)?;
            let at = world.route.alarm_at(&world.policy).max(world.now);
            let mut route = world.route.clone();
            route.step(&world.policy, at, Event::Alarm);
            let next = route.alarm_at(&world.policy);
            prop_assert!(next > at, "an alarm at {at:?} sets the next one to {next:?}");
        }
    }
}

/// How a put goes in the test below.
#[derive(Debug, Clone, Copy)]
enum PutEnds {
    Confirmed,
    Failed,
    Silent,
    WithTheObject,
}

/// Rings every alarm on time and lets puts end as told, then well, until nothing is left to put. `publications` come at those
/// times. Answers what KV then confirmed last, and when each put began and ended.
struct Putting {
    began: Vec<(u64, Millis)>,
    confirmed: Option<u64>,
    latest: u64,
}

fn put_until_settled(publications: &[Span], ends: &[(PutEnds, Span)]) -> Result<Putting, TestCaseError> {
    let policy = RoutePolicy::default();
    let mut route = Route::new(START);
    let mut now = START;
    let mut publications = publications
        .iter()
        .scan(START, |at, span| {
            *at = at.after(*span);
            Some(*at)
        })
        .peekable();
    let mut ends = ends.iter().copied().chain(std::iter::repeat((PutEnds::Confirmed, Span(100))));
    let mut under_way: Option<(u64, PutEnds, Millis)> = None;
    let mut latest_confirmed_put = None;
    let mut seen = Putting { began: Vec::new(), confirmed: None, latest: 0 };
    let mut ended_at: Option<Millis> = None;
    for _ in 0..10_000 {
        let alarm = route.alarm_at(&policy);
        let end = under_way.map(|(_, _, at)| at);
        let publication = publications.peek().copied();
        if publication.is_none() && end.is_none() && alarm > now.after(NOTHING_TO_PUT) {
            seen.confirmed = latest_confirmed_put;
            return Ok(seen);
        }
        let at = [Some(alarm), end, publication].into_iter().flatten().min().unwrap_or(alarm);
        now = now.max(at);
        let event = if publication == Some(at) {
            publications.next();
            publish_unasked()
        } else if let Some((generation, how, _)) = under_way.filter(|(_, _, ends)| *ends == at) {
            under_way = None;
            ended_at = Some(now);
            match how {
                PutEnds::Confirmed => {
                    latest_confirmed_put = Some(generation);
                    Event::PutEnded { generation, confirmed: true }
                }
                PutEnds::Failed => Event::PutEnded { generation, confirmed: false },
                PutEnds::Silent => Event::Alarm,
                PutEnds::WithTheObject => Event::Restarted,
            }
        } else {
            Event::Alarm
        };
        let outcome = route.step(&policy, now, event);
        if let Answer::Accepted { generation } = outcome.answer {
            seen.latest = generation;
        }
        for effect in &outcome.effects {
            if let Effect::Put { generation } = *effect {
                prop_assert!(under_way.is_none(), "a put began while another was under way");
                prop_assert_eq!(generation, seen.latest, "only the latest is put");
                let last = seen.began.last().map(|(_, at)| *at);
                prop_assert!(last.is_none_or(|last| now.since(last) >= KV_INTERVAL), "two puts within a second");
                prop_assert!(ended_at.is_none_or(|ended| now.since(ended) >= KV_INTERVAL || last.is_none()));
                seen.began.push((generation, now));
                let (how, after) = ends.next().unwrap_or((PutEnds::Confirmed, Span(100)));
                let after = if matches!(how, PutEnds::Silent) { PUT_LIMIT } else { after };
                under_way = Some((generation, how, now.after(after)));
            }
        }
    }
    Err(TestCaseError::fail("the alarms never come to rest"))
}

fn put_ends() -> impl Strategy<Value = (PutEnds, Span)> {
    let how = prop_oneof![
        Just(PutEnds::Confirmed),
        Just(PutEnds::Failed),
        Just(PutEnds::Silent),
        Just(PutEnds::WithTheObject),
    ];
    (how, (1u64..20_000).prop_map(Span))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn alarms_alone_bring_the_latest_into_kv_one_put_at_a_time_and_at_most_one_a_second(
        publications in prop::collection::vec(prop_oneof![0u64..3_000, 0u64..90_000].prop_map(Span), 1..12),
        ends in prop::collection::vec(put_ends(), 0..20),
    ) {
        let seen = put_until_settled(&publications, &ends)?;
        prop_assert_eq!(seen.confirmed, Some(seen.latest));
    }

    #[test]
    fn a_put_that_fails_is_tried_again_until_it_succeeds_and_once_more_a_minute_later(failures in 1usize..12) {
        let ends = vec![(PutEnds::Failed, Span(100)); failures];
        let seen = put_until_settled(&[Span::ZERO], &ends)?;
        let pauses: Vec<_> = seen.began.windows(2).map(|pair| pair[1].1.since(pair[0].1)).collect();
        prop_assert!(pauses.iter().all(|pause| *pause <= Span::seconds(61)), "{pauses:?}");
        let last_failed = seen.began[failures - 1].1;
        let last = seen.began[seen.began.len() - 1].1;
        prop_assert!(last.since(last_failed) >= Span::seconds(60), "{pauses:?}");
        prop_assert!(seen.began.len() <= failures + 2, "{pauses:?}");
    }

    #[test]
    fn a_route_that_always_fails_is_rendered_a_logarithm_of_times(
        seconds in 1u64..300,
        later in 0u64..7,
        render in 0u64..500,
    ) {
        let policy = RoutePolicy::default();
        let mut route = Route::new(START);
        let mut now = START;
        let end = START.after(Span::seconds(seconds));
        let mut granted = 0u32;
        while now < end {
            match route.step(&policy, now, acquire(None, &format!("h{}", now.0), Need::Refresh)).answer {
                Answer::Granted { lease, .. } => {
                    granted += 1;
                    now = now.after(Span(render));
                    route.step(&policy, now, abandon(lease.generation, &lease.holder, AbandonReason::Failed));
                }
                Answer::Hold { hold, .. } => now = now.after(hold),
                other => prop_assert!(false, "{other:?}"),
            }
            now = now.after(Span(later));
        }
        // A pause of the first back-off, then twice that: n pauses take 2^n - 1 of it.
        let allowed = 2 + (seconds * 1000 / policy.first_back_off_ms.0).ilog2();
        prop_assert!(granted <= allowed, "{granted} leases in {seconds} s, {allowed} are allowed");
    }

    #[test]
    fn a_recreated_route_never_hands_out_what_some_copy_has_passed(have in 0..u64::MAX, created in any::<u64>()) {
        let mut route = Route::new(Millis(created));
        let event = acquire(Some(have), "a", Need::Refresh);
        match route.step(&RoutePolicy::default(), Millis(created), event).answer {
            Answer::Granted { lease, .. } => prop_assert!(lease.generation > have),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_route_slower_than_its_leases_stops_fencing_its_own_leaders(render in 10_001u64..20_000) {
        let policy = RoutePolicy::default();
        let mut route = Route::new(START);
        let mut now = START;
        let mut leases: Vec<(u64, String, Millis)> = Vec::new();
        // Somebody asks every second; each leader publishes as soon as it has rendered.
        for second in 0..120u64 {
            now = now.max(START.after(Span::seconds(second)));
            let done: Vec<_> = leases.extract_if(.., |(_, _, at)| *at <= now).collect();
            for (generation, holder, _) in done {
                let event = Event::Publish {
                    lease: Some((generation, holder)),
                    position: POSITION,
                    seed: false,
                    render_time: Span(render),
                    bytes: LARGE,
                };
                if matches!(route.step(&policy, now, event).answer, Answer::Accepted { .. }) {
                    return Ok(());
                }
            }
            let event = acquire(None, &format!("h{second}"), Need::Refresh);
            if let Answer::Granted { lease, .. } = route.step(&policy, now, event).answer {
                leases.push((lease.generation, lease.holder, now.after(Span(render))));
            }
        }
        prop_assert!(false, "nobody could publish within two minutes");
    }
}

#[test]
fn a_route_forgotten_and_asked_for_again_hands_out_higher_generations() {
    let policy = RoutePolicy::default();
    let mut route = Route::new(START);
    let Answer::Granted { lease, .. } = route.step(&policy, START, acquire(None, "a", Need::Fill)).answer else {
        panic!("nobody has asked before");
    };
    route.step(&policy, START.after(Span::seconds(1)), publish(lease.generation, "a"));
    route.step(
        &policy,
        START.after(Span::seconds(2)),
        Event::PutEnded { generation: lease.generation, confirmed: true },
    );
    let much_later = START.after(Span::seconds(policy.kv_ttl_seconds + 1));
    let outcome = route.step(&policy, much_later, Event::Alarm);
    assert_eq!(outcome.effects, [Effect::DeleteAll]);
    let Answer::Granted { lease: next, .. } = route.step(&policy, much_later, acquire(None, "b", Need::Fill)).answer
    else {
        panic!("nothing is known of the route");
    };
    assert!(next.generation > lease.generation);
}

/// What an alarm that rings ten minutes after a confirmed publication does.
fn ten_minutes_after_a_publication_of(bytes: u64) -> Vec<Effect> {
    let policy = RoutePolicy::default();
    let mut route = Route::new(START);
    let Answer::Granted { lease, .. } = route.step(&policy, START, acquire(None, "a", Need::Fill)).answer else {
        panic!("nobody has asked before");
    };
    let generation = lease.generation;
    let lease = Some((generation, "a".to_owned()));
    let event = Event::Publish { lease, position: POSITION, seed: false, render_time: Span::seconds(1), bytes };
    route.step(&policy, START, event);
    route.step(&policy, START, Event::PutEnded { generation, confirmed: true });
    route.step(&policy, START.after(Span::seconds(600)), Event::Alarm).effects
}

#[test]
fn what_is_small_stays_with_its_coordinator_and_what_is_large_is_forgotten_once_kv_has_it() {
    assert_eq!(ten_minutes_after_a_publication_of(20_000), []);
    assert_eq!(ten_minutes_after_a_publication_of(LARGE), [Effect::DropBytes]);
}
