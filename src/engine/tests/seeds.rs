//! Pages of the build, and keys under which there is no page.

use super::*;

fn seed(world: &mut World) {
    let entry = Entry {
        generation: 0,
        position: Position::BEFORE_EVERYTHING,
        created_at: world.now,
        revalidate: Some(60),
        expire: Some(3600),
        tags: vec!["a".to_owned()],
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes: 9 }],
        key_life: None,
    };
    world.seeds.insert(KEY.to_owned(), stored(&entry));
}

#[test]
fn a_page_from_the_build_is_a_hit_on_its_first_visit() {
    let mut world = World::new();
    seed(&mut world);
    let (mut one, mut two) = (World::isolate(), World::isolate());
    assert_eq!(entry(world.visit(&mut one, &[])).source, Source::Seed);
    assert_eq!(entry(world.visit(&mut two, &[])).source, Source::Kv);
}

#[test]
fn a_bystander_takes_a_page_from_the_build_too() {
    let mut world = World::new();
    seed(&mut world);
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let read = |caller| read(caller, RequestContext::default());
    assert_eq!(entry(world.call(&mut one, read(Caller::Bystander))).source, Source::Seed);
    assert_eq!(entry(world.call(&mut two, read(Caller::Bystander))).source, Source::Kv);
}

#[test]
fn a_seed_never_takes_the_place_of_something_newer() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    world.visit(&mut one, &[]);
    seed(&mut world);
    world.kv.clear();
    let found = entry(world.visit(&mut two, &[]));
    assert_eq!(found.source, Source::Coordinator);
    assert!(found.generation > 0);
}

#[test]
fn a_seed_whose_tag_was_ever_invalidated_is_rendered_anew() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.invalidate(&mut isolate, "a");
    seed(&mut world);
    let outcome = miss(world.visit(&mut isolate, &[]));
    assert_eq!((outcome.reason, outcome.renewed), ("leader", true));
}

fn bury(world: &mut World, isolate: &mut Engine) {
    let lease = miss(world.read(isolate, RequestContext::default())).lease;
    let Call::Store { kind, key, lease, context, started_at, .. } = store(lease, &[], 0, world.now) else {
        unreachable!()
    };
    let call = Call::Store {
        kind,
        key,
        shape: "tombstone".to_owned(),
        parts: Vec::new(),
        tags: Vec::new(),
        revalidate: None,
        expire: None,
        lease,
        context,
        started_at,
        created_at: None,
    };
    world.call(isolate, call);
    world.took();
}

#[test]
fn a_tombstone_is_a_miss_that_nobody_waits_for() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    bury(&mut world, &mut one);
    let outcome = miss(world.read(&mut two, RequestContext::default()));
    assert_eq!((outcome.reason, outcome.lease), ("tombstone", None));
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn where_absence_can_be_cached_one_caller_renders_what_a_tombstone_stands_for() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    bury(&mut world, &mut one);
    let outcome = miss(world.call(&mut two, read(Caller::Regenerator, RequestContext::default())));
    assert_eq!(outcome.reason, "leader");
    assert!(outcome.lease.is_some());
}
