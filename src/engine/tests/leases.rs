//! One render among several visitors of one isolate, and among several isolates.

use super::*;

#[test]
fn a_second_isolate_is_told_to_wait_while_the_first_renders() {
    let mut world = World::new();
    let (mut leader, mut follower) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut leader, RequestContext::default())).lease;
    assert!(lease.is_some());
    let impatient = RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() };
    let outcome = miss(world.read(&mut follower, impatient));
    assert_eq!((outcome.reason, outcome.lease), ("wait-limit", None));
}

#[test]
fn in_one_isolate_the_second_visitor_looks_at_memory_instead_of_asking() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let lease = miss(world.read(&mut isolate, RequestContext::default())).lease;
    world.took();
    let Step::Perform { machine, effect: Effect::Pause { ms }, .. } =
        isolate.begin(read(Caller::Renderer, RequestContext { absent: true, ..RequestContext::default() }), world.now)
    else {
        panic!("expected a pause")
    };
    world.store(&mut isolate, lease, &[]);
    world.pass(ms);
    let Step::Done(outcome) = isolate.resume(machine, Reply::Done, world.now) else { panic!("expected the result") };
    assert!(entry(outcome).collapsed);
    assert_eq!(world.took(), ["publish"]);
}

#[test]
fn a_stale_page_is_served_and_regenerated_under_one_lease() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut one, &[]));
    assert!(stale.stale && entry(world.visit(&mut two, &[])).stale);
    let outcome = world.call(&mut one, refresh(stale.generation, RequestContext::default()));
    assert_eq!(reason(&outcome), "regenerated");
    assert_eq!(reason(&world.call(&mut two, refresh(stale.generation, RequestContext::default()))), "rendering");
    assert_eq!(world.regenerations.len(), 1);
}

#[test]
fn while_a_hold_is_remembered_kv_is_read_and_the_coordinator_not_asked_again() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut one, &[]));
    entry(world.visit(&mut two, &[]));
    world.call(&mut one, refresh(stale.generation, RequestContext::default()));
    world.call(&mut two, refresh(stale.generation, RequestContext::default()));
    world.took();
    assert!(entry(world.visit(&mut two, &[])).stale);
    assert_eq!(reason(&world.call(&mut two, refresh(stale.generation, RequestContext::default()))), "held");
    assert_eq!(world.took(), ["kv"]);
}

#[test]
fn whoever_carries_the_lease_renders_and_publishes_under_it() {
    let mut world = World::new();
    let (mut leader, mut renderer, mut cold) = (World::isolate(), World::isolate(), World::isolate());
    world.visit(&mut leader, &[]);
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut leader, &[]));
    world.call(&mut leader, refresh(stale.generation, RequestContext::default()));
    let token = world.regenerations.remove(0).unwrap();
    let carried = crate::route::lease_token::CarriedLease::verify(&token, SECRET);
    let context = RequestContext { carried: carried.clone(), ..RequestContext::default() };
    world.took();
    let outcome = miss(world.read(&mut renderer, context.clone()));
    assert_eq!((outcome.reason, outcome.lease), ("leader", None));
    assert_eq!(world.took(), ["ledger"], "it brings its ledger copy up to the lease's position, and acquires nothing");
    let Call::Store { kind, key, shape, parts, tags, revalidate, started_at, .. } = store(None, &[], 100, world.now)
    else {
        unreachable!()
    };
    let lease = carried.map(|carried| carried.lease);
    let created_at = None;
    let call =
        Call::Store { kind, key, shape, parts, tags, revalidate, expire: None, lease, context, started_at, created_at };
    assert_eq!(reason(&world.call(&mut renderer, call)), "accepted");
    let fresh = entry(world.visit(&mut cold, &[]));
    assert!(!fresh.stale && fresh.generation > stale.generation);
    assert_eq!(fresh.expire, Some(3600), "the replaced entry's, since this host does not tell a regeneration's");
}
