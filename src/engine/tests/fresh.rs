//! Hits: what a read of a fresh entry asks, and of whom.

use super::*;

#[test]
fn a_page_is_rendered_once_and_fresh_in_an_isolate_that_never_saw_it() {
    let mut world = World::new();
    let (mut first, mut second) = (World::isolate(), World::isolate());
    assert_eq!(miss(world.visit(&mut first, &[])).reason, "leader");
    world.pass(Span::seconds(30));
    let found = entry(world.visit(&mut second, &[]));
    assert!(!found.stale);
    assert_eq!(found.source, Source::Kv);
}

#[test]
fn a_warm_hit_performs_nothing_and_a_cold_one_reads_kv_beside_the_ledger() {
    let mut world = World::new();
    let (mut warm, mut cold) = (World::isolate(), World::isolate());
    world.visit(&mut warm, &[]);
    world.took();
    assert_eq!(entry(world.visit(&mut warm, &[])).source, Source::Memory);
    assert!(world.took().is_empty());
    entry(world.visit(&mut cold, &[]));
    assert_eq!(world.took(), ["kv", "ledger"]);
}

#[test]
fn a_look_into_memory_says_what_a_read_would_say_at_once() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let look = |isolate: &mut Engine, now: Millis| isolate.fresh_in_memory(Kind::Response, KEY, now);
    assert_eq!(look(&mut isolate, world.now), None, "there is nothing");
    world.visit(&mut isolate, &["a"]);
    let slot = look(&mut isolate, world.now);
    assert_eq!(slot.map(|slot| slot.0), entry(world.visit(&mut isolate, &["a"])).slot);
    assert!(slot.is_some());
    let Step::Perform { machine, .. } =
        isolate.begin(Call::Invalidate { tags: vec!["b".to_owned()], profile: None }, world.now)
    else {
        panic!("the ledger is told")
    };
    assert_eq!(
        look(&mut isolate, world.now),
        None,
        "something is being invalidated: a read knows whether it waits for that"
    );
    isolate.resume(machine, Reply::Failed, world.now.after(Span(1)));
    world.pass(Span(1000));
    assert_eq!(look(&mut isolate, world.now), None, "the copy of the ledger is too old");
}

#[test]
fn a_look_into_memory_finds_nothing_that_is_stale_or_unshared_or_wants_a_longer_life() {
    let look = |isolate: &mut Engine, world: &mut World| {
        // Within its window again.
        world.call(isolate, Call::Observe { at_least: Position::BEFORE_EVERYTHING });
        isolate.fresh_in_memory(Kind::Response, KEY, world.now).is_some()
    };
    let visited = |world: &mut World| {
        let mut isolate = World::isolate();
        world.visit(&mut isolate, &["a"]);
        isolate
    };
    let mut world = World::new();
    let mut isolate = visited(&mut world);
    assert!(look(&mut isolate, &mut world));
    world.pass(Span::seconds(61));
    assert!(!look(&mut isolate, &mut world), "it is past its lifetime");

    let mut world = World::new();
    let mut isolate = visited(&mut world);
    world.invalidate(&mut isolate, "a");
    assert!(!look(&mut isolate, &mut world), "it was invalidated");

    let mut world = World::new();
    world.coordinator_is_up = false;
    let mut isolate = visited(&mut world);
    assert!(!look(&mut isolate, &mut world), "nobody else has it");
}

#[test]
fn past_the_window_a_warm_hit_asks_the_ledger_alone() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    world.took();
    world.pass(Span(1000));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
}

#[test]
fn an_entry_older_than_the_copy_reaches_is_asked_about_once() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    world.visit(&mut isolate, &["a"]);
    for number in 0..2000 {
        world.invalidate(&mut World::isolate(), &format!("{}{number}", "a-long-tag-".repeat(5)));
        world.pass(Span(5));
    }
    world.pass(Span(1000));
    world.took();
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger", "check"], "its copy was told of fewer than there were");
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty(), "what was checked is known");
    world.pass(Span(1000));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);

    let mut cold = World::isolate();
    entry(world.visit(&mut cold, &["a"]));
    assert_eq!(world.took(), ["kv", "ledger", "check"]);
    entry(world.visit(&mut cold, &["a"]));
    assert!(world.took().is_empty());

    world.invalidate(&mut cold, "a");
    miss(world.read(&mut cold, RequestContext::default()));
    world.pass(Span(1000));
    let impatient = RequestContext { waited_ms: Span::seconds(20), ..RequestContext::default() };
    miss(world.read(&mut isolate, impatient));
}

#[test]
fn a_busy_ledger_is_asked_more_rarely_unless_every_read_is_to_ask() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    let strong = EngineOptions { window_ms: Span::ZERO, ..EngineOptions::default() };
    let mut strong = Engine::new(strong, "b1", SECRET).unwrap();
    for _ in 0..600 {
        world.since(Position::BEFORE_EVERYTHING);
    }
    world.visit(&mut isolate, &["a"]);
    entry(world.visit(&mut strong, &["a"]));
    world.took();
    world.pass(Span(1999));
    entry(world.visit(&mut isolate, &["a"]));
    assert!(world.took().is_empty());
    entry(world.visit(&mut strong, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
    world.pass(Span(1));
    entry(world.visit(&mut isolate, &["a"]));
    assert_eq!(world.took(), ["ledger"]);
}
