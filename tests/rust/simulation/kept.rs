//! Seeds that once found something, and what that was.

/// Each is played again at every run.
pub(crate) const SEEDS: &[(u64, &str)] = &[
    (80, "what was rendered while the coordinator was down stayed one isolate's own version for its lifetime"),
    (85, "a recreated ledger's copy took a lost ledger's entries for fresh"),
    (18_336, "a render under a lease that travelled was published as of the lease, though it began with an older copy"),
];
