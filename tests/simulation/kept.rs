//! Seeds that once found something, and what that was.

/// Each is played again at every run.
pub(crate) const SEEDS: &[(u64, &str)] = &[];
