//! Answers: JSON, frames, and the one way to refuse.

use std::cell::RefCell;
use std::collections::BTreeSet;

use js_sys::{Array, Error, JSON, JsString, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::web_sys::{Headers, ReadableStream, Response};

use super::failed::Failed;
use super::host::{AnyResponse, Host};
use crate::wire::api::Refusal;

/// The answer that tells why there is no other.
pub(super) fn failure(failed: Failed) -> Response {
    let told = match failed {
        Failed::Refused(refusal) => refusal,
        Failed::Broken(thrown) => {
            worker::console_error!("onegen: the HTTPS API failed: {}", description(&thrown));
            Refusal::Internal
        }
    };
    refusal(&told).unwrap_or_else(|_| Response::error())
}

/// The response that a refusal is.
pub(super) fn refusal(refusal: &Refusal) -> Result<Response, JsValue> {
    let problem = refusal.problem();
    if refusal.is_of_everything() {
        complain(&problem.detail);
    }
    let headers = Headers::new()?;
    if let Some((name, value)) = refusal.header() {
        headers.set(name, value)?;
    }
    headers.set("content-type", "application/problem+json")?;
    headers.set("cache-control", "no-store")?;
    let text = serde_json::to_string(&problem).map_err(|error| Error::new(&error.to_string()))?;
    response(&text.into(), problem.status, &headers)
}

/// A JSON text as an answer. `private` keeps caches from storing it.
pub(super) fn json(text: &JsValue, private: bool) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    if private {
        headers.set("cache-control", "no-store")?;
    }
    response(text, 200, &headers)
}

/// A value of JavaScript as JSON text.
pub(super) fn stringified(value: &JsValue) -> Result<JsValue, JsValue> {
    JSON::stringify(value).map(JsValue::from)
}

/// An answer without a body.
pub(super) fn empty(status: u16, headers: &Headers) -> Result<Response, JsValue> {
    response(&JsValue::NULL, status, headers)
}

/// A frame as it is stored: pieces of it, then what follows in a stream. Its length is told, so that one that breaks off is
/// noticed.
pub(super) fn frame(
    host: &Host,
    total: u64,
    pieces: &[Uint8Array],
    rest: Option<ReadableStream>,
    headers: &Headers,
) -> Result<Response, JsValue> {
    headers.set("content-type", "application/octet-stream")?;
    headers.set("cache-control", "no-store")?;
    let pieces: Array = pieces.iter().filter(|piece| piece.length() > 0).collect();
    #[allow(clippy::cast_precision_loss)]
    let stream = host.joined(total as f64, &pieces, rest)?;
    response(&stream, 200, headers)
}

fn response(body: &JsValue, status: u16, headers: &Headers) -> Result<Response, JsValue> {
    let init = Object::new();
    Reflect::set(&init, &"status".into(), &status.into())?;
    Reflect::set(&init, &"headers".into(), headers)?;
    Ok(AnyResponse::of(body, &init)?.into())
}

/// An error with its stack, where it has one.
fn description(thrown: &JsValue) -> String {
    let stack = Reflect::get(thrown, &"stack".into()).ok().and_then(|stack| stack.as_string());
    stack.unwrap_or_else(|| JsString::from(thrown.clone()).into())
}

thread_local! {
    /// Mistakes in the configuration that this isolate has told of already.
    static TOLD: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The log tells a refusal of everything too, once.
fn complain(detail: &str) {
    if TOLD.with(|told| told.borrow_mut().insert(detail.to_owned())) {
        worker::console_error!("onegen: {detail}");
    }
}
