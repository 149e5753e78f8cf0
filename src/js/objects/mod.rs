//! The Durable Objects' state and decisions: load, step, store, answer. Synchronous, like everything JavaScript calls.
//!
//! The JavaScript classes around these own what Rust should not: held requests, body bytes, promises. Each method does all its
//! SQL in one synchronous run and touches storage before it answers, so its writes land together, and an instance that the
//! runtime has superseded fails instead of answering.

mod ledger;
mod route;

use js_sys::{Error, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;
use worker::{SqlStorage, SqlStorageValue, State};

use crate::base::time::Millis;
use crate::entry::frame;

pub use ledger::LedgerObject;
pub use route::RouteObject;

/// Does nothing. Called after a panic, it lets wasm-bindgen put a fresh instance in the place of the broken one.
#[wasm_bindgen]
pub fn heal() {}

/// The KV key under which a ledger leaves the random id of the namespace that its Worker sees.
#[wasm_bindgen]
#[must_use]
pub fn namespace_id_key(ledger_name: &str) -> String {
    crate::entry::key::namespace_id_key(ledger_name)
}

#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| {
        worker::console_error!("onegen: panic in an object: {info}");
        wasm_bindgen::handler::schedule_reinit();
    }));
}

fn sql(state: DurableObjectState) -> SqlStorage {
    State::from(state).storage().sql()
}

fn failed(message: &str) -> JsValue {
    let error = Error::new(message);
    // Setting a property of an object made just above cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &"object-failed".into());
    error.into()
}

fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|e| failed(&format!("the message is malformed: {e}")))
}

fn to_js<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    value.serialize(&Serializer::new()).map_err(|e| failed(&e.to_string()))
}

fn run(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<(), JsValue> {
    sql.exec(query, values).map(drop).map_err(JsValue::from)
}

fn rows(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<Vec<SqlStorageValue>>, JsValue> {
    let mut all = Vec::new();
    each_row(sql, query, values, |row| {
        all.push(row.to_vec());
        Ok(true)
    })?;
    Ok(all)
}

/// Takes one row after the other, and reads no further than to the one that says that it was the last.
fn each_row(
    sql: &SqlStorage,
    query: &str,
    values: Vec<SqlStorageValue>,
    mut take: impl FnMut(&[SqlStorageValue]) -> Result<bool, JsValue>,
) -> Result<(), JsValue> {
    let cursor = sql.exec(query, values).map_err(JsValue::from)?;
    for row in cursor.raw() {
        if !take(&row.map_err(JsValue::from)?)? {
            break;
        }
    }
    Ok(())
}

/// Whole numbers cross as doubles in both directions; all of ours stay below 2^53.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn whole(value: &SqlStorageValue) -> Option<u64> {
    match value {
        SqlStorageValue::Integer(number) => Some(number.unsigned_abs()),
        SqlStorageValue::Float(number) => Some(*number as u64),
        _ => None,
    }
}

fn number(value: u64) -> Result<SqlStorageValue, JsValue> {
    let value = i64::try_from(value).map_err(|_| failed("a number is out of range"))?;
    SqlStorageValue::try_from_i64(value).map_err(JsValue::from)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn millis(now: f64) -> Millis {
    Millis(now as u64)
}

/// The generation of a stored value, told by its header and its length; undefined when it is not an entry.
#[wasm_bindgen]
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn generation_of(header: &[u8], total: f64) -> Option<f64> {
    frame::read(header, millis(total).0).ok().map(|entry| entry.generation as f64)
}
