//! The list of tokens in the secret `ONEGEN_TOKENS`.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::entry::key::Scope;

/// Shorter ones can be guessed.
const SHORTEST: usize = 24;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Entries and the ledger are read.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// The tokens that the API knows. It keeps their digests only.
#[derive(Clone)]
pub struct Tokens(Vec<Token>);

#[derive(Clone)]
struct Token {
    app: String,
    access: Access,
    digest: [u8; 32],
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|token| (&token.app, token.access))).finish()
    }
}

/// An entry of the list that cannot be used. It never holds a part of the entry: whichever part it is, it may be the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadToken {
    /// Which entry, counted from 1.
    pub entry: usize,
    mistake: Mistake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Shape,
    App,
    Access,
    Short,
    Characters,
    Repeated { of: usize },
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of ONEGEN_TOKENS ", self.entry)?;
        match self.mistake {
            Mistake::Shape => f.write_str("has fewer than three parts: expected `app:access:token`"),
            Mistake::App => f.write_str(
                "has no valid app id: expected `app:access:token` with 1 to 64 letters, digits, dots, dashes or underscores as app",
            ),
            Mistake::Access => {
                f.write_str("has no valid access: expected `app:access:token` with `ro` or `rw` as access")
            }
            Mistake::Short => write!(f, "has too short a token: expected at least {SHORTEST} characters"),
            Mistake::Characters => {
                f.write_str("has a token that no header can carry: expected letters, digits and -._~+/ with = at the end only")
            }
            Mistake::Repeated { of } => {
                write!(f, "has the token of entry {of}: expected a token of its own for each entry")
            }
        }?;
        f.write_str("; correct it with `wrangler secret put ONEGEN_TOKENS`, until then the API refuses everything")
    }
}

impl Tokens {
    /// Reads `app:access:token` entries between commas or line ends.
    ///
    /// # Errors
    /// The first entry that cannot be used.
    pub fn parse(list: &str) -> Result<Self, BadToken> {
        let mut tokens: Vec<Token> = Vec::new();
        let entries = list.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (entry, text) in (1..).zip(entries) {
            let bad = |mistake| BadToken { entry, mistake };
            let token = Token::parse(text).map_err(bad)?;
            if let Some((of, _)) = (1..).zip(&tokens).find(|(_, other)| other.digest == token.digest) {
                return Err(bad(Mistake::Repeated { of }));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is. However much of it is right, and wherever it stands in the list, the answer takes as long.
    #[must_use]
    pub fn find(&self, presented: &str) -> Option<(&str, Access)> {
        let presented = digest(presented);
        let mut found = 0;
        for (entry, token) in (1u64..).zip(&self.0) {
            found.conditional_assign(&entry, token.digest.ct_eq(&presented));
        }
        let index = usize::try_from(found.checked_sub(1)?).ok()?;
        self.0.get(index).map(|token| (token.app.as_str(), token.access))
    }
}

impl Token {
    fn parse(entry: &str) -> Result<Self, Mistake> {
        let mut parts = entry.splitn(3, ':').map(str::trim);
        let (Some(app), Some(access), Some(token)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Mistake::Shape);
        };
        // A path takes those for "here" and "one up": no key of such an app is accepted.
        if matches!(app, "." | "..") || Scope::new(app, "").is_err() {
            return Err(Mistake::App);
        }
        let access = match access {
            "ro" => Access::ReadOnly,
            "rw" => Access::ReadWrite,
            _ => return Err(Mistake::Access),
        };
        // RFC 6750, section 2.1.
        let in_header = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
        if !token.trim_end_matches('=').bytes().all(in_header) {
            return Err(Mistake::Characters);
        }
        if token.len() < SHORTEST {
            return Err(Mistake::Short);
        }
        Ok(Self { app: app.to_owned(), access, digest: digest(token) })
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-token-of-shop-0123456789";
    const NEW: &str = "bmV3IHRva2VuIG9mIHNob3A/+w==";
    const BLOG: &str = "a.token_of~blog-0123456789";

    #[test]
    fn each_token_is_found_with_its_app_and_access() {
        let tokens = Tokens::parse(&format!("shop:ro:{OLD}, shop:rw:{NEW}\r\n\n blog:rw:{BLOG},")).unwrap();
        assert_eq!(tokens.find(OLD), Some(("shop", Access::ReadOnly)));
        assert_eq!(tokens.find(NEW), Some(("shop", Access::ReadWrite)));
        assert_eq!(tokens.find(BLOG), Some(("blog", Access::ReadWrite)));
    }

    #[test]
    fn nothing_else_is_found() {
        let tokens = Tokens::parse(&format!("shop:rw:{OLD}")).unwrap();
        let longer = format!("{OLD}x");
        let whole = format!("shop:rw:{OLD}");
        for other in ["", NEW, &OLD[1..], &longer, &whole, &OLD.to_uppercase()] {
            assert_eq!(tokens.find(other), None, "{other}");
        }
        assert_eq!(Tokens::parse("").unwrap().find(""), None);
    }

    #[test]
    fn a_malformed_entry_is_named_by_its_number_and_never_shown() {
        for (entry, expected) in [
            (NEW.to_owned(), "fewer than three parts"),
            (format!("shop:{NEW}"), "fewer than three parts"),
            (format!("my shop:rw:{NEW}"), "no valid app id"),
            (format!("..:rw:{NEW}"), "no valid app id"),
            (format!("{NEW}:rw:shop"), "no valid app id"),
            (format!("shop:{NEW}:rw"), "no valid access"),
            (format!("shop:RW:{NEW}"), "no valid access"),
            ("shop:rw:short-secret".to_owned(), "too short"),
            (format!("shop:rw:{NEW}é"), "no header can carry"),
            (format!("shop:rw:with a blank {NEW}"), "no header can carry"),
            (format!("other:rw:{OLD}"), "the token of entry 1"),
        ] {
            let told = Tokens::parse(&format!("shop:ro:{OLD},\n{entry}")).unwrap_err().to_string();
            assert!(told.starts_with("entry 2 of ONEGEN_TOKENS ") && told.contains(expected), "{told}");
            assert!(!told.contains(NEW) && !told.contains(OLD) && !told.contains("short-secret"), "{told}");
        }
    }

    #[test]
    fn tokens_do_not_show_when_the_list_is_printed() {
        let shown = format!("{:?}", Tokens::parse(&format!("shop:rw:{OLD}")).unwrap());
        assert_eq!(shown, "[(\"shop\", ReadWrite)]");
    }
}
