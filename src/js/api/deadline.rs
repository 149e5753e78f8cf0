//! Deadlines: nothing is waited for without one.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use worker::Delay;

use crate::base::time::Span;

/// What comes of some work, or `None` when that takes longer than `limit`.
pub(super) async fn within<T>(limit: Span, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), Delay::from(Duration::from_millis(limit.0))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
