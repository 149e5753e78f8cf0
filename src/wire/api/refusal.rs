//! What a refused request is told: a problem of RFC 9457, with a stable code.

use serde::Serialize;

use super::limits::BODY_LIMIT;
use super::tokens::BadToken;
use crate::base::time::Span;
use crate::entry::key::BadEntryKey;

/// Each code is the heading of a paragraph there.
const DOCS: &str = "https://github.com/onegen/onegen/blob/main/docs/api.md#";
/// Most characters of a request that are told back.
const SHOWN: usize = 120;

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `ONEGEN_TOKENS` is empty.
    NoTokenConfigured,
    /// `ONEGEN_TOKENS` has a mistake.
    BadTokenList(BadToken),
    /// The request has no bearer token.
    NoToken,
    /// Its token is not one of the list.
    UnknownToken,
    /// Its token may read only.
    ReadOnlyToken {
        /// What it was to do.
        operation: &'static str,
    },
    /// Its key belongs to another app than its token.
    ForeignKey {
        /// The token's app.
        app: String,
        /// The key's.
        foreign: String,
    },
    /// It has another number of keys than one.
    KeyCount {
        /// So many.
        count: usize,
    },
    /// Its key is not that of an entry.
    BadKey {
        /// The key.
        key: String,
        /// What is wrong with it.
        bad: BadEntryKey,
    },
    /// Its message cannot be read.
    BadMessage {
        /// Why.
        reason: String,
    },
    /// Its body is not an entry.
    BadFrame {
        /// Why.
        reason: String,
    },
    /// Its body is too long.
    TooLarge {
        /// How long it may be, in bytes.
        limit: u64,
    },
    /// Its body did not arrive in time.
    SlowBody,
    /// The path is of the API, its method is not.
    MethodNotAllowed {
        /// The method.
        method: String,
        /// The one to use.
        allowed: &'static str,
    },
    /// The API has no such path.
    NotFound {
        /// The path.
        path: String,
    },
    /// Nothing is stored under the key.
    NoEntry,
    /// What is stored under the key is not an entry.
    CorruptEntry {
        /// Why.
        reason: String,
    },
    /// A message to KV or to a Durable Object was lost; it may be sent again at once.
    ObjectLost {
        /// What the runtime says.
        reason: String,
    },
    /// KV or a Durable Object failed.
    ObjectFailed {
        /// What the runtime says.
        reason: String,
    },
    /// The instance that was answering it broke. A defect of Onegen's own; the next request has a fresh instance.
    Interrupted,
    /// A defect of Onegen's own.
    Internal,
}

/// What KV or an object threw, as the runtime describes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failure<'a> {
    /// It takes more requests than it can serve: it is best left alone for a while.
    pub overloaded: bool,
    /// The message may be sent again.
    pub retryable: bool,
    /// The error's message.
    pub message: &'a str,
}

/// A refusal as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the code is explained.
    pub r#type: String,
    /// The code in words.
    pub title: &'static str,
    /// The status of the response.
    pub status: u16,
    /// What programs go by.
    pub code: &'static str,
    /// Which value, what was expected, what to do.
    pub detail: String,
}

impl Refusal {
    /// What KV or an object threw is told apart: the message was lost on its way, or it failed.
    #[must_use]
    pub fn of_failure(failure: Failure<'_>) -> Self {
        let reason = shown(failure.message);
        // Between two processes of a local runtime an error keeps its message, not its properties.
        let lost = failure.retryable || failure.message.starts_with("Network connection lost");
        if lost && !failure.overloaded { Self::ObjectLost { reason } } else { Self::ObjectFailed { reason } }
    }

    /// KV or an object did not answer within `limit`.
    #[must_use]
    pub fn of_silence(limit: Span) -> Self {
        Self::ObjectFailed { reason: format!("no answer within {} s", limit.whole_seconds()) }
    }

    /// Whether it is about the Worker's configuration: then everything is refused, and the log is to say so as well.
    #[must_use]
    pub const fn is_of_everything(&self) -> bool {
        matches!(self, Self::NoTokenConfigured | Self::BadTokenList(_))
    }

    /// A stable word for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoTokenConfigured => "no-token-configured",
            Self::BadTokenList(_) => "bad-token-list",
            Self::NoToken => "no-token",
            Self::UnknownToken => "unknown-token",
            Self::ReadOnlyToken { .. } => "read-only-token",
            Self::ForeignKey { .. } => "foreign-key",
            Self::KeyCount { .. } | Self::BadKey { .. } => "bad-key",
            Self::BadMessage { .. } => "bad-message",
            Self::BadFrame { .. } => "bad-frame",
            Self::TooLarge { .. } => "too-large",
            Self::SlowBody => "slow-body",
            Self::MethodNotAllowed { .. } => "method-not-allowed",
            Self::NotFound { .. } => "not-found",
            Self::NoEntry => "no-entry",
            Self::CorruptEntry { .. } => "corrupt-entry",
            Self::ObjectLost { .. } | Self::ObjectFailed { .. } => "object-failed",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::KeyCount { .. } | Self::BadKey { .. } | Self::BadMessage { .. } => 400,
            Self::NoToken | Self::UnknownToken => 401,
            Self::ReadOnlyToken { .. } | Self::ForeignKey { .. } => 403,
            Self::NotFound { .. } | Self::NoEntry | Self::CorruptEntry { .. } => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::SlowBody => 408,
            Self::TooLarge { .. } => 413,
            Self::BadFrame { .. } => 422,
            Self::Internal => 500,
            Self::ObjectFailed { .. } => 502,
            Self::NoTokenConfigured | Self::BadTokenList(_) | Self::ObjectLost { .. } | Self::Interrupted => 503,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::NoTokenConfigured => "No token is configured",
            Self::BadTokenList(_) => "The list of tokens has a mistake",
            Self::NoToken => "No token",
            Self::UnknownToken => "Unknown token",
            Self::ReadOnlyToken { .. } => "The token is read-only",
            Self::ForeignKey { .. } => "The key belongs to another app",
            Self::KeyCount { .. } | Self::BadKey { .. } => "Not the key of an entry",
            Self::BadMessage { .. } => "Not such a message",
            Self::BadFrame { .. } => "Not an entry",
            Self::TooLarge { .. } => "Too large",
            Self::SlowBody => "Too slow",
            Self::MethodNotAllowed { .. } => "Method not allowed",
            Self::NotFound { .. } => "Not found",
            Self::NoEntry => "No such entry",
            Self::CorruptEntry { .. } => "The stored value is not an entry",
            Self::ObjectLost { .. } | Self::ObjectFailed { .. } => "Storage did not answer",
            Self::Interrupted => "Interrupted by a defect of Onegen",
            Self::Internal => "A defect of Onegen",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoTokenConfigured => "ONEGEN_TOKENS is empty: expected entries `app:access:token`, access being `ro` or `rw`; set it with `wrangler secret put ONEGEN_TOKENS`, until then the API refuses everything".to_owned(),
            Self::BadTokenList(bad) => bad.to_string(),
            Self::NoToken => "The header Authorization holds no token: expected `Bearer <token>`; send a token of ONEGEN_TOKENS".to_owned(),
            Self::UnknownToken => "The token is not in the Worker's list: expected one of ONEGEN_TOKENS; compare the two, without blanks around them".to_owned(),
            Self::ReadOnlyToken { operation } => format!(
                "The token is read-only: expected a read-write one for {operation}; use one whose access is `rw`"
            ),
            Self::ForeignKey { app, foreign } => format!(
                "The key belongs to the app {foreign:?}: expected one of {app:?}, the token's app; use that app's own token"
            ),
            Self::KeyCount { count } => format!(
                "The parameter `key` is given {count} times: expected exactly one; send the entry's key once, percent-encoded"
            ),
            Self::BadKey { key, bad } => format!(
                "The key {:?} is {}: expected onegen/1/<app>/<build>/<kind>/<name> in at most 512 bytes; send it as the engine made it, percent-encoded once",
                shown(key),
                bad.as_str()
            ),
            Self::BadMessage { reason } => format!(
                "The message cannot be used ({}): expected the JSON that docs/api.md shows for this path; correct it",
                shown(reason)
            ),
            Self::BadFrame { reason } => format!(
                "The body is not an entry ({reason}): expected a whole frame of version {}; send header and body as the engine made them",
                crate::entry::frame::VERSION
            ),
            Self::TooLarge { limit } => format!(
                "The body is too long: expected at most {} MiB; serve what is longer uncached", limit >> 20
            ),
            Self::SlowBody => format!(
                "The body did not arrive: expected all of it within {} s; send the request again over a faster connection",
                BODY_LIMIT.whole_seconds()
            ),
            Self::MethodNotAllowed { method, allowed } => format!(
                "The method is {:?}: expected {allowed}; send the request again with it", shown(method)
            ),
            Self::NotFound { path } => format!(
                "There is nothing at {}: expected /health or a path of the API, /v1/…; apps on Workers reach this Worker through Durable Object bindings with its script_name", shown(path)
            ),
            Self::NoEntry => "Nothing is stored under the key: expected an entry; acquire the route to learn who renders it".to_owned(),
            Self::CorruptEntry { reason } => format!(
                "What is stored under the key is not an entry ({reason}): expected a whole frame; acquire the route, the next publication overwrites it"
            ),
            Self::ObjectLost { reason } | Self::ObjectFailed { reason } => format!(
                "Workers KV or a Durable Object failed ({reason}): expected an answer; send the request again later, every message may be sent twice"
            ),
            Self::Interrupted => "The API broke while it answered: expected an answer; send the request again, every message may be sent twice, and report what the Worker's log says".to_owned(),
            Self::Internal => "The API itself failed: expected an answer; the Worker's log says more, please report it".to_owned(),
        }
    }

    /// What the body of the response says.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let code = self.as_str();
        Problem {
            r#type: format!("{DOCS}{code}"),
            title: self.title(),
            status: self.status(),
            code,
            detail: self.detail(),
        }
    }

    /// The header that goes with it, if any.
    #[must_use]
    pub const fn header(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoToken => Some(("www-authenticate", "Bearer realm=\"onegen\"")),
            Self::UnknownToken => Some(("www-authenticate", "Bearer realm=\"onegen\", error=\"invalid_token\"")),
            Self::MethodNotAllowed { allowed, .. } => Some(("allow", allowed)),
            Self::ObjectLost { .. } | Self::Interrupted => Some(("retry-after", "1")),
            Self::ObjectFailed { .. } => Some(("retry-after", "5")),
            _ => None,
        }
    }
}

fn shown(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() { text.to_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_which_value_what_was_expected_and_what_to_do() {
        let refusals = [
            Refusal::NoTokenConfigured,
            Refusal::BadTokenList(super::super::Tokens::parse("x").unwrap_err()),
            Refusal::NoToken,
            Refusal::UnknownToken,
            Refusal::ReadOnlyToken { operation: "publish" },
            Refusal::ForeignKey { app: "a".to_owned(), foreign: "b".to_owned() },
            Refusal::KeyCount { count: 2 },
            Refusal::BadKey { key: "k".to_owned(), bad: BadEntryKey::Prefix },
            Refusal::MethodNotAllowed { method: "PUT".to_owned(), allowed: "GET" },
            Refusal::NoEntry,
            Refusal::CorruptEntry { reason: "truncated".to_owned() },
            Refusal::BadFrame { reason: "truncated".to_owned() },
            Refusal::BadMessage { reason: "why".to_owned() },
            Refusal::TooLarge { limit: 1 << 20 },
            Refusal::SlowBody,
            Refusal::ObjectFailed { reason: "why".to_owned() },
            Refusal::Interrupted,
            Refusal::Internal,
        ];
        for refusal in refusals {
            let Problem { r#type, status, code, detail, .. } = refusal.problem();
            assert!(detail.contains(": expected ") && detail.contains("; "), "{detail}");
            assert!(r#type.ends_with(&format!("#{code}")) && (400..600).contains(&status));
        }
    }

    #[test]
    fn what_an_object_throws_is_lost_or_failed() {
        let of = |failure| Refusal::of_failure(failure).problem();
        let status = |failure| of(failure).status;
        let lost = Failure { retryable: true, message: "gone", ..Failure::default() };
        assert_eq!((of(lost).code, status(lost)), ("object-failed", 503));
        assert_eq!(status(Failure { message: "Network connection lost.", ..Failure::default() }), 503);
        assert_eq!(status(Failure { message: "out of memory", ..Failure::default() }), 502);
        assert_eq!(status(Failure { overloaded: true, ..lost }), 502, "an overloaded object is left alone");
        assert_eq!(Refusal::of_silence(Span::seconds(30)).problem().status, 502);
    }

    #[test]
    fn only_what_refuses_everything_is_of_everything() {
        assert!(Refusal::NoTokenConfigured.is_of_everything());
        assert!(!Refusal::Interrupted.is_of_everything() && !Refusal::UnknownToken.is_of_everything());
    }

    #[test]
    fn a_client_is_told_when_to_come_back_after_a_broken_instance() {
        assert_eq!(Refusal::Interrupted.problem().status, 503);
        assert_eq!(Refusal::Interrupted.header(), Some(("retry-after", "1")));
    }

    #[test]
    fn a_long_value_is_not_told_back_whole() {
        let refusal = Refusal::BadKey { key: "é".repeat(5000), bad: BadEntryKey::TooLong };
        assert!(refusal.problem().detail.chars().count() < 400);
    }
}
