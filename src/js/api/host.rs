//! What the API needs of the process that it runs in. On Workers `pkg/worker` makes it of the bindings.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStream, Response};

use super::deadline::within;
use super::failed::Failed;
use crate::base::time::Span;
use crate::js::panic;
use crate::wire::api::{Failure, Refusal};

#[wasm_bindgen(typescript_custom_section)]
const INTERFACE: &str = r#"
/** What the API needs of the process that it runs in. */
export interface Host {
    /** The list of tokens, if there is one. */
    tokens: string | undefined;
    /** The stored entry of a key, or null. */
    readEntry(key: string): Promise<ReadableStream<Uint8Array> | null>;
    /** A route's coordinator. */
    route(name: string): Coordinator;
    /** An app's ledger. */
    ledger(name: string): Ledger;
    /** `pieces`, then the rest of `source`: so many bytes, or the stream breaks off. It is filled while it is read. */
    joined(bytes: number, pieces: Uint8Array[], source: ReadableStream<Uint8Array> | undefined): ReadableStream<Uint8Array>;
}

export interface Coordinator {
    acquire(name: string, message: object): PromiseLike<{ answer: object, waited?: boolean, header?: Uint8Array, body?: Uint8Array }>;
    publish(name: string, message: object, header: Uint8Array, body: Uint8Array): PromiseLike<object>;
    abandon(name: string, message: object): PromiseLike<unknown>;
    touch(name: string): PromiseLike<unknown>;
}

export interface Ledger {
    since(name: string, message: object): PromiseLike<object>;
    append(name: string, message: object): PromiseLike<object>;
    check(name: string, message: object): PromiseLike<string>;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Host")]
    pub type Host;

    #[wasm_bindgen(method, getter)]
    pub(super) fn tokens(this: &Host) -> Option<String>;

    #[wasm_bindgen(method, catch, js_name = readEntry)]
    pub(super) fn read_entry(this: &Host, key: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn route(this: &Host, name: &str) -> Result<Coordinator, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn ledger(this: &Host, name: &str) -> Result<Ledger, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn joined(
        this: &Host,
        bytes: f64,
        pieces: &Array,
        source: Option<ReadableStream>,
    ) -> Result<ReadableStream, JsValue>;

    pub(super) type Coordinator;

    #[wasm_bindgen(method, catch)]
    pub(super) fn acquire(this: &Coordinator, name: &str, message: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn publish(
        this: &Coordinator,
        name: &str,
        message: &JsValue,
        header: &Uint8Array,
        body: &Uint8Array,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn abandon(this: &Coordinator, name: &str, message: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn touch(this: &Coordinator, name: &str) -> Result<JsValue, JsValue>;

    pub(super) type Ledger;

    #[wasm_bindgen(method, catch)]
    pub(super) fn since(this: &Ledger, name: &str, message: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn append(this: &Ledger, name: &str, message: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn check(this: &Ledger, name: &str, message: &JsValue) -> Result<JsValue, JsValue>;

    /// The answer of a coordinator to `acquire`.
    pub(super) type Acquisition;

    #[wasm_bindgen(method, getter)]
    pub(super) fn answer(this: &Acquisition) -> JsValue;

    #[wasm_bindgen(method, getter)]
    pub(super) fn waited(this: &Acquisition) -> Option<bool>;

    #[wasm_bindgen(method, getter)]
    pub(super) fn header(this: &Acquisition) -> Option<Uint8Array>;

    #[wasm_bindgen(method, getter)]
    pub(super) fn body(this: &Acquisition) -> Option<Uint8Array>;

    #[wasm_bindgen(js_name = URL)]
    pub(super) type Url;

    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    pub(super) fn new(url: &str) -> Result<Url, JsValue>;

    #[wasm_bindgen(method, getter)]
    pub(super) fn pathname(this: &Url) -> String;

    #[wasm_bindgen(method, getter, js_name = searchParams)]
    pub(super) fn search_params(this: &Url) -> SearchParams;

    pub(super) type SearchParams;

    #[wasm_bindgen(method, js_name = getAll)]
    pub(super) fn get_all(this: &SearchParams, name: &str) -> Array;

    /// `Response`, with whatever body.
    #[wasm_bindgen(js_name = Response, extends = Response)]
    pub(super) type AnyResponse;

    #[wasm_bindgen(constructor, js_class = "Response", catch)]
    pub(super) fn of(body: &JsValue, init: &JsValue) -> Result<AnyResponse, JsValue>;

    type Thrown;

    #[wasm_bindgen(method, getter)]
    fn overloaded(this: &Thrown) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn retryable(this: &Thrown) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn message(this: &Thrown) -> JsValue;
}

/// What KV or an object answers to what was `sent` to it.
pub(super) async fn reached(limit: Span, sent: Result<JsValue, JsValue>) -> Result<JsValue, Failed> {
    // What an object answers with only looks like a promise.
    let answer = sent.map_err(refused)?;
    let answer = JsFuture::from(Promise::resolve(&answer));
    let answer = within(limit, answer).await;
    panic::strike();
    match answer {
        Some(answer) => Ok(answer.map_err(refused)?),
        None => Err(Refusal::of_silence(limit).into()),
    }
}

fn refused(thrown: JsValue) -> Refusal {
    if thrown.is_null() || thrown.is_undefined() {
        return Refusal::of_failure(Failure::default());
    }
    let thrown: Thrown = thrown.unchecked_into();
    let message = thrown.message().as_string().unwrap_or_default();
    let overloaded = thrown.overloaded().is_truthy();
    let retryable = thrown.retryable().as_bool() == Some(true);
    Refusal::of_failure(Failure { overloaded, retryable, message: &message })
}
