//! How values cross between JavaScript and the core: as JSON text, in one piece. To read them property by property would cost
//! a call across the boundary for each, and code for each type beside the one that reads what is stored.
//!
//! Byte strings cross beside it. What is absent is left out, by the types themselves.

use js_sys::JSON;
use wasm_bindgen::JsValue;

use crate::json::{self, FromJson, ToJson, Writer};

/// A core value from a JavaScript one.
///
/// # Errors
/// What is wrong with the value.
pub(crate) fn from_js<T: FromJson>(value: &JsValue) -> Result<T, String> {
    let text = JSON::stringify(value).ok().and_then(|text| JsValue::from(text).as_string()).unwrap_or_default();
    json::read(text.as_bytes()).map_err(|error| error.to_string())
}

/// A JavaScript value from a core one.
///
/// # Errors
/// What JavaScript cannot hold.
pub(crate) fn to_js<T: ToJson>(value: &T) -> Result<JsValue, String> {
    let mut text = Writer::default();
    value.to_json(&mut text);
    if text.is_unsafe() {
        return Err("it holds a number beyond 2^53".to_owned());
    }
    JSON::parse(&text.into_string()).map_err(|_| "JavaScript does not take it".to_owned())
}
