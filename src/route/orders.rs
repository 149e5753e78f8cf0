//! What a coordinator's object does with the outcome of a step, in order: first what it writes, then what it does once that is written.

use serde::Serialize;

use super::Route;
use super::events::Effect;
use crate::base::limits::RoutePolicy;
use crate::base::time::Millis;

/// One thing for the object to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Order {
    /// Keep the bytes that were published, in the place of those kept before.
    KeepBytes,
    /// Forget the bytes: KV has them.
    DropBytes,
    /// Forget everything, the alarm included.
    DeleteAll,
    /// Let every held request ask again.
    Wake,
    /// Let the alarm ring at this time, in the place of the one that is set.
    SetAlarm {
        /// When, by the object's clock.
        at: Millis,
    },
    /// Write the latest entry to KV, and tell how that ended.
    Put {
        /// Its generation.
        generation: u64,
        /// The lifetime of its key.
        ttl_seconds: u64,
    },
}

/// The orders of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// What belongs into the same transaction as the state.
    pub writes: Vec<Order>,
    /// What is done once state and writes are stored.
    pub effects: Vec<Order>,
}

/// When the alarm of an object rings, as its storage has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alarm(pub Option<Millis>);

impl Alarm {
    /// The orders that follow from the effects of a step.
    #[must_use]
    pub fn orders(&mut self, route: &Route, policy: &RoutePolicy, now: Millis, effects: &[Effect]) -> Orders {
        if effects.contains(&Effect::DeleteAll) {
            self.0 = None;
            return Orders { writes: Vec::new(), effects: vec![Order::DeleteAll] };
        }
        let mut orders = Orders::default();
        let mut put = None;
        for effect in effects {
            match effect {
                Effect::KeepBytes { .. } => orders.writes.push(Order::KeepBytes),
                Effect::DropBytes => orders.writes.push(Order::DropBytes),
                Effect::Wake => orders.effects.push(Order::Wake),
                Effect::Put { generation } => put = Some(*generation),
                Effect::DeleteAll => {}
            }
        }
        // How a put ends says when the alarm is to ring. One that is set wakes the next instance, should this one not live to see it.
        if put.is_none() || self.0.is_none() {
            orders.effects.extend(self.ring_by(route.alarm_at(policy), now));
        }
        let ttl_seconds = policy.kv_ttl_seconds;
        orders.effects.extend(put.map(|generation| Order::Put { generation, ttl_seconds }));
        orders
    }

    /// Setting an alarm is billed as a row written. One that rings too early costs a seventh of that, and is set anew.
    fn ring_by(&mut self, at: Millis, now: Millis) -> Option<Order> {
        if self.0.is_some_and(|set| set <= at) {
            return None;
        }
        self.0 = Some(at);
        Some(Order::SetAlarm { at: at.max(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn orders(alarm: &mut Alarm, effects: &[Effect]) -> Orders {
        alarm.orders(&Route::new(NOW), &RoutePolicy::default(), NOW, effects)
    }

    /// When a route that is asked for no more is forgotten.
    fn forgets_at() -> Millis {
        NOW.after(Span::seconds(RoutePolicy::default().kv_ttl_seconds))
    }

    #[test]
    fn bytes_are_written_before_a_held_request_is_woken_and_before_the_put() {
        let generation = 7;
        let published = [Effect::KeepBytes { generation }, Effect::Wake, Effect::Put { generation }];
        let orders = orders(&mut Alarm(Some(NOW)), &published);
        assert_eq!(orders.writes, [Order::KeepBytes]);
        let ttl_seconds = RoutePolicy::default().kv_ttl_seconds;
        assert_eq!(orders.effects, [Order::Wake, Order::Put { generation, ttl_seconds }]);
    }

    #[test]
    fn an_alarm_that_rings_early_enough_is_not_set_again() {
        let mut alarm = Alarm::default();
        assert_eq!(orders(&mut alarm, &[]).effects, [Order::SetAlarm { at: forgets_at() }]);
        assert_eq!(orders(&mut alarm, &[]).effects, []);
        alarm = Alarm(Some(forgets_at().after(Span(1))));
        assert_eq!(orders(&mut alarm, &[]).effects, [Order::SetAlarm { at: forgets_at() }]);
    }

    #[test]
    fn beside_a_put_only_an_object_without_an_alarm_sets_one() {
        let put = [Effect::Put { generation: 7 }];
        assert_eq!(orders(&mut Alarm(Some(Millis(u64::MAX))), &put).effects.len(), 1);
        assert_eq!(orders(&mut Alarm::default(), &put).effects.len(), 2);
    }

    #[test]
    fn an_alarm_is_never_set_into_the_past() {
        let forgotten_long_ago = Route::new(Millis(0));
        let orders = Alarm::default().orders(&forgotten_long_ago, &RoutePolicy::default(), NOW, &[]);
        assert_eq!(orders.effects, [Order::SetAlarm { at: NOW }]);
    }

    #[test]
    fn a_forgotten_route_does_nothing_but_forget() {
        let mut alarm = Alarm(Some(NOW));
        let orders = orders(&mut alarm, &[Effect::Wake, Effect::DeleteAll]);
        assert_eq!((orders.writes.len(), orders.effects, alarm), (0, vec![Order::DeleteAll], Alarm(None)));
    }
}
