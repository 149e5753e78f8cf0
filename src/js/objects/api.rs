//! The HTTPS API's decisions, for the Worker that serves it. A refusal is thrown as an `Error` with a `refusal`.

use js_sys::{Error, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::to_js;
use crate::entry::frame;
use crate::wire::api::{self, Operation, Problem, Refusal, Request};

#[derive(Serialize)]
struct Refused {
    problem: Problem,
    headers: Vec<(&'static str, &'static str)>,
}

/// As what JavaScript throws.
fn refused(refusal: &Refusal) -> JsValue {
    let error = Error::new(refusal.as_str());
    let told = Refused { problem: refusal.problem(), headers: refusal.header().into_iter().collect() };
    match to_js(&told) {
        // Setting a property of an object made just above cannot fail.
        Ok(told) => drop(Reflect::set(&error, &"refusal".into(), &told)),
        Err(failed) => return failed,
    }
    error.into()
}

/// The refusal that comes of I/O.
#[wasm_bindgen]
#[must_use]
pub fn api_refusal(code: &str, told: &str) -> JsValue {
    refused(&Refusal::of_io(code, told))
}

/// What a request may do.
///
/// # Errors
/// The refusal.
#[wasm_bindgen]
#[allow(clippy::needless_pass_by_value)]
pub fn api_decide(
    tokens: Option<String>,
    method: &str,
    path: &str,
    authorization: Option<String>,
    keys: Vec<String>,
) -> Result<JsValue, JsValue> {
    let request = Request { method, path, authorization: authorization.as_deref(), keys: &keys };
    to_js(&api::decide(tokens.as_deref(), request).map_err(|refusal| refused(&refusal))?)
}

/// The message of an operation, read.
///
/// # Errors
/// The refusal.
#[wasm_bindgen]
pub fn api_message(operation: JsValue, text: &str) -> Result<JsValue, JsValue> {
    let operation: Operation = super::from_js(operation)?;
    let message = api::message(operation, text).map_err(|refusal| refused(&refusal))?;
    // What JavaScript cannot hold, no client means.
    to_js(&message).map_err(|_| api_refusal("bad-message", "it holds a number beyond 2^53"))
}

/// How many bytes the header of a frame takes, told by its first 12.
///
/// # Errors
/// The refusal of this code.
#[wasm_bindgen]
#[allow(clippy::cast_precision_loss)]
pub fn api_header_bytes(prefix: &[u8], code: &str) -> Result<f64, JsValue> {
    frame::header_bytes(prefix).map(|bytes| bytes as f64).map_err(|corrupt| api_refusal(code, corrupt.as_str()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FrameHeader {
    generation: u64,
    body_bytes: u64,
}

/// The generation of a frame and the length of its body, told by its header.
///
/// # Errors
/// The refusal of this code.
#[wasm_bindgen]
pub fn api_header(header: &[u8], code: &str) -> Result<JsValue, JsValue> {
    let entry = frame::read_header(header).map_err(|corrupt| api_refusal(code, corrupt.as_str()))?;
    let header = FrameHeader { generation: entry.generation, body_bytes: entry.body_bytes() };
    to_js(&header).map_err(|_| api_refusal(code, frame::Corrupt::Metadata.as_str()))
}

/// Whether the header `If-None-Match` names a generation.
#[wasm_bindgen]
#[must_use]
pub fn api_is_known(if_none_match: &str, generation: f64) -> bool {
    api::is_known(if_none_match, super::millis(generation).0)
}
