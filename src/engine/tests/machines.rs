//! Leases that are given back, and machines that nobody resumes.

use super::*;

#[test]
fn a_lease_that_was_not_used_is_the_next_ones_at_once() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease.unwrap();
    let entry_key = one.scope.entry_key(Kind::Response, KEY);
    world.call(&mut one, Call::Release { entry_key, lease, reason: AbandonReason::Unused });
    assert!(miss(world.read(&mut two, RequestContext::default())).lease.is_some());
}

#[test]
fn a_lease_given_back_lets_the_next_one_render() {
    let mut world = World::new();
    let (mut one, mut two) = (World::isolate(), World::isolate());
    let lease = miss(world.read(&mut one, RequestContext::default())).lease.unwrap();
    let entry_key = one.scope.entry_key(Kind::Response, KEY);
    world.call(&mut one, Call::Release { entry_key, lease, reason: AbandonReason::Failed });
    assert_eq!(miss(world.read(&mut two, RequestContext::default())).reason, "backing-off");
    world.pass(Span::seconds(2));
    assert!(miss(world.read(&mut two, RequestContext::default())).lease.is_some());
}

#[test]
fn a_machine_nobody_resumes_leaves_nothing_behind() {
    let mut world = World::new();
    let mut isolate = World::isolate();
    isolate.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    assert_eq!(isolate.machines(), 1);
    world.pass(Span::seconds(120));
    isolate.begin(Call::Invalidate { tags: Vec::new(), profile: None }, world.now);
    assert_eq!(isolate.machines(), 0);
}

#[test]
fn a_reply_to_a_machine_that_is_gone_is_a_miss() {
    let mut isolate = World::isolate();
    assert_eq!(isolate.resume(77, Reply::Done, Millis(1)), Step::Done(isolate.miss("engine-restarted")));
}

#[test]
fn an_entry_is_as_old_as_its_value_where_the_host_knows_when_that_was_made() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    let made = Millis(world.now.0 - 61_000);
    let Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, .. } =
        store(None, &[], 10, world.now)
    else {
        unreachable!()
    };
    let created_at = Some(made);
    let call =
        Call::Store { kind, key, shape, parts, tags, revalidate, expire, lease, context, started_at, created_at };
    world.call(&mut isolate, call);
    let stored = entry(world.call(&mut isolate, read(Caller::Renderer, RequestContext::default())));
    assert_eq!((stored.created_at, stored.reason), (made, "stale-age"));
}

#[test]
fn whoever_wants_the_copy_within_its_window_hears_whether_it_is() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    let observe = |world: &mut World, isolate: &mut Engine| match world
        .call(isolate, Call::Observe { at_least: Position::BEFORE_EVERYTHING })
    {
        Outcome::Ended { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(observe(&mut world, &mut isolate), "observed");
    assert_eq!(observe(&mut world, &mut isolate), "within-window");
    world.now = world.now.after(Span::seconds(2));
    world.ledger_is_up = false;
    assert_eq!(observe(&mut world, &mut isolate), "ledger-down");
    assert_eq!(observe(&mut world, &mut isolate), "ledger-down", "also while it is not asked again");
    world.ledger_is_up = true;
    world.now = world.now.after(Span::seconds(2));
    assert_eq!(observe(&mut world, &mut isolate), "observed");
}
