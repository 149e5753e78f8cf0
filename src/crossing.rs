//! How values cross between JavaScript and the core: as JSON text, in one piece. To read them property by property would cost
//! a call across the boundary for each, and code for each type beside the one that reads what is stored.
//!
//! Byte strings cross beside it. What is absent is left out, by the types themselves.

use std::io;

use js_sys::JSON;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CompactFormatter, Formatter};
use wasm_bindgen::JsValue;

/// `Number.MAX_SAFE_INTEGER`: beyond it JavaScript would hold another number.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// A core value from a JavaScript one.
///
/// # Errors
/// What is wrong with the value.
pub(crate) fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<T, String> {
    let text = JSON::stringify(value).ok().and_then(|text| JsValue::from(text).as_string()).unwrap_or_default();
    // Read as bytes, like what is stored: the same code reads both.
    serde_json::from_slice(text.as_bytes())
        .or_else(|error| well_formed(&text).map_or(Err(error), |text| serde_json::from_slice(text.as_bytes())))
        .map_err(|error| error.to_string())
}

/// A JavaScript value from a core one.
///
/// # Errors
/// What JavaScript cannot hold.
pub(crate) fn to_js<T: Serialize>(value: &T) -> Result<JsValue, String> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, SafeNumbers);
    value.serialize(&mut serializer).map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    JSON::parse(&text).map_err(|_| "JavaScript does not take it".to_owned())
}

/// Refuses numbers that JavaScript would change.
struct SafeNumbers;

impl Formatter for SafeNumbers {
    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value > LARGEST_NUMBER {
            return Err(io::Error::other("it holds a number beyond 2^53"));
        }
        CompactFormatter.write_u64(writer, value)
    }
}

/// The same text with U+FFFD for every half of a surrogate pair that stands alone, if it has one: `JSON.stringify` escapes those,
/// and those only (ECMA-262, `QuoteJSONString`), and no text of Rust's can hold them.
fn well_formed(text: &str) -> Option<String> {
    let mut parts = text.split("\\ud");
    let mut out = parts.next()?.to_owned();
    let mut found = false;
    for part in parts {
        let escapes = out.bytes().rev().take_while(|&byte| byte == b'\\').count();
        match part.get(3..).filter(|_| escapes.is_multiple_of(2)) {
            Some(rest) => {
                found = true;
                out.push('\u{fffd}');
                out.push_str(rest);
            }
            None => {
                out.push_str("\\ud");
                out.push_str(part);
            }
        }
    }
    found.then_some(out)
}
