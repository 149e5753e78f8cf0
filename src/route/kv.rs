//! What a route's KV key may hold, and when the latest entry is put there.

use serde::{Deserialize, Serialize};

use super::Route;
use super::events::{Answer, Effect, Outcome};
use crate::base::limits::RoutePolicy;
use crate::base::number;
use crate::base::time::{Millis, Span};

/// KV accepts one write per second to a key (developers.cloudflare.com/kv/platform/limits).
const KV_WRITE_INTERVAL: Span = Span::seconds(1);
/// A put that has not answered by then may or may not have happened. Whoever performs puts gives up sooner, so that an answer
/// is never one to an attempt before the last.
pub(super) const KV_PUT_LIMIT: Span = Span::seconds(30);
/// Longest pause between attempts to put.
const KV_RETRY_CAP: Span = Span::seconds(60);
/// After a put whose order against another is not certain, the latest is put once more.
const KV_REPEAT: Span = Span::seconds(60);
/// KV shows a confirmed write everywhere after about a minute; the bytes are kept well beyond that.
const KEEP_BYTES: Span = Span::seconds(300);

/// What the KV key may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Kv {
    #[serde(default, deserialize_with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub(super) confirmed: Option<u64>,
    pub(super) confirmed_at: Millis,
    #[serde(default, deserialize_with = "number::optional_pair", skip_serializing_if = "Option::is_none")]
    pub(super) in_flight: Option<(u64, Millis)>,
    pub(super) failures: u32,
    pub(super) not_before: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeat_at: Option<Millis>,
}

impl Route {
    pub(super) fn touch(&mut self, policy: &RoutePolicy, now: Millis) -> Outcome {
        // Many isolates notice at the same time.
        let long_ago = Span::seconds(policy.kv_ttl_seconds / 4);
        if self.latest.is_none() || now.since(self.touched_at) < long_ago {
            return Answer::Done.alone();
        }
        self.touched_at = now;
        self.kv.confirmed = None;
        Outcome { answer: Answer::Done, effects: self.put_if_due(now).into_iter().collect() }
    }

    pub(super) fn put_ended(&mut self, now: Millis, generation: u64, confirmed: bool) -> Outcome {
        if self.kv.in_flight.is_none_or(|(put, _)| put != generation) {
            return Answer::Done.alone();
        }
        self.kv.in_flight = None;
        if confirmed {
            self.kv.failures = 0;
            self.kv.not_before = now.after(KV_WRITE_INTERVAL);
            if self.latest.as_ref().is_some_and(|latest| latest.generation == generation) {
                self.kv.confirmed = Some(generation);
                self.kv.confirmed_at = now;
            }
        } else {
            self.put_is_uncertain(now);
        }
        Answer::Done.alone()
    }

    pub(super) fn bytes_lost(&mut self, generation: u64) -> Outcome {
        if self.latest.as_ref().is_some_and(|latest| latest.generation == generation) {
            self.latest = None;
            self.kv.confirmed = None;
        }
        Answer::Done.alone()
    }

    pub(super) fn restarted(&mut self, now: Millis) -> Outcome {
        if self.kv.in_flight.take().is_some() {
            self.put_is_uncertain(now);
        }
        Answer::Done.alone()
    }

    /// A put was sent and its fate is unknown, so a later one may be overtaken by it.
    pub(super) fn put_is_uncertain(&mut self, now: Millis) {
        self.kv.not_before = now.after(KV_WRITE_INTERVAL.doubled(self.kv.failures, KV_RETRY_CAP));
        self.kv.failures = self.kv.failures.saturating_add(1);
        self.kv.repeat_at = Some(now.after(KV_REPEAT));
    }

    pub(super) fn put_if_due(&mut self, now: Millis) -> Option<Effect> {
        if self.kv.in_flight.is_some() || self.put_due()? > now {
            return None;
        }
        let latest = self.latest.as_ref()?;
        self.kv.in_flight = Some((latest.generation, now));
        Some(Effect::Put { generation: latest.generation })
    }

    /// When a put should start, or, while one is under way, when to stop believing in it.
    pub(super) fn put_due(&self) -> Option<Millis> {
        if let Some((_, since)) = self.kv.in_flight {
            return Some(since.after(KV_PUT_LIMIT));
        }
        let latest = self.latest.as_ref()?;
        (self.kv.confirmed != Some(latest.generation)).then_some(self.kv.not_before)
    }

    /// A repetition counts only if it begins then: a put that is under way may be overtaken like any other.
    pub(super) fn repeat_due(&self) -> Option<Millis> {
        self.kv.repeat_at.filter(|_| self.kv.in_flight.is_none())
    }

    pub(super) fn drop_due(&self) -> Option<Millis> {
        let latest = self.latest.as_ref().filter(|latest| latest.bytes_held && !latest.is_small)?;
        let settled = self.kv.confirmed == Some(latest.generation) && self.kv.repeat_at.is_none();
        settled.then(|| self.kv.confirmed_at.after(KEEP_BYTES))
    }
}
