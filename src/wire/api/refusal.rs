//! What a refused request is told: a problem of RFC 9457, with a stable code.

use serde::Serialize;

use super::tokens::BadToken;
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
        /// How long it may be.
        limit: String,
    },
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
    /// A defect of Onegen's own.
    Internal,
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
    /// A refusal that comes of I/O, by its code. `told` is the reason, or the limit.
    #[must_use]
    pub fn of_io(code: &str, told: &str) -> Self {
        let reason = shown(told);
        match code {
            "no-entry" => Self::NoEntry,
            "corrupt-entry" => Self::CorruptEntry { reason },
            "bad-frame" => Self::BadFrame { reason },
            "bad-message" => Self::BadMessage { reason },
            "too-large" => Self::TooLarge { limit: reason },
            "object-lost" => Self::ObjectLost { reason },
            "object-failed" => Self::ObjectFailed { reason },
            "not-found" => Self::NotFound { path: reason },
            _ => Self::Internal,
        }
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
            Self::MethodNotAllowed { .. } => "method-not-allowed",
            Self::NotFound { .. } => "not-found",
            Self::NoEntry => "no-entry",
            Self::CorruptEntry { .. } => "corrupt-entry",
            Self::ObjectLost { .. } | Self::ObjectFailed { .. } => "object-failed",
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
            Self::TooLarge { .. } => 413,
            Self::BadFrame { .. } => 422,
            Self::Internal => 500,
            Self::ObjectFailed { .. } => 502,
            Self::NoTokenConfigured | Self::BadTokenList(_) | Self::ObjectLost { .. } => 503,
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
            Self::MethodNotAllowed { .. } => "Method not allowed",
            Self::NotFound { .. } => "Not found",
            Self::NoEntry => "No such entry",
            Self::CorruptEntry { .. } => "The stored value is not an entry",
            Self::ObjectLost { .. } | Self::ObjectFailed { .. } => "Storage did not answer",
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
                "The body is too long: expected at most {limit}; serve what is longer uncached"
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
            Self::ObjectLost { .. } => Some(("retry-after", "1")),
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
        ];
        let of_io = ["no-entry", "corrupt-entry", "bad-frame", "bad-message", "too-large", "object-failed", "internal"];
        for refusal in refusals.into_iter().chain(of_io.map(|code| Refusal::of_io(code, "why"))) {
            let Problem { r#type, status, code, detail, .. } = refusal.problem();
            assert!(detail.contains(": expected ") && detail.contains("; "), "{detail}");
            assert!(r#type.ends_with(&format!("#{code}")) && (400..600).contains(&status));
        }
    }

    #[test]
    fn a_refusal_of_io_keeps_its_code() {
        for code in ["no-entry", "corrupt-entry", "bad-frame", "bad-message", "too-large", "object-failed", "not-found"]
        {
            assert_eq!(Refusal::of_io(code, "").as_str(), code);
        }
        assert_eq!(Refusal::of_io("object-lost", "").as_str(), "object-failed");
        assert_eq!(Refusal::of_io("anything else", "").as_str(), "internal");
    }

    #[test]
    fn a_long_value_is_not_told_back_whole() {
        let refusal = Refusal::BadKey { key: "é".repeat(5000), bad: BadEntryKey::TooLong };
        assert!(refusal.problem().detail.chars().count() < 400);
    }
}
