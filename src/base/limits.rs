//! Every limit and default in one place, checked once at start.

use serde::Deserialize;

use crate::base::number;
use crate::base::time::Span;

/// Workers KV refuses values of more bytes than this (developers.cloudflare.com/kv/platform/limits).
pub const KV_VALUE_LIMIT: u64 = 25 * 1024 * 1024;

/// Longest wait that a request may be given: below the 30 s after which Workers end background work.
pub const WAIT_LIMIT: Span = Span::seconds(25);

/// A ledger lengthens the window that it dictates above so many requests in a second, and shortens it again below
/// [`LEDGER_QUIET`]. One object takes about 1,000 (developers.cloudflare.com/durable-objects/platform/limits).
pub const LEDGER_BUSY: u32 = 500;

/// Half of the window means twice the requests: they must stay well below [`LEDGER_BUSY`].
pub const LEDGER_QUIET: u32 = 200;

/// Longest window that a ledger dictates.
pub const LONGEST_DICTATED_WINDOW: Span = Span::seconds(8);

/// Longest window that anybody may set.
pub const WINDOW_LIMIT: Span = Span::seconds(60);

/// Most bytes of one answer of the ledger, as JSON: what a cold isolate waits for before its first page.
pub const LEDGER_ANSWER_BYTES: usize = 64_000;

/// How a [`crate::route::Route`] grants leases and keeps its KV key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoutePolicy {
    /// Lease for a route whose render times are not known yet, in milliseconds.
    pub first_lease_ms: Span,
    /// Shortest lease, in milliseconds.
    pub min_lease_ms: Span,
    /// Longest lease, in milliseconds.
    pub max_lease_ms: Span,
    /// Wait after a first failed render, in milliseconds; doubled with each further one.
    pub first_back_off_ms: Span,
    /// Longest wait after failed renders, in milliseconds.
    pub max_back_off_ms: Span,
    /// How long renders without a store make nobody wait, at first, in milliseconds; doubled with each further one.
    pub first_hit_for_miss_ms: Span,
    /// Longest such time, in milliseconds.
    pub max_hit_for_miss_ms: Span,
    /// Lifetime of a KV key nobody touches, in seconds.
    #[serde(deserialize_with = "number::whole")]
    pub kv_ttl_seconds: u64,
}

impl Default for RoutePolicy {
    fn default() -> Self {
        Self {
            first_lease_ms: Span::seconds(10),
            min_lease_ms: Span::seconds(3),
            max_lease_ms: Span::seconds(60),
            first_back_off_ms: Span::seconds(1),
            max_back_off_ms: Span::seconds(300),
            first_hit_for_miss_ms: Span::seconds(5),
            max_hit_for_miss_ms: Span::seconds(60),
            kv_ttl_seconds: 30 * 24 * 3600,
        }
    }
}

/// How much a [`crate::ledger::Ledger`] keeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LedgerPolicy {
    /// Above so many bytes of storage it forgets what was invalidated longest ago.
    #[serde(deserialize_with = "number::whole")]
    pub storage_bytes: u64,
}

impl Default for LedgerPolicy {
    fn default() -> Self {
        Self { storage_bytes: 4 << 30 }
    }
}

impl LedgerPolicy {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value out of bounds: which one, what was expected, what to do.
    pub fn validated(self) -> Result<Self, InvalidOption> {
        // An object may take 10 GB (developers.cloudflare.com/durable-objects/platform/limits).
        within("storageBytes", self.storage_bytes, 1 << 20, 9 << 30, "an object has 10 GB, so leave it out for 4 GiB")?;
        Ok(self)
    }
}

/// How an isolate's engine reads and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// The app's id: apps that share a namespace never share entries.
    pub app: String,
    /// Most bytes that the isolate's memory tier may hold.
    pub memory_bytes: u64,
    /// How old the isolate's copy of the ledger may be, in milliseconds; 0 asks for every read.
    pub window_ms: Span,
    /// Longest that one request waits for somebody else's render, in milliseconds.
    pub wait_ms: Span,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            app: "app".to_owned(),
            memory_bytes: 16 * 1024 * 1024,
            window_ms: Span::seconds(1),
            wait_ms: Span::seconds(20),
        }
    }
}

/// An option with a value that makes no sense: one sentence for whoever configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidOption(pub String);

impl std::fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn within(name: &str, value: u64, low: u64, high: u64, advice: &str) -> Result<(), InvalidOption> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(InvalidOption(format!("option `{name}` is {value}: expected {low} to {high}; {advice}")))
    }
}

impl EngineOptions {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value out of bounds: which one, what was expected, what to do.
    pub fn validated(self) -> Result<Self, InvalidOption> {
        within(
            "memoryBytes",
            self.memory_bytes,
            0,
            64 << 20,
            "an isolate has 128 MB for everything, so leave it out for 16 MiB",
        )?;
        within(
            "windowMs",
            self.window_ms.0,
            0,
            WINDOW_LIMIT.0,
            "leave it out for 1000, or use 0 to ask the ledger on every read",
        )?;
        within(
            "waitMs",
            self.wait_ms.0,
            0,
            WAIT_LIMIT.0,
            "Workers end background work after 30 s, so leave it out for 20000",
        )?;
        Ok(self)
    }
}

impl RoutePolicy {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value out of bounds: which one, what was expected, what to do.
    pub fn validated(self) -> Result<Self, InvalidOption> {
        let longest = 15 * 60 * 1000;
        within("minLeaseMs", self.min_lease_ms.0, 1, longest, "leave it out for 3000")?;
        within("maxLeaseMs", self.max_lease_ms.0, self.min_lease_ms.0, longest, "it must not be below minLeaseMs")?;
        within(
            "firstLeaseMs",
            self.first_lease_ms.0,
            self.min_lease_ms.0,
            self.max_lease_ms.0,
            "it must lie between minLeaseMs and maxLeaseMs",
        )?;
        within(
            "firstBackOffMs",
            self.first_back_off_ms.0,
            1,
            self.max_back_off_ms.0,
            "it must not be above maxBackOffMs",
        )?;
        within(
            "firstHitForMissMs",
            self.first_hit_for_miss_ms.0,
            1,
            self.max_hit_for_miss_ms.0,
            "it must not be above maxHitForMissMs",
        )?;
        // Workers KV takes no key for less than a minute (developers.cloudflare.com/kv/api/write-key-value-pairs).
        within("kvTtlSeconds", self.kv_ttl_seconds, 60, 365 * 24 * 3600, "leave it out for 30 days")?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        EngineOptions::default().validated().unwrap();
        RoutePolicy::default().validated().unwrap();
        LedgerPolicy::default().validated().unwrap();
    }

    #[test]
    fn a_default_wait_covers_a_first_lease_and_a_usual_render() {
        let wait = EngineOptions::default().wait_ms;
        assert!(wait > RoutePolicy::default().first_lease_ms.after_render(Span::seconds(2)));
    }

    #[test]
    fn a_value_out_of_bounds_is_named_with_what_was_expected_and_what_to_do() {
        let options = EngineOptions { wait_ms: Span(60_000), ..EngineOptions::default() };
        assert_eq!(
            options.validated().unwrap_err().to_string(),
            "option `waitMs` is 60000: expected 0 to 25000; Workers end background work after 30 s, so leave it out for 20000"
        );
    }

    impl Span {
        const fn after_render(self, render: Self) -> Self {
            Self(self.0 + render.0)
        }
    }
}
