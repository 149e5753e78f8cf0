//! An isolate whose clock is set back.

use super::*;

fn set_back(world: &mut World, by: Span) {
    world.now = Millis(world.now.0 - by.0);
}

#[test]
fn a_coordinator_that_failed_before_the_clock_was_set_back_is_asked_again() {
    let (mut world, mut isolate) = (World::new(), World::isolate());
    world.coordinator_is_up = false;
    assert_eq!(miss(world.read(&mut isolate, RequestContext::default())).reason, "coordinator-down");
    world.coordinator_is_up = true;
    set_back(&mut world, Span::seconds(3600));
    assert_eq!(miss(world.read(&mut isolate, RequestContext::default())).reason, "leader");
}

#[test]
fn a_hold_from_before_the_clock_was_set_back_keeps_nobody_from_regenerating() {
    let (mut world, mut server) = (World::new(), World::isolate());
    world.visit(&mut server, &[]);
    world.pass(Span::seconds(1900));
    world.coordinator_is_up = false;
    assert!(regenerator(&mut world, &mut server).regenerate);
    set_back(&mut world, Span::seconds(1800));
    assert!(regenerator(&mut world, &mut server).regenerate, "half an hour ago no back-off had begun");
}

#[test]
fn whoever_waits_while_the_clock_is_set_back_waits_no_longer_for_it() {
    let mut world = World::new();
    let (mut leader, mut follower) = (World::isolate(), World::isolate());
    assert!(miss(world.read(&mut leader, RequestContext::default())).lease.is_some());
    let mut step = follower.begin(read(Caller::Renderer, RequestContext::default()), world.now);
    let outcome = loop {
        match step {
            Step::Done(outcome) => break outcome,
            Step::Perform { machine, effect, .. } => {
                let asks = matches!(effect, Effect::Acquire { .. });
                let reply = world.perform(effect);
                if asks {
                    set_back(&mut world, Span::seconds(3600));
                }
                step = follower.resume(machine, reply, world.now);
            }
        }
    };
    assert_eq!(miss(outcome).reason, "wait-limit");
    assert_eq!(
        world.took().iter().filter(|effect| **effect == "acquire").count(),
        2,
        "the leader's question and one more"
    );
}
