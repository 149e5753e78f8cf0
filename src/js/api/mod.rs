//! The HTTPS API (docs/api.md): what a request may do is decided in [`crate::wire::api`]; here it is done.
//!
//! A request is a future. All that it waits for has a deadline, KV and the objects are reached through the interface that the
//! caller hands in, and bodies stay streams and arrays of JavaScript. A panic settles no promise: the caller of [`answer`] waits
//! beside it for the report, or for [`outer_limit_ms`], and then answers with [`interrupted`].

mod answers;
mod bytes;
mod deadline;
mod failed;
mod frames;
mod host;
mod operations;

use std::cell::RefCell;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use worker::wasm_bindgen_futures::future_to_promise;
use worker::web_sys::{Request, Response};

use super::panic;
use crate::wire::api::{self, BODY_LIMIT, DROP_LIMIT, DROPPED_BYTES, OUTER_LIMIT, Permit, Place, Refusal};
use bytes::Bytes;
use failed::Failed;
use host::{Host, Url};

thread_local! {
    static BROKEN: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// The answer to a request. `broken` is called when a panic has broken this instance: then no promise of it is sure to settle.
#[wasm_bindgen(unchecked_return_type = "Promise<Response>")]
pub fn answer(
    request: Request,
    host: Host,
    #[wasm_bindgen(unchecked_param_type = "() => void")] broken: Function,
) -> Promise {
    panic::install(
        "the HTTPS API (requests in flight are answered with 503, the next one has a fresh instance; please report it)",
        report,
    );
    BROKEN.with(|cell| cell.replace(Some(broken)));
    future_to_promise(async move { Ok(answered(&request, &host).await.into()) })
}

/// The answer to a request that a broken instance has left behind.
///
/// # Errors
/// When the host cannot make a response.
#[wasm_bindgen]
pub fn interrupted() -> Result<Response, JsValue> {
    answers::refusal(&Refusal::Interrupted)
}

/// After so many milliseconds a request that has no answer was left behind.
#[wasm_bindgen]
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn outer_limit_ms() -> f64 {
    OUTER_LIMIT.0 as f64
}

/// Does nothing. Called before anything else, it lets wasm-bindgen put a fresh instance in the place of a broken one.
#[wasm_bindgen]
pub fn heal() {}

/// Lets the next call begin with a fresh instance: this one has left a request behind without saying so.
#[wasm_bindgen]
pub fn give_up() {
    wasm_bindgen::handler::schedule_reinit();
}

fn report() {
    let broken = BROKEN.with(|cell| cell.try_borrow_mut().ok().and_then(|mut cell| cell.take()));
    if let Some(broken) = broken {
        // It ends promises of the caller's; there is nobody left to tell that it threw.
        let _ = broken.call0(&JsValue::UNDEFINED);
    }
}

async fn answered(request: &Request, host: &Host) -> Response {
    let mut sent = Bytes::of_stream(request.body());
    let failed = match served(request, host, &mut sent).await {
        Ok(response) => return response,
        Err(failed) => failed,
    };
    // A client that cannot go on sending may never read its answer. One that went away makes no difference.
    let _ = deadline::within(DROP_LIMIT, sent.drop_up_to(DROPPED_BYTES)).await;
    sent.cancel();
    answers::failure(failed)
}

async fn served(request: &Request, host: &Host, sent: &mut Bytes) -> Result<Response, Failed> {
    let url = Url::new(&request.url())?;
    let path = url.pathname();
    match api::place(&path) {
        Place::Health => Ok(answers::json(&serde_json::json!({ "status": "ok" }).to_string().into(), false)?),
        Place::Nowhere => Err(Refusal::NotFound { path }.into()),
        Place::Api => {
            let permit = permit(request, host, &url, &path)?;
            operations::Call { request, host, permit: &permit, sent }.perform().await
        }
    }
}

fn permit(request: &Request, host: &Host, url: &Url, path: &str) -> Result<Permit, Failed> {
    let authorization = request.headers().get("authorization")?;
    let keys: Vec<_> = url.search_params().get_all("key").iter().filter_map(|key| key.as_string()).collect();
    let asked = api::Request { method: &request.method(), path, authorization: authorization.as_deref(), keys: &keys };
    Ok(api::decide(host.tokens().as_deref(), asked)?)
}

/// How long the body of a request says that it is.
fn declared_length(request: &Request, permit: &Permit) -> Result<Option<u64>, Failed> {
    Ok(api::declared_length(request.headers().get("content-length")?.as_deref(), permit.body_limit)?)
}

/// What is read of a request's body, if that arrives in time.
async fn arrived<T>(read: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    deadline::within(BODY_LIMIT, read).await.unwrap_or(Err(Refusal::SlowBody.into()))
}
