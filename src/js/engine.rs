//! The surface that JavaScript calls: synchronous and total. Promises belong to JavaScript.
//!
//! There is one engine per instance of this module. After a panic the next call without arguments (`heal`) brings a fresh
//! instance; it must be configured anew, and machines of the old one are answered with a miss.

use std::cell::RefCell;

use js_sys::Uint8Array;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::panic;
use crate::base::limits::EngineOptions;
use crate::base::position::Position;
use crate::base::time::Span;
use crate::engine::{Bytes, Engine, Reply, Stored};
use crate::entry::Entry;
use crate::entry::frame;
use crate::entry::headers::{Lifetime, Served};
use crate::entry::key::{self, Kind};
use crate::route::lease_token::CarriedLease;

use super::convert::{Code, error, from_js, millis, option, step_to_js, to_js};

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

/// Makes the engine: once per isolate, and again after `heal`. An option that is left out has its default.
///
/// # Errors
/// `bad-option` with one sentence when an option makes no sense.
#[wasm_bindgen]
pub fn configure(
    app: Option<String>,
    memory_bytes: Option<f64>,
    window_ms: Option<f64>,
    wait_ms: Option<f64>,
    build: &str,
    secret: &str,
) -> Result<(), JsValue> {
    panic::install("the engine, answered with a miss", || {});
    let default = EngineOptions::default();
    let options = EngineOptions {
        app: app.unwrap_or(default.app),
        memory_bytes: option("memoryBytes", memory_bytes, default.memory_bytes)?,
        window_ms: Span(option("windowMs", window_ms, default.window_ms.0)?),
        wait_ms: Span(option("waitMs", wait_ms, default.wait_ms.0)?),
    };
    let options = options.validated().map_err(|e| error(Code::BadOption, &e.to_string()))?;
    let engine = Engine::new(options, build, secret).map_err(|e| error(Code::BadOption, &e.to_string()))?;
    ENGINE.with(|cell| cell.replace(Some(engine)));
    Ok(())
}

/// Takes a call; answers with a step.
///
/// # Errors
/// `bad-call` when the call is malformed, `not-configured` before `configure`.
#[wasm_bindgen]
pub fn begin(call: JsValue, now: f64) -> Result<JsValue, JsValue> {
    let call = from_js(call, Code::BadCall)?;
    with_engine(|engine| step_to_js(&engine.begin(call, millis(now))))
}

/// Goes on with a machine; answers with a step. What the reply says of stored bytes comes with their `header`.
///
/// # Errors
/// `bad-call` when the reply is malformed, `not-configured` before `configure`.
#[wasm_bindgen]
pub fn resume(machine: u32, reply: JsValue, now: f64, header: Option<Vec<u8>>) -> Result<JsValue, JsValue> {
    // A reply that cannot be read is one that did not come.
    let reply: Reply = from_js(reply, Code::BadCall).unwrap_or(Reply::Failed);
    let reply = reply.with_header(header.unwrap_or_default());
    with_engine(|engine| step_to_js(&engine.resume(machine, reply, millis(now))))
}

/// Goes on with a machine that named the effect `load`, told by plain arguments: most replies are of this kind, and a value that is
/// decoded field by field takes longer.
///
/// `kv` is 0 when KV was not asked, 1 when it has nothing, 2 when it has a value of `total` bytes that begins with `header`, 3 when it
/// could not be read. `since` is the ledger's answer, or undefined when the ledger was not asked or did not answer.
///
/// # Errors
/// `not-configured` before `configure`.
#[wasm_bindgen]
pub fn resume_loaded(
    machine: u32,
    now: f64,
    kv: u32,
    total: f64,
    header: Option<Vec<u8>>,
    since: JsValue,
) -> Result<JsValue, JsValue> {
    let kv = match kv {
        0 => None,
        1 => Some(Stored::Absent),
        2 => Some(Stored::Found(Bytes { header: header.unwrap_or_default(), total: millis(total).0 })),
        _ => Some(Stored::Unreadable),
    };
    // An answer that cannot be read is one that did not come.
    let since = if since.is_undefined() { None } else { from_js(since, Code::BadCall).ok() };
    with_engine(|engine| step_to_js(&engine.resume(machine, Reply::Loaded { kv, since }, millis(now))))
}

/// The slot of an entry in memory that is fresh for every reader; -1 when a read has more to say
/// ([`Engine::fresh_in_memory`]). `kind` is 0 for responses, 1 for data, 2 for what `use cache` keeps.
#[wasm_bindgen]
pub fn fresh_in_memory(kind: u32, key: &str, now: f64) -> f64 {
    panic::strike();
    let kind = match kind {
        0 => Kind::Response,
        1 => Kind::Data,
        _ => Kind::UseCache,
    };
    let look = |engine: &mut Engine| engine.fresh_in_memory(kind, key, millis(now));
    ENGINE
        .with(|cell| cell.try_borrow_mut().ok().and_then(|mut engine| engine.as_mut().and_then(look)))
        .map_or(-1.0, |slot| slot.0.into())
}

/// Where the copy of the ledger stands: epoch and number; zeros before `configure`.
#[wasm_bindgen]
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn ledger_position() -> Vec<f64> {
    let stands = |engine: &Engine| engine.ledger_position();
    let position = ENGINE.with(|cell| cell.try_borrow().ok().and_then(|engine| engine.as_ref().map(stands)));
    let Position { epoch, number } = position.unwrap_or_default();
    vec![epoch as f64, number as f64]
}

fn with_engine(run: impl FnOnce(&mut Engine) -> Result<JsValue, JsValue>) -> Result<JsValue, JsValue> {
    panic::strike();
    ENGINE.with(|cell| match cell.try_borrow_mut() {
        Ok(mut engine) => match engine.as_mut() {
            Some(engine) => run(engine),
            None => Err(error(Code::NotConfigured, "the engine was not configured: call configure() first")),
        },
        // Only a panic can leave it borrowed.
        Err(_) => {
            Err(error(Code::NotConfigured, "the engine is recovering from a panic: call heal(), then configure()"))
        }
    })
}

/// Does nothing. Called after a panic, it lets wasm-bindgen put a fresh instance in the place of the broken one.
#[wasm_bindgen]
pub fn heal() {}

/// The header of an entry.
///
/// # Errors
/// `bad-call` when the entry is malformed.
#[wasm_bindgen]
pub fn entry_header(entry: JsValue) -> Result<Uint8Array, JsValue> {
    let entry: Entry = from_js(entry, Code::BadCall)?;
    Ok(Uint8Array::from(frame::header(&entry).as_slice()))
}

/// The lease in a header value, or undefined when it is none of ours.
#[wasm_bindgen]
pub fn verify_lease(token: &str, secret: &str) -> JsValue {
    CarriedLease::verify(token, secret).and_then(|lease| to_js(&lease).ok()).unwrap_or(JsValue::UNDEFINED)
}

/// The name under which an entry is stored and coordinated.
///
/// # Errors
/// `bad-call` for an unknown kind, `not-configured` before `configure`.
#[wasm_bindgen]
pub fn entry_key(kind: &str, key: &str) -> Result<JsValue, JsValue> {
    let kind = Kind::deserialize(StrDeserializer::<ValueError>::new(kind))
        .map_err(|e| error(Code::BadCall, &e.to_string()))?;
    with_engine(|engine| Ok(engine.scope().entry_key(kind, key).into()))
}

/// The name of the app's ledger.
///
/// # Errors
/// `not-configured` before `configure`.
#[wasm_bindgen]
pub fn ledger_name() -> Result<JsValue, JsValue> {
    with_engine(|engine| Ok(engine.scope().ledger_name().into()))
}

/// The KV key under which the app's ledger leaves the random id of the namespace that its Worker sees.
///
/// # Errors
/// `not-configured` before `configure`.
#[wasm_bindgen]
pub fn namespace_id_key() -> Result<JsValue, JsValue> {
    with_engine(|engine| Ok(key::namespace_id_key(&engine.scope().ledger_name()).into()))
}

/// `Cache-Control` for an entry served at an age in milliseconds.
#[wasm_bindgen]
pub fn cache_control(revalidate: Option<u32>, expire: Option<u32>, age_ms: f64, stale: bool) -> String {
    crate::entry::headers::cache_control(Lifetime { revalidate, expire, age: Span(millis(age_ms).0) }, stale)
}

/// `Cache-Status` of a response that was served from an entry: `served` is `hit`, `stale` or `collapsed`.
#[wasm_bindgen]
pub fn cache_status_of_entry(
    served: &str,
    revalidate: Option<u32>,
    expire: Option<u32>,
    age_ms: f64,
    generation: f64,
    detail: &str,
) -> String {
    let lifetime = Lifetime { revalidate, expire, age: Span(millis(age_ms).0) };
    let served = match served {
        "stale" => Served::Stale,
        "collapsed" => Served::Collapsed,
        _ => Served::Hit,
    };
    crate::entry::headers::cache_status(served, Some(lifetime), Some(millis(generation).0), detail)
}

/// `Cache-Status` of a response that was rendered.
#[wasm_bindgen]
pub fn cache_status_of_render(renewed: bool, collapsed: bool, detail: &str) -> String {
    let served = match (collapsed, renewed) {
        (true, _) => Served::Collapsed,
        (false, true) => Served::Renewed,
        (false, false) => Served::Miss,
    };
    crate::entry::headers::cache_status(served, None, None, detail)
}

/// What the engine holds: bytes of the memory tier, calls in progress, corrupt values met, bytes of wasm memory.
///
/// # Errors
/// `not-configured` before `configure`.
#[wasm_bindgen]
pub fn stats() -> Result<JsValue, JsValue> {
    with_engine(|engine| {
        to_js(&Stats {
            memory_bytes: engine.memory_bytes(),
            machines: engine.machines(),
            corrupt_values: engine.corrupt_values(),
            wasm_bytes: core::arch::wasm32::memory_size(0).saturating_mul(65536),
        })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    memory_bytes: u64,
    machines: usize,
    corrupt_values: u64,
    wasm_bytes: usize,
}
