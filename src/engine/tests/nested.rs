//! Entries that become parts of others: what a page is built on while they are invalidated.

use super::*;
use crate::ledger::Profile;

/// A read on behalf of a page that is rendered to be stored.
fn part(world: &mut World, isolate: &mut Engine, waited: Span) -> Outcome {
    let context = RequestContext { nested: true, waited_ms: waited, ..RequestContext::default() };
    world.call(isolate, read(Caller::Regenerator, context))
}

fn invalidate_softly(world: &mut World, isolate: &mut Engine, tag: &str) {
    let profile = Some(Profile { expire_ms: None });
    world.call(isolate, Call::Invalidate { tags: vec![tag.to_owned()], profile });
}

/// Without patience left.
const EXHAUSTED: Span = Span::seconds(20);

#[test]
fn a_part_that_a_tag_made_stale_is_made_anew_before_the_page_is() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    world.visit(&mut isolate, &["a"]);
    invalidate_softly(&mut world, &mut isolate, "a");
    let led = miss(part(&mut world, &mut isolate, Span::ZERO));
    assert_eq!(led.reason, "leader");
    assert!(led.lease.is_some());
}

#[test]
fn whoever_waits_for_a_part_gets_what_the_leader_made() {
    let (mut world, mut leader, mut follower) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut leader, &["a"]);
    invalidate_softly(&mut world, &mut leader, "a");
    let lease = miss(part(&mut world, &mut leader, Span::ZERO)).lease;
    let context = RequestContext { nested: true, ..RequestContext::default() };
    let Step::Perform { machine, effect: load @ Effect::Load { .. }, .. } =
        follower.begin(read(Caller::Regenerator, context), world.now)
    else {
        panic!("a cold isolate reads KV")
    };
    let loaded = world.perform(load);
    let Step::Perform { machine, effect: acquire @ Effect::Acquire { .. }, .. } =
        follower.resume(machine, loaded, world.now)
    else {
        panic!("what is stale is not taken")
    };
    // The coordinator holds the answer back until the leader has published.
    world.store(&mut leader, lease, &["a"]);
    let newer = world.perform(acquire);
    let Step::Done(outcome) = follower.resume(machine, newer, world.now) else { panic!("there is a newer one") };
    let fresh = entry(outcome);
    assert_eq!((fresh.reason, fresh.lowered), ("fresh", None));
}

#[test]
fn a_page_built_on_a_stale_part_is_as_old_as_that_part() {
    let (mut world, mut leader, mut follower) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut leader, &["a"]);
    let before = leader.ledger.position();
    // Whoever has seen only the first must find the page stale, too; of both the second alone is known later.
    invalidate_softly(&mut world, &mut leader, "a");
    invalidate_softly(&mut world, &mut leader, "a");
    part(&mut world, &mut leader, Span::ZERO);
    let given_up = entry(part(&mut world, &mut follower, EXHAUSTED));
    assert!(given_up.stale && !given_up.regenerate);
    assert_eq!(given_up.lowered, Some(before));
    // The page that was made of it.
    let context = RequestContext {
        position: Some(follower.ledger.position()),
        lowered: given_up.lowered,
        ..RequestContext::default()
    };
    let Call::Store { kind, shape, parts, tags, revalidate, expire, started_at, .. } =
        store(None, &["a"], 10, world.now)
    else {
        unreachable!()
    };
    let call = Call::Store {
        kind,
        key: "/other".to_owned(),
        shape,
        parts,
        tags,
        revalidate,
        expire,
        lease: None,
        context,
        started_at,
        created_at: None,
    };
    world.call(&mut follower, call);
    let Call::Read(call) = read(Caller::Renderer, RequestContext::default()) else { unreachable!() };
    let stored = entry(world.call(&mut follower, Call::Read(ReadCall { key: "/other".to_owned(), ..call })));
    assert_eq!((stored.position, stored.reason), (before, "stale-tag"));
}

#[test]
fn a_part_that_cannot_be_made_anew_is_taken_as_it_is() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    world.visit(&mut isolate, &["a"]);
    invalidate_softly(&mut world, &mut isolate, "a");
    world.coordinator_is_up = false;
    let taken = entry(part(&mut world, &mut isolate, Span::ZERO));
    assert!(taken.stale && taken.lowered.is_some());
}

#[test]
fn a_part_purged_while_it_was_waited_for_ends_as_a_miss() {
    let (mut world, mut leader, mut follower) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut leader, &["a"]);
    invalidate_softly(&mut world, &mut leader, "a");
    part(&mut world, &mut leader, Span::ZERO);
    let context = RequestContext { nested: true, ..RequestContext::default() };
    let mut step = follower.begin(read(Caller::Regenerator, context), world.now);
    let mut asked = 0;
    while let Step::Perform { machine, effect, .. } = step {
        if matches!(effect, Effect::Acquire { .. }) {
            asked += 1;
            world.invalidate(&mut follower, "a");
            world.coordinator_is_up = false;
        }
        let reply = world.perform(effect);
        step = follower.resume(machine, reply, world.now);
    }
    assert!(asked >= 1);
    let Step::Done(outcome) = step else { unreachable!() };
    assert_eq!(miss(outcome).reason, "coordinator-down");
}

#[test]
fn a_part_beside_a_page_that_is_not_stored_is_served_while_one_makes_it_anew() {
    let (mut world, mut one, mut other) = (World::new(), World::isolate(), World::isolate());
    world.visit(&mut one, &["a"]);
    invalidate_softly(&mut world, &mut one, "a");
    assert!(regenerator(&mut world, &mut one).regenerate);
    let followed = regenerator(&mut world, &mut other);
    assert!(followed.stale && !followed.regenerate);
}

#[test]
fn tags_that_only_the_caller_knows_end_an_entry_too() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    world.visit(&mut isolate, &[]);
    world.invalidate(&mut isolate, "_N_T_/page");
    assert!(!regenerator(&mut world, &mut isolate).stale);
    let Call::Read(call) = read(Caller::Bystander, RequestContext::default()) else { unreachable!() };
    let call = ReadCall { tags: vec!["_N_T_/page".to_owned()], ..call };
    assert_eq!(miss(world.call(&mut isolate, Call::Read(call))).reason, "pass");
}
