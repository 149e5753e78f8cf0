//! How long a request may take, and how much it may send.

use crate::base::time::Span;

/// The body of a request arrives within this time: 25 MiB at 3.5 Mbit/s.
pub const BODY_LIMIT: Span = Span::seconds(60);

/// KV or an object answers within this time, and within the wait that the message itself asks for. No client of this package
/// waits as long.
pub const STORE_LIMIT: Span = Span::seconds(30);

/// The rest of a refused body is taken for so long, and for so many bytes, and dropped: a client that cannot go on sending may
/// never read its answer.
pub const DROP_LIMIT: Span = Span::seconds(30);

/// See [`DROP_LIMIT`].
pub const DROPPED_BYTES: u64 = 32 << 20;

/// A stored body up to this length is read before the answer begins, so that a truncated one is told as such.
pub const READ_AHEAD_BYTES: u64 = 1 << 20;

/// No request takes as long while the instance that answers it works: longer than all limits above together.
pub const OUTER_LIMIT: Span = Span::seconds(180);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::WAIT_LIMIT;

    #[test]
    fn a_request_that_takes_all_its_time_everywhere_ends_before_the_outer_limit() {
        // A publication, or an acquisition that waits; a refused body; an entry is found, begun and read ahead.
        let written = BODY_LIMIT.and(WAIT_LIMIT).and(STORE_LIMIT).and(DROP_LIMIT);
        let read = STORE_LIMIT.and(STORE_LIMIT);
        assert!(written < OUTER_LIMIT && read < OUTER_LIMIT);
    }
}
