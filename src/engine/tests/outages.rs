//! Stores that lag, lie or do not answer.

use super::*;

#[test]
fn a_kv_that_lags_costs_a_hop_and_never_a_second_render() {
    let mut world = World::new();
    world.kv_shows_writes = false;
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!((found.source, found.collapsed), (Source::Coordinator, false), "it was there already: a hit");
    assert_eq!(entry(world.visit(&mut two, &[])).source, Source::Memory);
}

#[test]
fn an_isolate_never_serves_a_generation_below_one_it_has_seen() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    let old_kv = world.kv.clone();
    world.pass(Span(60_001));
    let stale = entry(world.visit(&mut two, &[]));
    let Outcome::Ended { .. } = world.call(&mut one, refresh(stale.generation, RequestContext::default())) else {
        panic!()
    };
    let token = world.regenerations.remove(0).unwrap();
    let lease = crate::route::lease_token::CarriedLease::verify(&token, SECRET).unwrap().lease;
    world.store(&mut two, Some(lease.clone()), &[]);
    two.memory.forget(&two.scope.entry_key(Kind::Response, KEY));
    world.kv = old_kv;
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!(found.generation, lease.generation, "KV went back; the coordinator has the newer one");
}

#[test]
fn a_corrupt_value_is_a_miss_counted_and_overwritten() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let name = isolate.scope.entry_key(Kind::Response, KEY);
    world.kv.insert(name.clone(), Bytes { header: b"garbage-garbage".to_vec(), total: 15 });
    assert_eq!(miss(world.visit(&mut isolate, &[])).reason, "leader");
    assert_eq!(isolate.corrupt_values(), 1);
    assert!(frame::header_bytes(&world.kv[&name].header).is_ok());
}

#[test]
fn a_render_too_large_for_kv_ends_its_lease_and_makes_nobody_wait() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease;
    let call = store(lease, &[], 26 * 1024 * 1024, world.now);
    assert_eq!(reason(&world.call(&mut one, call)), "too-large");
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "not-stored");
    world.took();
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "uncacheable");
    assert!(world.took().is_empty(), "an isolate that knows does not even ask");
}

#[test]
fn without_a_coordinator_a_page_is_rendered_and_the_coordinator_not_asked_by_every_request() {
    let mut world = World::new();
    world.coordinator_is_up = false;
    let mut isolate = World::isolate();
    assert_eq!(miss(world.read(&mut isolate, RequestContext::default())).reason, "coordinator-down");
    world.took();
    miss(world.read(&mut isolate, RequestContext::default()));
    assert!(!world.took().contains(&"acquire"));
    assert_eq!(reason(&world.store(&mut isolate, None, &[])), "coordinator-down");
    assert_eq!(entry(world.visit(&mut isolate, &[])).source, Source::Memory, "its own render serves this isolate");
}

#[test]
fn without_a_coordinator_a_stale_page_is_regenerated_once_per_back_off() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &[]);
    world.pass(Span(60_001));
    world.coordinator_is_up = false;
    for _ in 0..10 {
        let stale = entry(world.visit(&mut isolate, &[]));
        world.call(&mut isolate, refresh(stale.generation, RequestContext::default()));
    }
    assert_eq!(world.regenerations, [None]);
}

#[test]
fn a_cold_isolate_without_a_ledger_serves_briefly_and_remembers_nothing() {
    let mut world = World::new();
    let (mut warm, mut cold) = (World::isolate(), World::isolate());
    world.visit(&mut warm, &["a"]);
    world.ledger_is_up = false;
    let found = entry(world.visit(&mut cold, &["a"]));
    assert!(found.brief);
    assert_eq!((found.reason, found.memory), ("ledger-down", MemoryOrder::default()));
}

#[test]
fn what_is_served_without_being_kept_counts_as_seen_all_the_same() {
    let (mut world, mut maker, mut blind) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut maker, &["a"]);
    let older = world.kv.clone();
    world.invalidate(&mut maker, "a");
    world.visit(&mut maker, &["a"]);
    world.ledger_is_up = false;
    let newer = entry(world.call(&mut blind, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((newer.reason, newer.source), ("ledger-down", Source::Kv));
    // Another location's KV still shows the older one.
    world.kv = older;
    let again = entry(world.call(&mut blind, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((again.generation, again.source), (newer.generation, Source::Coordinator));
}

#[test]
fn a_ledger_that_is_down_leaves_the_copy_in_use() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    world.pass(Span::seconds(5));
    world.ledger_is_up = false;
    let found = entry(world.visit(&mut isolate, &["a"]));
    assert!(!found.brief);
    world.took();
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty(), "a ledger that did not answer is not asked by every read");
}

#[test]
fn a_lost_invalidation_is_reported() {
    let mut world = World::new();
    world.ledger_is_up = false;
    let mut isolate = World::isolate();
    assert_eq!(reason(&world.invalidate(&mut isolate, "a")), "not-recorded");
    assert_eq!(world.took().iter().filter(|did| **did == "append").count(), 4);
}
