//! How long KV keys live, and who has them live on.

use super::*;

/// A page that is never stale, stored by one isolate.
fn endless(world: &mut World) -> Engine {
    let mut isolate = World::isolate();
    let lease = miss(world.read(&mut isolate, RequestContext::default())).lease;
    let call = match store(lease, &[], 100, world.now) {
        Call::Store { kind, key, shape, parts, tags, lease, context, started_at, created_at, .. } => {
            let (revalidate, expire) = (None, None);
            Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, created_at }
        }
        other => other,
    };
    world.call(&mut isolate, call);
    isolate
}

fn touches(world: &mut World, isolate: &mut Engine) -> bool {
    entry(world.read(isolate, RequestContext::default())).touch
}

#[test]
fn a_key_past_half_of_its_life_is_touched_by_who_has_the_page_in_memory_and_by_who_reads_it_from_kv() {
    let mut world = World::new();
    let mut renderer = endless(&mut world);
    let mut reader = World::isolate();
    assert!(!touches(&mut world, &mut renderer) && !touches(&mut world, &mut reader));
    world.pass(Span(KEY_LIFE.0 / 2 + 1));
    assert!(touches(&mut world, &mut renderer), "it never read the page from KV");
    assert!(touches(&mut world, &mut reader));
    assert!(touches(&mut world, &mut World::isolate()));
}

#[test]
fn one_isolate_touches_once_in_a_quarter_of_a_life() {
    let mut world = World::new();
    let mut isolate = endless(&mut world);
    world.pass(Span(KEY_LIFE.0 / 2 + 1));
    assert!(touches(&mut world, &mut isolate));
    world.pass(Span(KEY_LIFE.0 / 4 - 1));
    assert!(!touches(&mut world, &mut isolate));
    world.pass(Span(1));
    assert!(touches(&mut world, &mut isolate));
}

#[test]
fn a_look_into_memory_leaves_a_key_that_wants_a_longer_life_to_a_read() {
    let mut world = World::new();
    let mut isolate = endless(&mut world);
    let look = |world: &mut World, isolate: &mut Engine| {
        world.call(isolate, Call::Observe { at_least: Position::BEFORE_EVERYTHING });
        isolate.fresh_in_memory(Kind::Response, KEY, world.now).is_some()
    };
    assert!(look(&mut world, &mut isolate));
    world.pass(Span(KEY_LIFE.0 / 2 + 1));
    assert!(!look(&mut world, &mut isolate));
    assert!(touches(&mut world, &mut isolate));
    assert!(look(&mut world, &mut isolate), "it was said a moment ago");
}

#[test]
fn an_entry_that_no_coordinator_has_accepted_has_no_key_to_be_touched() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    assert!(matches!(world.read(&mut isolate, RequestContext::default()), Outcome::Miss(_)));
    world.coordinator_is_up = false;
    let call = Call::Store {
        kind: Kind::Response,
        key: KEY.to_owned(),
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes: 9 }],
        tags: Vec::new(),
        revalidate: None,
        expire: None,
        lease: None,
        context: RequestContext::default(),
        started_at: world.now,
        created_at: None,
    };
    world.call(&mut isolate, call);
    world.pass(KEY_LIFE);
    assert!(!touches(&mut world, &mut isolate));
}
