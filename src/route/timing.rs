//! How long a route's renders take, and how long its leases are therefore.

use super::Route;
use crate::base::limits::RoutePolicy;
use crate::base::time::Span;

/// How many times longer than its slowest recent render a lease is.
const LEASE_FACTOR: u64 = 3;
/// How many render times are remembered.
const RENDERS_REMEMBERED: usize = 4;

impl Route {
    pub(super) fn lease_length(&self, policy: &RoutePolicy) -> Span {
        match self.render_times.iter().max() {
            Some(slowest) => slowest.times(LEASE_FACTOR).clamp(policy.min_lease_ms, policy.max_lease_ms),
            None => policy.first_lease_ms,
        }
    }

    pub(super) fn usual_render(&self, policy: &RoutePolicy) -> Span {
        self.render_times.iter().max().copied().unwrap_or(policy.min_lease_ms)
    }

    pub(super) fn remember_render(&mut self, took: Span) {
        if self.render_times.len() >= RENDERS_REMEMBERED {
            self.render_times.remove(0);
        }
        self.render_times.push(took);
    }
}
