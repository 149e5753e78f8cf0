//! A lease on its way to whoever renders: a signed header value.
//!
//! The leader asks the app for the page with this header. Without a valid signature nobody can make the app believe that
//! it holds a lease: the secret is one that all isolates of a build share and no visitor knows (Next.js's preview mode id).

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::base::position::Position;
use crate::route::Lease;

type Signature = Hmac<Sha256>;

const VERSION: &str = "1";

/// A lease that a request carries, and the route it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedLease {
    /// The lease.
    pub lease: Lease,
    /// The entry key it is for.
    pub entry_key: String,
    /// The `expire` of the entry being replaced, in seconds: the host does not tell a regeneration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<u32>,
}

impl CarriedLease {
    /// A lease for the entry stored under `entry_key`.
    #[must_use]
    pub fn new(lease: Lease, entry_key: &str, expire: Option<u32>) -> Self {
        Self { lease, entry_key: entry_key.to_owned(), expire }
    }

    /// Whether this is the lease of the entry stored under `entry_key`.
    #[must_use]
    pub fn is_for(&self, entry_key: &str) -> bool {
        self.entry_key == entry_key
    }

    /// The header value.
    #[must_use]
    pub fn sign(&self, secret: &str) -> String {
        let payload = self.payload();
        let mut token = payload.clone();
        token.push('.');
        token.push_str(&to_hex(&signature(secret, &payload).finalize().into_bytes()));
        token
    }

    /// The lease in a header value, if it was signed with `secret`.
    #[must_use]
    pub fn verify(token: &str, secret: &str) -> Option<Self> {
        let (payload, signed) = token.rsplit_once('.')?;
        signature(secret, payload).verify_slice(&from_hex(signed)?).ok()?;
        let fields: Vec<_> = payload.split('.').collect();
        let [VERSION, generation, holder, epoch, number, expire, entry_key] = fields[..] else {
            return None;
        };
        let carried = Self {
            lease: Lease {
                generation: generation.parse().ok()?,
                holder: holder.to_owned(),
                position: Position { epoch: epoch.parse().ok()?, number: number.parse().ok()? },
            },
            entry_key: String::from_utf8(from_hex(entry_key)?).ok()?,
            expire: if expire == "-" { None } else { Some(expire.parse().ok()?) },
        };
        // One spelling only: no two headers are the same lease.
        (carried.payload() == payload).then_some(carried)
    }

    fn payload(&self) -> String {
        let Lease { generation, holder, position } = &self.lease;
        // A holder is a random name of the host's making; a dot in it would move the fields.
        let holder = holder.replace('.', "");
        let expire = self.expire.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
        let entry_key = to_hex(self.entry_key.as_bytes());
        format!("{VERSION}.{generation}.{holder}.{}.{}.{expire}.{entry_key}", position.epoch, position.number)
    }
}

fn signature(secret: &str, payload: &str) -> Signature {
    // HMAC takes keys of any length (RFC 2104, section 3): a key refused here would sign nothing.
    let mut mac = Signature::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Signature::new(&Default::default()));
    mac.update(payload.as_bytes());
    mac
}

fn to_hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).filter(|_| !c.is_ascii_uppercase()).and_then(|d| u8::try_from(d).ok());
    let digits = text.chars().map(digit).collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried() -> CarriedLease {
        let lease = Lease { generation: 12, holder: "h-1".to_owned(), position: Position { epoch: 3, number: 4 } };
        CarriedLease::new(lease, "onegen/1/app/b/response//x", Some(60))
    }

    #[test]
    fn a_signed_lease_reads_back_as_itself() {
        assert_eq!(CarriedLease::verify(&carried().sign("secret"), "secret"), Some(carried()));
    }

    #[test]
    fn a_lease_signed_with_another_secret_is_not_believed() {
        assert_eq!(CarriedLease::verify(&carried().sign("guess"), "secret"), None);
    }

    #[test]
    fn a_changed_lease_is_not_believed() {
        let token = carried().sign("secret").replacen("1.12.", "1.13.", 1);
        assert_eq!(CarriedLease::verify(&token, "secret"), None);
        for nonsense in ["", ".", "1.2", "1.12.h.3.4.-.6f.zz", "é.é"] {
            assert_eq!(CarriedLease::verify(nonsense, "secret"), None);
        }
    }

    #[test]
    fn a_lease_has_one_spelling() {
        let token = carried().sign("secret");
        let (payload, _) = token.rsplit_once('.').unwrap();
        let other = payload.replacen("1.", "1.0", 1);
        let signed = to_hex(&signature("secret", &other).finalize().into_bytes());
        assert_eq!(CarriedLease::verify(&format!("{other}.{signed}"), "secret"), None);
    }

    #[test]
    fn a_lease_is_for_one_route_only() {
        assert!(carried().is_for("onegen/1/app/b/response//x"));
        assert!(!carried().is_for("onegen/1/app/b/response//y"));
    }
}
