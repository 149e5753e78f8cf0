//! What an isolate renders while a coordinator does not answer.

use super::*;

/// Two isolates that have rendered a page while its coordinator did not answer, each its own.
fn apart(world: &mut World) -> [Engine; 2] {
    world.coordinator_is_up = false;
    [(); 2].map(|()| {
        let mut isolate = World::isolate();
        assert_eq!(miss(world.read(&mut isolate, RequestContext::default())).reason, "coordinator-down");
        assert_eq!(reason(&world.store(&mut isolate, None, &[])), "coordinator-down");
        assert!(!entry(world.read(&mut isolate, RequestContext::default())).stale);
        isolate
    })
}

#[test]
fn once_the_coordinator_answers_again_everybody_comes_to_the_same_page() {
    let mut world = World::new();
    let [mut one, mut other] = apart(&mut world);
    world.pass(Span::seconds(4));
    world.coordinator_is_up = true;
    let leader = regenerator(&mut world, &mut one);
    assert_eq!((leader.reason, leader.regenerate), ("stale-unshared", true));
    let follower = regenerator(&mut world, &mut other);
    assert_eq!((follower.reason, follower.regenerate), ("stale-unshared", false));
    world.store(&mut one, leader.lease, &[]);
    world.pass(Span::seconds(4));
    let [one, other] = [&mut one, &mut other].map(|isolate| regenerator(&mut world, isolate));
    assert_eq!((one.reason, other.reason), ("fresh", "fresh"));
    assert_eq!(one.generation, other.generation);
}

#[test]
fn while_the_coordinator_stays_down_what_one_has_is_not_rendered_over_and_over() {
    let mut world = World::new();
    let [mut one, mut other] = apart(&mut world);
    for _ in 0..5 {
        world.pass(Span::seconds(4));
        assert!(!regenerator(&mut world, &mut one).regenerate);
        let served = entry(world.read(&mut other, RequestContext::default()));
        world.call(&mut other, refresh(served.generation, RequestContext::default()));
    }
    assert!(world.regenerations.is_empty());
}
