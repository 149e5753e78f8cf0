//! Rendering under a lease that another isolate holds.

use super::*;

#[test]
fn whoever_cannot_bring_its_copy_up_to_a_carried_lease_publishes_as_of_what_it_knows() {
    let mut world = World::new();
    let (mut leader, mut renderer) = (World::isolate(), World::isolate());
    world.visit(&mut leader, &["a"]);
    let profile = Some(crate::ledger::Profile { expire_ms: None });
    world.call(&mut leader, Call::Invalidate { tags: vec!["a".to_owned()], profile });
    let stale = entry(world.read(&mut leader, RequestContext::default()));
    assert!(stale.stale);
    world.call(&mut leader, refresh(stale.generation, RequestContext::default()));
    let token = world.regenerations.remove(0).unwrap();
    let carried = crate::route::lease_token::CarriedLease::verify(&token, SECRET);

    world.ledger_is_up = false;
    let mut context = RequestContext { carried: carried.clone(), ..RequestContext::default() };
    context.position = Some(miss(world.read(&mut renderer, context.clone())).ledger);
    let Call::Store { kind, key, shape, parts, tags, revalidate, expire, started_at, created_at, .. } =
        store(None, &["a"], 100, world.now)
    else {
        unreachable!()
    };
    let lease = carried.map(|carried| carried.lease);
    let call =
        Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, created_at };
    assert_eq!(reason(&world.call(&mut renderer, call)), "accepted");
    world.ledger_is_up = true;
    let published = entry(world.read(&mut World::isolate(), RequestContext::default()));
    assert_eq!(published.position, Position::BEFORE_EVERYTHING, "its parts may be older than the lease");
    assert!(published.stale);
}
