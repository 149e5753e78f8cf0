//! Invalidations: who sees them when, and what they end.

use super::*;

#[test]
fn the_isolate_that_invalidates_sees_it_at_once_and_others_after_one_window() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &["a"]);
    entry(world.visit(&mut two, &["a"]));
    assert_eq!(reason(&world.invalidate(&mut one, "a")), "recorded");
    assert!(miss(world.read(&mut one, RequestContext::default())).renewed);
    world.pass(Span(1000));
    let outcome = world.read(&mut two, RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() });
    assert_eq!(miss(outcome).reason, "wait-limit");
}

#[test]
fn while_an_invalidation_is_being_recorded_the_isolate_does_not_serve_what_it_is_about() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["news"]);
    let Step::Perform { machine: append, effect, .. } =
        isolate.begin(Call::Invalidate { tags: vec!["news".to_owned()], profile: None }, world.now)
    else {
        panic!("an invalidation has an effect")
    };
    let Step::Perform { machine: read, effect: Effect::Pause { .. }, .. } =
        isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now)
    else {
        panic!("the read waits")
    };
    let question = Call::Invalidated { tags: vec!["news".to_owned()], position: isolate.ledger.position() };
    let Step::Perform { machine: query, effect: Effect::Pause { .. }, .. } = isolate.begin(question, world.now) else {
        panic!("the question waits")
    };
    let recorded = world.perform(effect);
    isolate.resume(append, recorded, world.now);
    let Step::Done(Outcome::Ended { invalidation, .. }) = isolate.resume(query, Reply::Done, world.now) else {
        panic!("the question is answered")
    };
    assert_eq!(invalidation, Some(Invalidation::Hard));
    let Step::Perform { effect: Effect::Acquire { .. }, .. } = isolate.resume(read, Reply::Done, world.now) else {
        panic!("what was invalidated is not served")
    };
}

#[test]
fn nobody_waits_long_for_an_invalidation_that_is_not_recorded() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["news"]);
    let call = Call::Invalidate { tags: vec!["news".to_owned()], profile: None };
    let Step::Perform { machine: append, .. } = isolate.begin(call, world.now) else { panic!() };
    let begun = world.now;
    let mut step = isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    while let Step::Perform { machine, effect: Effect::Pause { ms }, .. } = step {
        world.pass(ms);
        step = isolate.resume(machine, Reply::Done, world.now);
    }
    assert!(matches!(step, Step::Done(Outcome::Entry(_))));
    assert!(world.now.since(begun) <= Span::seconds(4));
    // So it is at every further attempt.
    let Step::Perform { machine: append, .. } = isolate.resume(append, Reply::Failed, world.now) else { panic!() };
    isolate.resume(append, Reply::Done, world.now);
    let begun = world.now;
    assert_eq!(entry(world.read(&mut isolate, RequestContext::default())).reason, "fresh");
    let waited = world.now.since(begun);
    assert!(waited >= Span::seconds(2) && waited <= Span::seconds(4), "{waited:?}");
}

#[test]
fn an_invalidation_during_a_render_outlives_the_render() {
    let mut world = World::new();
    let (mut renderer, mut other) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut renderer, RequestContext::default())).lease;
    world.invalidate(&mut other, "a");
    world.pass(Span(400));
    assert_eq!(reason(&world.store(&mut renderer, lease, &["a"])), "accepted");
    let outcome = miss(world.read(&mut other, RequestContext::default()));
    assert!(outcome.renewed && outcome.lease.is_some(), "the page read old data: it is not served as fresh");
}

#[test]
fn a_waiter_may_serve_once_what_was_fresh_when_it_asked_and_does_not_remember_it() {
    let mut world = World::new();
    let (mut renderer, mut waiter, mut other) = (World::isolate(), World::isolate(), World::isolate());
    let lease = miss(world.read(&mut renderer, RequestContext::default())).lease;
    let step = waiter.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    let Step::Perform { machine, effect, .. } = step else { panic!() };
    let reply = world.perform(effect);
    let step = waiter.resume(machine, reply, world.now);
    let Step::Perform { machine, effect: Effect::Seed { .. }, .. } = step else { panic!("{step:?}") };
    let step = waiter.resume(machine, Reply::Seeded { seed: None }, world.now);
    let Step::Perform { machine, effect, .. } = step else { panic!() };
    world.store(&mut renderer, lease, &["a"]);
    world.invalidate(&mut other, "a");
    // The waiter's own isolate learns of the invalidation while it waits.
    world.pass(Span(1500));
    world.call(&mut waiter, Call::Observe { at_least: Position::BEFORE_EVERYTHING });
    let mut reply = world.perform(effect);
    if let Reply::Acquired { waited, .. } = &mut reply {
        *waited = true;
    }
    let Step::Done(outcome) = waiter.resume(machine, reply, world.now) else { panic!() };
    let served = entry(outcome);
    assert_eq!((served.reason, served.collapsed), ("purged", true));
    assert_eq!(served.memory, MemoryOrder::default());
}
