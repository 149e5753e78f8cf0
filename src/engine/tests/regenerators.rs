//! Hosts that pass a miss on, that prefetch, and that regenerate by themselves.

use super::*;

#[test]
fn a_bystander_passes_a_miss_on_and_acquires_nothing() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let outcome = world.call(&mut isolate, read(Caller::Bystander, RequestContext::default()));
    assert_eq!(miss(outcome).reason, "pass");
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn a_prefetch_regenerates_nothing() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let prefetch = RequestContext { prefetch: true, ..RequestContext::default() };
    assert_eq!(reason(&world.call(&mut isolate, refresh(1, prefetch))), "prefetch");
    assert!(world.took().is_empty());
}

#[test]
fn of_two_servers_that_find_a_page_stale_one_is_told_to_regenerate_it() {
    let (mut world, mut one, mut other) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    world.pass(Span::seconds(61));
    let led = regenerator(&mut world, &mut one);
    assert!(led.stale && led.regenerate && led.lease.is_some());
    let followed = regenerator(&mut world, &mut other);
    assert!(followed.stale && !followed.regenerate && followed.lease.is_none());
    world.took();
    assert!(!regenerator(&mut world, &mut other).regenerate);
    assert_eq!(world.took(), ["kv"], "the coordinator is not asked again before the hold ends");
    world.store(&mut one, led.lease, &[]);
    let new = regenerator(&mut world, &mut other);
    assert!(!new.stale && new.generation > followed.generation);
}

#[test]
fn a_server_is_handed_what_another_published_instead_of_a_lease() {
    let (mut world, mut one, mut other) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    regenerator(&mut world, &mut other);
    world.pass(Span::seconds(61));
    world.kv_shows_writes = false;
    let led = regenerator(&mut world, &mut one);
    world.store(&mut one, led.lease, &[]);
    let given = regenerator(&mut world, &mut other);
    assert_eq!((given.stale, given.regenerate, given.source), (false, false, Source::Coordinator));
}

#[test]
fn a_prefetch_on_a_server_leaves_the_lease_to_a_visitor() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    let prefetch = RequestContext { prefetch: true, ..RequestContext::default() };
    assert!(!entry(world.call(&mut server, read(Caller::Regenerator, prefetch))).regenerate);
    assert!(regenerator(&mut world, &mut server).regenerate);
}

#[test]
fn a_server_whose_coordinator_is_down_regenerates_once_per_back_off() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    world.coordinator_is_up = false;
    let alone = regenerator(&mut world, &mut server);
    assert!(alone.regenerate && alone.lease.is_none());
    assert!(!regenerator(&mut world, &mut server).regenerate);
    world.pass(Span::seconds(1));
    assert!(regenerator(&mut world, &mut server).regenerate);
}

#[test]
fn a_server_that_gives_its_lease_back_asks_again_at_once() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(61));
    let lease = regenerator(&mut world, &mut server).lease.unwrap();
    let entry_key = server.scope().entry_key(Kind::Response, KEY);
    world.call(&mut server, Call::Release { entry_key, lease, reason: AbandonReason::Failed });
    world.took();
    assert!(!regenerator(&mut world, &mut server).regenerate, "the coordinator counts the failure");
    assert!(world.took().contains(&"acquire"));
}
