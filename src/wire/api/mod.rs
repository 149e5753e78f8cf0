//! The HTTPS API's decisions: what a request may do, and what it is told when it may not.
//!
//! The host that serves the API performs I/O only: it asks [`place`] and [`decide`] about every request before it reads a body,
//! and hands what it then reads to [`message()`].

mod limits;
mod message;
mod refusal;
mod tokens;

use crate::base::limits::KV_VALUE_LIMIT;
use crate::entry::key::{EntryKey, Scope};

pub use limits::{BODY_LIMIT, DROP_LIMIT, DROPPED_BYTES, OUTER_LIMIT, READ_AHEAD_BYTES, STORE_LIMIT};
pub use message::{Message, message};
pub use refusal::{Failure, Problem, Refusal};
pub use tokens::{Access, BadToken, Tokens};

/// Messages are short; the longest are lists of tags.
const MESSAGE_LIMIT: u64 = 1 << 20;

/// What the API does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Tells what a token is for.
    Health,
    /// Reads a stored entry.
    Entry,
    /// Asks a coordinator for a lease.
    Acquire,
    /// Hands a render over.
    Publish,
    /// Gives a lease back.
    Abandon,
    /// Keeps an entry's KV key alive.
    Touch,
    /// Reads the ledger.
    Since,
    /// Invalidates tags.
    Append,
    /// Asks whether tags were invalidated.
    Check,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Health,
        Self::Entry,
        Self::Acquire,
        Self::Publish,
        Self::Abandon,
        Self::Touch,
        Self::Since,
        Self::Append,
        Self::Check,
    ];

    /// The last part of its path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Entry => "entry",
            Self::Acquire => "acquire",
            Self::Publish => "publish",
            Self::Abandon => "abandon",
            Self::Touch => "touch",
            Self::Since => "since",
            Self::Append => "append",
            Self::Check => "check",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Health | Self::Entry => "GET",
            _ => "POST",
        }
    }

    /// An acquisition writes too: it may hand out a lease.
    const fn writes(self) -> bool {
        !matches!(self, Self::Health | Self::Entry | Self::Since | Self::Check)
    }

    /// Whether it is about one route; the others are about the app.
    const fn has_key(self) -> bool {
        matches!(self, Self::Entry | Self::Acquire | Self::Publish | Self::Abandon | Self::Touch)
    }

    const fn body_limit(self) -> u64 {
        match self {
            Self::Publish => KV_VALUE_LIMIT,
            _ => MESSAGE_LIMIT,
        }
    }
}

/// Which part of the Worker a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/health`: the Worker answers, whoever asks.
    Health,
    /// The API: [`decide`] says what the request may do.
    Api,
    /// Nothing.
    Nowhere,
}

/// Where a path leads.
#[must_use]
pub fn place(path: &str) -> Place {
    match path {
        "/health" => Place::Health,
        _ if path.starts_with("/v1/") => Place::Api,
        _ => Place::Nowhere,
    }
}

/// What of a request is decided about.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// Every parameter named `key`, decoded.
    pub keys: &'a [String],
}

/// What a request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// This.
    pub operation: Operation,
    /// For this app.
    pub app: String,
    /// With a token of this kind.
    pub access: Access,
    /// On the route or the ledger of this name.
    pub object: String,
    /// With a body of at most so many bytes.
    pub body_limit: u64,
}

/// Decides about a request, given the value of `ONEGEN_TOKENS`.
///
/// # Errors
/// Why the request may do nothing. A request without a valid token is not told anything else.
pub fn decide(configured: Option<&str>, request: Request<'_>) -> Result<Permit, Refusal> {
    let tokens = Tokens::parse(configured.unwrap_or_default()).map_err(Refusal::BadTokenList)?;
    if tokens.is_empty() {
        return Err(Refusal::NoTokenConfigured);
    }
    let bearer = request.authorization.and_then(bearer).ok_or(Refusal::NoToken)?;
    let (app, access) = tokens.find(bearer).ok_or(Refusal::UnknownToken)?;
    let operation = request
        .path
        .strip_prefix("/v1/")
        .and_then(|name| Operation::ALL.into_iter().find(|operation| operation.as_str() == name))
        .ok_or_else(|| Refusal::NotFound { path: request.path.to_owned() })?;
    if request.method != operation.method() {
        return Err(Refusal::MethodNotAllowed { method: request.method.to_owned(), allowed: operation.method() });
    }
    if operation.writes() && access == Access::ReadOnly {
        return Err(Refusal::ReadOnlyToken { operation: operation.as_str() });
    }
    let object = match operation {
        Operation::Health => String::new(),
        _ if operation.has_key() => own_key(app, request.keys)?,
        _ => Scope::new(app, "").map_err(|_| Refusal::Internal)?.ledger_name(),
    };
    Ok(Permit { operation, app: app.to_owned(), access, object, body_limit: operation.body_limit() })
}

fn own_key(app: &str, keys: &[String]) -> Result<String, Refusal> {
    let [key] = keys else {
        return Err(Refusal::KeyCount { count: keys.len() });
    };
    let named = EntryKey::parse(key).map_err(|bad| Refusal::BadKey { key: key.clone(), bad })?;
    if named.app != app {
        return Err(Refusal::ForeignKey { app: app.to_owned(), foreign: named.app.to_owned() });
    }
    Ok(key.clone())
}

/// The token of `Bearer <token>` (RFC 6750; the scheme's case does not count, RFC 9110).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// How long a body says that it is, by its `Content-Length`.
///
/// # Errors
/// When that is more than `limit`, or no length.
pub fn declared_length(header: Option<&str>, limit: u64) -> Result<Option<u64>, Refusal> {
    let Some(header) = header else { return Ok(None) };
    match header.trim().parse() {
        Ok(length) if length <= limit => Ok(Some(length)),
        _ => Err(Refusal::TooLarge { limit }),
    }
}

/// Whether the header `If-None-Match` names a generation (RFC 9110, section 13.1.2: weakly compared).
#[must_use]
pub fn is_known(if_none_match: &str, generation: u64) -> bool {
    let tag = format!("\"{generation}\"");
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: &str = "Bearer shop-writer-token-0123456789";
    const READER: &str = "Bearer shop-reader-token-0123456789";
    const LIST: &str = "shop:rw:shop-writer-token-0123456789,shop:ro:shop-reader-token-0123456789";
    const KEY: &str = "onegen/1/shop/b1/response//x";

    fn decided(authorization: &str, method: &str, path: &str, keys: &[&str]) -> Result<Permit, &'static str> {
        let keys: Vec<_> = keys.iter().map(|&key| key.to_owned()).collect();
        let request = Request { method, path, authorization: Some(authorization), keys: &keys };
        decide(Some(LIST), request).map_err(|refusal| refusal.as_str())
    }

    #[test]
    fn a_writer_may_do_everything_with_its_apps_routes_and_ledger() {
        for operation in Operation::ALL {
            let path = format!("/v1/{}", operation.as_str());
            let permit = decided(WRITER, operation.method(), &path, &[KEY]).unwrap();
            let object = match operation {
                Operation::Health => "",
                Operation::Since | Operation::Append | Operation::Check => "onegen/1/shop",
                _ => KEY,
            };
            assert_eq!((permit.operation, permit.object.as_str()), (operation, object));
        }
    }

    #[test]
    fn a_reader_may_only_read() {
        for operation in Operation::ALL {
            let path = format!("/v1/{}", operation.as_str());
            let reads = matches!(operation, Operation::Health | Operation::Entry | Operation::Since | Operation::Check);
            let decided = decided(READER, operation.method(), &path, &[KEY]);
            assert_eq!(decided.err(), (!reads).then_some("read-only-token"), "{path}");
        }
    }

    #[test]
    fn without_a_configured_token_nothing_is_allowed() {
        let request = Request { method: "GET", path: "/v1/health", authorization: Some(WRITER), keys: &[] };
        for nothing in [None, Some(""), Some(" ,\n,")] {
            assert_eq!(decide(nothing, request), Err(Refusal::NoTokenConfigured));
        }
    }

    #[test]
    fn with_one_malformed_token_nothing_is_allowed() {
        let request = Request { method: "GET", path: "/v1/health", authorization: Some(WRITER), keys: &[] };
        let refused = decide(Some(&format!("{LIST},shop:rw:short")), request).unwrap_err();
        assert_eq!(refused.as_str(), "bad-token-list");
    }

    #[test]
    fn a_request_without_a_token_learns_nothing_else() {
        for authorization in ["", "Bearer", "Bearer ", "Basic c2hvcDp4", "shop-writer-token-0123456789"] {
            assert_eq!(decided(authorization, "PUT", "/v1/nothing", &[]).err(), Some("no-token"), "{authorization}");
        }
        for guess in ["Bearer x", "Bearer shop-writer-token-012345678", "Bearer shop-writer-token-0123456789, Bearer x"]
        {
            assert_eq!(decided(guess, "PUT", "/v1/nothing", &[]).err(), Some("unknown-token"), "{guess}");
        }
        assert!(decided(&WRITER.replacen("Bearer", "bearer ", 1), "GET", "/v1/health", &[]).is_ok());
    }

    #[test]
    fn only_paths_below_v1_are_of_the_api() {
        for path in ["/v1/", "/v1/entry", "/v1/nothing"] {
            assert_eq!(place(path), Place::Api, "{path}");
        }
        for path in ["/", "/v1", "/v2/entry", "/v1x/entry", "/health/", "/v1health"] {
            assert_eq!(place(path), Place::Nowhere, "{path}");
        }
        assert_eq!(place("/health"), Place::Health);
    }

    #[test]
    fn a_path_or_method_that_the_api_does_not_have_is_refused() {
        for path in ["/v1/", "/v1/entry/", "/v1/%65ntry", "/v1/Entry", "/v2/entry", "/v1//entry", "/v1/entry/../append"]
        {
            assert_eq!(decided(WRITER, "GET", path, &[KEY]).err(), Some("not-found"), "{path}");
        }
        assert_eq!(decided(WRITER, "HEAD", "/v1/entry", &[KEY]).err(), Some("method-not-allowed"));
        assert_eq!(decided(READER, "GET", "/v1/append", &[]).err(), Some("method-not-allowed"));
    }

    #[test]
    fn a_key_of_another_app_is_foreign_however_alike_the_names() {
        for app in ["shop2", "sho", "SHOP", "shop.", "other"] {
            let key = KEY.replacen("/shop/", &format!("/{app}/"), 1);
            assert_eq!(decided(WRITER, "GET", "/v1/entry", &[&key]).err(), Some("foreign-key"), "{key}");
        }
    }

    #[test]
    fn exactly_one_key_that_names_an_entry_is_needed() {
        for keys in [
            &[][..],
            &[KEY, KEY],
            &[KEY, "onegen/1/other/b1/data/x"],
            &["onegen/1/shop"],
            &["onegen/1/shop~namespace-id"],
        ] {
            assert_eq!(decided(WRITER, "GET", "/v1/entry", keys).err(), Some("bad-key"), "{keys:?}");
        }
    }

    #[test]
    fn a_body_tells_its_length_within_the_limit_or_not_at_all() {
        assert_eq!(declared_length(None, 10), Ok(None));
        assert_eq!(declared_length(Some("10"), 10), Ok(Some(10)));
        for header in ["11", "-1", "1e9", "18446744073709551616", "x"] {
            assert_eq!(declared_length(Some(header), 10), Err(Refusal::TooLarge { limit: 10 }), "{header}");
        }
    }

    #[test]
    fn a_known_generation_is_recognized_in_any_spelling_of_if_none_match() {
        for known in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(is_known(known, 7), "{known}");
        }
        for other in ["", "7", "\"77\"", "\"6\""] {
            assert!(!is_known(other, 7), "{other}");
        }
    }
}
