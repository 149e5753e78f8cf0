//! What a response tells the visitor and the caches in between.

use std::fmt::Write as _;

use crate::base::time::Span;

/// Without an `expire` of its own an entry may be used for a year (Next.js `expireTime` default, `server/config-shared.js`).
const DEFAULT_EXPIRE_SECONDS: u64 = 31_536_000;

/// How a response came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Served {
    /// A fresh entry.
    Hit,
    /// A stale entry, while it is made anew.
    Stale,
    /// Somebody else's render, waited for.
    Collapsed,
    /// A render: there was no entry.
    Miss,
    /// A render: the entry could not be used any more.
    Renewed,
}

/// The lifetime that a response may tell: of an entry, at an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// `revalidate`, in seconds; `None` means until invalidated.
    pub revalidate: Option<u32>,
    /// `expire`, in seconds; `None` means the default of a year.
    pub expire: Option<u32>,
    /// How old the entry is.
    pub age: Span,
}

impl Lifetime {
    /// What is not usable any more is not fresh, whatever its `revalidate`.
    fn fresh_seconds(self) -> u64 {
        let [revalidate, expire] = [self.revalidate, self.expire].map(|limit| limit.map(u64::from));
        revalidate.unwrap_or(DEFAULT_EXPIRE_SECONDS).min(expire.unwrap_or(u64::MAX))
    }

    fn usable_seconds(self) -> u64 {
        self.expire.map_or(DEFAULT_EXPIRE_SECONDS, u64::from).max(self.fresh_seconds())
    }

    /// Seconds of freshness left, rounded down; negative once stale (RFC 9211, section 2.6), also where an invalidation made it so
    /// before its age did.
    fn ttl(self, stale: bool) -> i64 {
        let fresh = i64::try_from(self.fresh_seconds()).unwrap_or(i64::MAX);
        let age = i64::try_from(self.age.0.div_ceil(1000)).unwrap_or(i64::MAX);
        let left = fresh.saturating_sub(age);
        if stale { left.min(-1) } else { left }
    }
}

/// `Cache-Control` for an entry served at some age: shared caches may keep it for what is left, never longer.
#[must_use]
pub fn cache_control(lifetime: Lifetime, stale: bool) -> String {
    let age = lifetime.age.0.div_ceil(1000);
    if stale {
        let usable = lifetime.usable_seconds().saturating_sub(age);
        return format!("s-maxage=0, stale-while-revalidate={usable}");
    }
    let left = lifetime.fresh_seconds().saturating_sub(age);
    let then = lifetime.usable_seconds().saturating_sub(lifetime.fresh_seconds());
    if lifetime.revalidate.is_none() || then == 0 {
        format!("s-maxage={left}")
    } else {
        format!("s-maxage={left}, stale-while-revalidate={then}")
    }
}

/// `Cache-Status` (RFC 9211) of a response: how it came about, how long it stays fresh, which generation it is.
#[must_use]
pub fn cache_status(served: Served, lifetime: Option<Lifetime>, generation: Option<u64>, reason: &str) -> String {
    let mut out = String::from("Onegen");
    out.push_str(match served {
        Served::Hit | Served::Stale => "; hit",
        Served::Collapsed => "; fwd=uri-miss; collapsed",
        Served::Miss => "; fwd=uri-miss",
        Served::Renewed => "; fwd=stale",
    });
    // Writing to a String cannot fail.
    if let Some(lifetime) = lifetime {
        let _ = write!(out, "; ttl={}", lifetime.ttl(served == Served::Stale));
    }
    match generation {
        Some(generation) => {
            let _ = write!(out, "; detail=\"generation={generation} {reason}\"");
        }
        None => {
            let _ = write!(out, "; detail=\"{reason}\"");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn lifetime(age_ms: u64) -> Lifetime {
        Lifetime { revalidate: Some(60), expire: Some(3600), age: Span(age_ms) }
    }

    #[test]
    fn a_shared_cache_is_given_what_is_left_of_the_lifetime() {
        assert_eq!(cache_control(lifetime(0), false), "s-maxage=60, stale-while-revalidate=3540");
        assert_eq!(cache_control(lifetime(10_001), false), "s-maxage=49, stale-while-revalidate=3540");
        assert_eq!(cache_control(lifetime(100_000), true), "s-maxage=0, stale-while-revalidate=3500");
    }

    #[test]
    fn an_entry_without_lifetime_may_be_kept_for_what_is_left_of_a_year() {
        let forever = Lifetime { revalidate: None, expire: None, age: Span::seconds(1000) };
        assert_eq!(cache_control(forever, false), "s-maxage=31535000");
    }

    #[test]
    fn an_entry_is_fresh_no_longer_than_it_is_usable() {
        let odd = Lifetime { revalidate: Some(3600), expire: Some(8), age: Span::seconds(5) };
        assert_eq!(cache_control(odd, false), "s-maxage=3");
        assert_eq!(
            cache_status(Served::Hit, Some(odd), Some(7), "kv"),
            "Onegen; hit; ttl=3; detail=\"generation=7 kv\""
        );
        let forever = Lifetime { revalidate: None, ..odd };
        assert_eq!(cache_control(forever, false), "s-maxage=3");
    }

    #[test]
    fn a_lifetime_beyond_expire_does_not_wrap() {
        let odd = Lifetime { revalidate: Some(100), expire: Some(10), age: Span::seconds(500) };
        assert_eq!(cache_control(odd, false), "s-maxage=0");
        assert_eq!(cache_control(odd, true), "s-maxage=0, stale-while-revalidate=0");
    }

    #[test]
    fn cache_status_tells_hit_stale_miss_and_collapsed_with_the_generation() {
        assert_eq!(
            cache_status(Served::Hit, Some(lifetime(10_000)), Some(7), "memory"),
            "Onegen; hit; ttl=50; detail=\"generation=7 memory\""
        );
        assert_eq!(
            cache_status(Served::Stale, Some(lifetime(75_000)), Some(7), "kv"),
            "Onegen; hit; ttl=-15; detail=\"generation=7 kv\""
        );
        assert_eq!(
            cache_status(Served::Stale, Some(lifetime(10_000)), Some(7), "kv"),
            "Onegen; hit; ttl=-1; detail=\"generation=7 kv\"",
            "an invalidation made it stale, not its age"
        );
        assert_eq!(
            cache_status(Served::Collapsed, Some(lifetime(0)), Some(8), "coordinator"),
            "Onegen; fwd=uri-miss; collapsed; ttl=60; detail=\"generation=8 coordinator\""
        );
        assert_eq!(cache_status(Served::Miss, None, None, "leader"), "Onegen; fwd=uri-miss; detail=\"leader\"");
    }
}
