//! Names of stored things: an app and build scope, then the key that Next.js hands over.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Workers KV refuses keys of more bytes than this (developers.cloudflare.com/kv/platform/limits).
pub const KV_KEY_LIMIT: usize = 512;

/// Begins every key; the number changes when old entries can no longer be read at all.
const PREFIX: &str = "onegen/1";

/// What is cached under a key; the same Next.js key may exist once per kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A response: page, route handler or redirect.
    Response,
    /// An entry of the data cache (`fetch`, `unstable_cache`).
    Data,
    /// An entry of a `use cache` function.
    UseCache,
}

impl Kind {
    /// The kind's part of a stored key, also used in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Data => "data",
            Self::UseCache => "use-cache",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Response, Self::Data, Self::UseCache].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whose entries these are: an app, and one build of it. Apps and builds never share entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    app: String,
    build: String,
}

/// An app id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAppId(pub String);

impl std::fmt::Display for InvalidAppId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "option `app` is {}: expected 1 to 64 letters, digits, dots, dashes or underscores, and not `.` or `..`; choose such a name, the same for every deployment of this app",
            // `{:?}` would bring all that Unicode knows of what can be printed.
            serde_json::to_string(&self.0).unwrap_or_default()
        )
    }
}

impl Scope {
    /// The scope of one build of an app.
    ///
    /// `build` is the deployment id, else the build id: with a deployment id, Next.js makes the build id a constant
    /// (next 16.2, `build/index.js`). Whatever characters it holds, distinct builds get distinct scopes.
    ///
    /// # Errors
    /// When `app` is empty, longer than 64 bytes, `.`, `..`, or holds anything but ASCII letters, digits, `.`, `-` and `_`.
    pub fn new(app: &str, build: &str) -> Result<Self, InvalidAppId> {
        if !is_name(app) {
            return Err(InvalidAppId(app.to_owned()));
        }
        let build = if is_name(build) { build.to_owned() } else { digest(build) };
        Ok(Self { app: app.to_owned(), build })
    }

    /// The KV key of an entry, and the name of its coordinator.
    ///
    /// Readable as long as it fits into KV's 512 bytes, else ended by the digest of the whole key. `~` marks the digest; a key
    /// that itself begins with `~` is digested too, so that no two keys ever share a name.
    #[must_use]
    pub fn entry_key(&self, kind: Kind, key: &str) -> String {
        let mut name = format!("{PREFIX}/{}/{}/{}/", self.app, self.build, kind.as_str());
        if key.starts_with('~') || name.len().saturating_add(key.len()) > KV_KEY_LIMIT {
            name.push_str(&digest(key));
        } else {
            name.push_str(key);
        }
        name
    }

    /// The name of the app's ledger: one per app, so that an invalidation reaches every build of it.
    #[must_use]
    pub fn ledger_name(&self) -> String {
        format!("{PREFIX}/{}", self.app)
    }
}

/// The KV key under which a ledger leaves the random id of the namespace that its Worker sees.
#[must_use]
pub fn namespace_id_key(ledger_name: &str) -> String {
    format!("{ledger_name}~namespace-id")
}

/// An entry's stored key, taken apart again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryKey<'a> {
    /// Whose entry it is.
    pub app: &'a str,
    /// Of which build.
    pub build: &'a str,
    /// What is cached.
    pub kind: Kind,
}

/// What keeps a text from being the key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadEntryKey {
    /// More bytes than Workers KV takes.
    TooLong,
    /// It does not begin as keys of this version do.
    Prefix,
    /// Its app is no app id.
    App,
    /// Its build is none that a scope can have.
    Build,
    /// Its kind is unknown.
    Kind,
    /// What follows the kind is empty, poses as a digest, or climbs out of its path.
    Rest,
}

impl BadEntryKey {
    /// What is wrong, for a sentence about the key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "longer than 512 bytes",
            Self::Prefix => "without the prefix `onegen/1/`",
            Self::App => "without a valid app id",
            Self::Build => "without a valid build",
            Self::Kind => "of an unknown kind",
            Self::Rest => "without a valid name after the kind",
        }
    }
}

impl<'a> EntryKey<'a> {
    /// Takes a key apart that [`Scope::entry_key`] may have made; everything else that is stored has no such name.
    ///
    /// # Errors
    /// The first part that no entry's key has.
    pub fn parse(key: &'a str) -> Result<Self, BadEntryKey> {
        if key.len() > KV_KEY_LIMIT {
            return Err(BadEntryKey::TooLong);
        }
        let scoped = key.strip_prefix(PREFIX).and_then(|key| key.strip_prefix('/')).ok_or(BadEntryKey::Prefix)?;
        let mut parts = scoped.splitn(4, '/');
        let app = parts.next().filter(|app| is_name(app)).ok_or(BadEntryKey::App)?;
        let is_build = |build: &&str| is_digest(build) || is_name(build);
        let build = parts.next().filter(is_build).ok_or(BadEntryKey::Build)?;
        let kind = parts.next().and_then(Kind::named).ok_or(BadEntryKey::Kind)?;
        let rest = parts.next().unwrap_or_default();
        // Names in the data cache may hold anything, arguments of functions for example; those of responses are paths.
        let climbs = kind == Kind::Response && rest.split('/').any(is_dots);
        if rest.is_empty() || climbs || (rest.starts_with('~') && !is_digest(rest)) {
            return Err(BadEntryKey::Rest);
        }
        Ok(Self { app, build, kind })
    }
}

/// What paths take for "here" and "one up".
fn is_dots(name: &str) -> bool {
    matches!(name, "." | "..")
}

fn is_digest(name: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.strip_prefix('~').is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_hex))
}

/// What stands for itself in a key: a short word, and none that paths take for something else.
fn is_name(name: &str) -> bool {
    !is_dots(name)
        && (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn digest(text: &str) -> String {
    let mut out = String::from("~");
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("shop", "b1").unwrap()
    }

    #[test]
    fn a_key_names_app_build_kind_and_route() {
        assert_eq!(scope().entry_key(Kind::Response, "/blog/hello"), "onegen/1/shop/b1/response//blog/hello");
        assert_eq!(scope().ledger_name(), "onegen/1/shop");
    }

    #[test]
    fn a_key_too_long_for_kv_is_stored_under_its_digest() {
        let key = scope().entry_key(Kind::UseCache, &"é".repeat(400));
        assert!(key.len() <= KV_KEY_LIMIT);
        assert!(key.starts_with("onegen/1/shop/b1/use-cache/~"));
    }

    #[test]
    fn a_key_that_looks_like_a_digest_cannot_pose_as_one() {
        let long = "x".repeat(600);
        let posing = digest(&long);
        assert_ne!(scope().entry_key(Kind::Data, &long), scope().entry_key(Kind::Data, &posing));
    }

    #[test]
    fn an_unusual_build_id_is_scoped_by_its_digest() {
        let slashed = Scope::new("shop", "feature/x").unwrap();
        assert!(slashed.entry_key(Kind::Data, "k").starts_with("onegen/1/shop/~"));
        assert_ne!(slashed, Scope::new("shop", "feature/y").unwrap());
        let dots = Scope::new("shop", "..").unwrap().entry_key(Kind::Data, "k");
        assert!(EntryKey::parse(&dots).is_ok(), "{dots}");
    }

    #[test]
    fn a_bad_app_id_is_refused_with_one_sentence() {
        let error = Scope::new("my shop", "b1").unwrap_err().to_string();
        assert!(error.starts_with("option `app` is \"my shop\": expected"), "{error}");
        for climbing in ["", ".", ".."] {
            assert!(Scope::new(climbing, "b1").is_err(), "{climbing}");
        }
    }

    #[test]
    fn every_key_that_a_scope_makes_is_taken_apart_again() {
        for build in ["b1", "feature/x", "é"] {
            let scope = Scope::new("shop", build).unwrap();
            for (kind, rest) in [(Kind::Response, "/"), (Kind::Data, "~x"), (Kind::UseCache, "[\"../a\",1]")] {
                let key = scope.entry_key(kind, rest);
                let parsed = EntryKey::parse(&key).unwrap();
                assert_eq!((parsed.app, parsed.kind), ("shop", kind), "{key}");
                assert!(key.starts_with(&format!("onegen/1/shop/{}/", parsed.build)));
            }
        }
    }

    #[test]
    fn what_is_stored_beside_entries_is_no_entry_key() {
        let ledger = scope().ledger_name();
        assert_eq!(EntryKey::parse(&ledger), Err(BadEntryKey::Build));
        assert_eq!(EntryKey::parse(&namespace_id_key(&ledger)), Err(BadEntryKey::App));
    }

    #[test]
    fn a_key_with_a_part_that_no_scope_makes_is_refused_for_that_part() {
        let long = format!("onegen/1/shop/b1/data/{}", "x".repeat(500));
        let digest = format!("onegen/1/shop/b1/data/~{}", "g".repeat(64));
        for (key, bad) in [
            (long.as_str(), BadEntryKey::TooLong),
            ("", BadEntryKey::Prefix),
            ("onegen/2/shop/b1/data/x", BadEntryKey::Prefix),
            ("/onegen/1/shop/b1/data/x", BadEntryKey::Prefix),
            ("onegen/1//b1/data/x", BadEntryKey::App),
            ("onegen/1/../b1/data/x", BadEntryKey::App),
            ("onegen/1/shop%2Fb1/b1/data/x", BadEntryKey::App),
            ("onegen/1/shop//data/x", BadEntryKey::Build),
            ("onegen/1/shop/../data/x", BadEntryKey::Build),
            ("onegen/1/shop/~b1/data/x", BadEntryKey::Build),
            ("onegen/1/shop/b1", BadEntryKey::Kind),
            ("onegen/1/shop/b1/page/x", BadEntryKey::Kind),
            ("onegen/1/shop/b1/data", BadEntryKey::Rest),
            ("onegen/1/shop/b1/data/", BadEntryKey::Rest),
            ("onegen/1/shop/b1/response//a/../b", BadEntryKey::Rest),
            (digest.as_str(), BadEntryKey::Rest),
        ] {
            assert_eq!(EntryKey::parse(key), Err(bad), "{key}");
        }
    }
}
