//! The messages of the API, read and held to its limits.

use serde::{Deserialize, Serialize};

use super::{Operation, Refusal};
use crate::base::limits::WAIT_LIMIT;
use crate::wire::{Abandon, Acquire, Append, Check, Publish, SinceQuestion};

/// A holder is a random name.
const HOLDER_LIMIT: usize = 256;
/// JavaScript holds whole numbers below 2^53; half of that leaves room for what is added to one, for ever.
const NUMBER_LIMIT: u64 = 1 << 52;

/// A message that has been read, with its limits applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Message {
    /// For a coordinator.
    Acquire(Acquire),
    /// For a coordinator, beside a frame.
    Publish(Publish),
    /// For a coordinator.
    Abandon(Abandon),
    /// For the ledger.
    Since(SinceQuestion),
    /// For the ledger.
    Append(Append),
    /// For the ledger.
    Check(Check),
}

/// Reads the message of an operation; `None` for those that have none.
///
/// # Errors
/// When it is not such a message, or holds something that no client has a use for.
pub fn message(operation: Operation, sent: impl AsRef<[u8]>) -> Result<Option<Message>, Refusal> {
    let bad = |reason: String| Refusal::BadMessage { reason };
    let text = str::from_utf8(sent.as_ref()).map_err(|_| bad("it is not UTF-8".to_owned()))?;
    let read = match operation {
        Operation::Health | Operation::Entry | Operation::Touch => return Ok(None),
        Operation::Acquire => read(text).map(Message::Acquire),
        Operation::Publish => read(text).map(Message::Publish),
        Operation::Abandon => read(text).map(Message::Abandon),
        Operation::Since => read(text).map(Message::Since),
        Operation::Append => read(text).map(Message::Append),
        Operation::Check => read(text).map(Message::Check),
    };
    let mut message = read.map_err(bad)?;
    match &mut message {
        Message::Acquire(acquire) => {
            if acquire.holder.is_empty() || acquire.holder.len() > HOLDER_LIMIT {
                return Err(bad(format!("`holder` has {} bytes, not 1 to {HOLDER_LIMIT}", acquire.holder.len())));
            }
            // A generation follows on this number: one near the end of numbers would block the route for ever.
            within("have", acquire.have)?;
            acquire.wait_ms = acquire.wait_ms.min(WAIT_LIMIT);
        }
        Message::Append(append) => {
            within("profile.expire_ms", append.profile.and_then(|p| p.expire_ms).map(|ms| ms.0))?
        }
        Message::Publish(_) | Message::Abandon(_) | Message::Since(_) | Message::Check(_) => {}
    }
    Ok(Some(message))
}

/// A message of any kind, or what is wrong with its text and where.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let message = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(message)
}

/// Refuses a number of a message that leaves no room for what is added to it.
fn within(name: &str, number: Option<u64>) -> Result<(), Refusal> {
    match number {
        Some(number) if number > NUMBER_LIMIT => {
            Err(Refusal::BadMessage { reason: format!("`{name}` is {number}, beyond {NUMBER_LIMIT}") })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    #[test]
    fn nobody_waits_longer_than_the_wait_limit() {
        let read = message(Operation::Acquire, r#"{"holder":"h","need":"fill","wait_ms":900000,"new_field":1}"#);
        let Ok(Some(Message::Acquire(acquire))) = read else { panic!("{read:?}") };
        assert_eq!(acquire.wait_ms, Span::seconds(25));
    }

    #[test]
    fn a_message_that_cannot_be_meant_is_refused() {
        let long = format!(r#"{{"holder":"{}","need":"fill"}}"#, "h".repeat(257));
        for (operation, text) in [
            (Operation::Acquire, ""),
            (Operation::Acquire, "null"),
            (Operation::Acquire, r#"{"need":"fill"}"#),
            (Operation::Acquire, r#"{"holder":"","need":"fill"}"#),
            (Operation::Acquire, r#"{"holder":"h","need":"everything"}"#),
            (Operation::Acquire, r#"{"holder":"h","need":"fill","have":-1}"#),
            (Operation::Acquire, r#"{"holder":"h","need":"fill","have":9007199254740991}"#),
            (Operation::Acquire, long.as_str()),
            (Operation::Publish, r#"{"lease":{"generation":1}}"#),
            (Operation::Abandon, r#"{"lease":{"generation":1,"holder":"h"}}"#),
            (Operation::Since, "{}"),
            (Operation::Append, r#"{"position":{"epoch":0,"number":0},"tags":"a"}"#),
            (
                Operation::Append,
                r#"{"position":{"epoch":0,"number":0},"tags":[],"profile":{"expire_ms":9007199254740991}}"#,
            ),
            (Operation::Check, r#"{"position":{"epoch":0,"number":0}} x"#),
        ] {
            assert_eq!(message(operation, text).map_err(|refusal| refusal.as_str()), Err("bad-message"), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_no_message() {
        let refused = message(Operation::Acquire, [0x22, 0xff, 0x22]).unwrap_err();
        assert_eq!(refused, Refusal::BadMessage { reason: "it is not UTF-8".to_owned() });
    }

    #[test]
    fn what_has_no_message_reads_none() {
        assert_eq!(message(Operation::Touch, "{"), Ok(None));
    }
}
