//! A route's coordinator: the lease machine over one row of SQLite.

use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;
use worker::{SqlStorage, SqlStorageValue};

use super::{failed, from_js, millis, rows, run, sql, to_js};
use crate::base::limits::RoutePolicy;
use crate::base::time::Millis;
use crate::entry::frame;
use crate::entry::{Entry, KeyLife};
use crate::route::{Answer, Effect, Event, Route};
use crate::wire::{Abandon, Acquire, Acquired, Publish, Published};

/// One route's state in its object's storage.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RouteObject {
    sql: SqlStorage,
    policy: RoutePolicy,
}

/// What the JavaScript class does with an outcome.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Orders {
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<AnyAnswer>,
    keep_bytes: bool,
    drop_bytes: bool,
    wake: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    put: Option<u64>,
    delete_all: bool,
    alarm_at: Millis,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AnyAnswer {
    Acquired(Acquired),
    Published(Published),
}

#[wasm_bindgen]
impl RouteObject {
    /// The state of the object that `state` belongs to.
    ///
    /// # Errors
    /// When an option makes no sense, or storage fails.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, options: JsValue) -> Result<Self, JsValue> {
        let policy: RoutePolicy = from_js(options)?;
        let policy = policy.validated().map_err(|e| failed(&e.to_string()))?;
        let sql = sql(state);
        run(&sql, "CREATE TABLE IF NOT EXISTS route (id INTEGER PRIMARY KEY, row TEXT NOT NULL)", Vec::new())?;
        run(&sql, "CREATE TABLE IF NOT EXISTS body (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)", Vec::new())?;
        Ok(Self { sql, policy })
    }

    /// Takes an `acquire` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn acquire(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let Acquire { have, holder, position, need, .. } = from_js(message)?;
        self.step(millis(now), Event::Acquire { have, holder, position, need })
    }

    /// Takes a `publish` message with the entry's header; the answer's orders come with the header to keep.
    ///
    /// # Errors
    /// When the message or the header is malformed, or storage fails.
    pub fn publish(&self, message: JsValue, header: &[u8], body_bytes: f64, now: f64) -> Result<Publication, JsValue> {
        let Publish { lease, seed, render_ms } = from_js(message)?;
        let total = millis(body_bytes).0.saturating_add(header.len() as u64);
        let mut entry = frame::read(header, total)
            .map_err(|corrupt| failed(&format!("the published entry is not one: {}", corrupt.as_str())))?;
        let lease = lease.map(|lease| (lease.generation, lease.holder));
        let event = Event::Publish { lease, position: entry.position, seed, render_time: render_ms, bytes: total };
        let (orders, generation) = self.publish_step(millis(now), event)?;
        let header = generation.map(|generation| {
            entry.generation = generation;
            self.begin_key_life(entry, millis(now))
        });
        Ok(Publication { orders, header })
    }

    /// Takes an `abandon` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn abandon(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let Abandon { lease, reason } = from_js(message)?;
        let event = Event::Abandon { generation: lease.generation, holder: lease.holder, reason };
        self.step(millis(now), event)
    }

    /// A reader found the KV key past half of its life.
    ///
    /// # Errors
    /// When storage fails.
    pub fn touch(&self, now: f64) -> Result<JsValue, JsValue> {
        self.step(millis(now), Event::Touch)
    }

    /// A put has ended.
    ///
    /// # Errors
    /// When storage fails.
    pub fn put_ended(&self, generation: f64, confirmed: bool, now: f64) -> Result<JsValue, JsValue> {
        self.step(millis(now), Event::PutEnded { generation: millis(generation).0, confirmed })
    }

    /// The bytes of a generation are neither here nor in KV.
    ///
    /// # Errors
    /// When storage fails.
    pub fn bytes_lost(&self, generation: f64, now: f64) -> Result<JsValue, JsValue> {
        self.step(millis(now), Event::BytesLost { generation: millis(generation).0 })
    }

    /// The object was started anew.
    ///
    /// # Errors
    /// When storage fails.
    pub fn restarted(&self, now: f64) -> Result<JsValue, JsValue> {
        self.step(millis(now), Event::Restarted)
    }

    /// The alarm rang.
    ///
    /// # Errors
    /// When storage fails.
    pub fn alarm(&self, now: f64) -> Result<JsValue, JsValue> {
        self.step(millis(now), Event::Alarm)
    }

    /// The header of an entry that is put into KV now.
    ///
    /// # Errors
    /// When the bytes are not the header of an entry.
    pub fn header_to_put(&self, header: &[u8], now: f64) -> Result<Uint8Array, JsValue> {
        let entry = frame::read_header(header)
            .map_err(|corrupt| failed(&format!("what is kept is not an entry: {}", corrupt.as_str())))?;
        Ok(self.begin_key_life(entry, millis(now)))
    }

    /// The lifetime of the KV key, in seconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn kv_ttl_seconds(&self) -> f64 {
        self.policy.kv_ttl_seconds as f64
    }

    /// Readers learn from the entry itself when to ask for a prolongation.
    fn begin_key_life(&self, mut entry: Entry, now: Millis) -> Uint8Array {
        entry.key_life = Some(KeyLife { put_at: now, seconds: self.policy.kv_ttl_seconds });
        Uint8Array::from(frame::header(&entry).as_slice())
    }

    fn step(&self, now: Millis, event: Event) -> Result<JsValue, JsValue> {
        let (mut route, stored) = self.load(now)?;
        let outcome = route.step(&self.policy, now, event);
        if stored.as_ref() != Some(&route) {
            self.store(&route)?;
        }
        to_js(&self.orders(&route, outcome.answer, &outcome.effects))
    }

    fn publish_step(&self, now: Millis, event: Event) -> Result<(JsValue, Option<u64>), JsValue> {
        let (mut route, _) = self.load(now)?;
        let outcome = route.step(&self.policy, now, event);
        self.store(&route)?;
        let kept = outcome.effects.iter().find_map(|effect| match effect {
            Effect::KeepBytes { generation } => Some(*generation),
            _ => None,
        });
        Ok((to_js(&self.orders(&route, outcome.answer, &outcome.effects))?, kept))
    }

    fn orders(&self, route: &Route, answer: Answer, effects: &[Effect]) -> Orders {
        let answer = Published::from_answer(&answer, &self.policy)
            .map(AnyAnswer::Published)
            .or_else(|| Acquired::from_answer(answer).map(AnyAnswer::Acquired));
        let mut orders = Orders {
            answer,
            keep_bytes: false,
            drop_bytes: false,
            wake: false,
            put: None,
            delete_all: false,
            alarm_at: route.alarm_at(&self.policy),
        };
        for effect in effects {
            match effect {
                Effect::KeepBytes { .. } => orders.keep_bytes = true,
                Effect::DropBytes => orders.drop_bytes = true,
                Effect::Wake => orders.wake = true,
                Effect::Put { generation } => orders.put = Some(*generation),
                Effect::DeleteAll => orders.delete_all = true,
            }
        }
        orders
    }

    /// The route, and what is stored of it. A row that cannot be read is replaced: whatever it said, the creation time
    /// of its successor lies above every generation it can have handed out.
    fn load(&self, now: Millis) -> Result<(Route, Option<Route>), JsValue> {
        let row = rows(&self.sql, "SELECT row FROM route WHERE id = 1", Vec::new())?;
        let stored = row.first().and_then(|row| row.first()).and_then(|value| match value {
            SqlStorageValue::String(text) => match serde_json::from_str::<Route>(text) {
                Ok(route) => Some(route),
                Err(error) => {
                    worker::console_error!("onegen: a route's stored state was unreadable and is begun anew: {error}");
                    None
                }
            },
            _ => None,
        });
        Ok((stored.clone().unwrap_or_else(|| Route::new(now)), stored))
    }

    fn store(&self, route: &Route) -> Result<(), JsValue> {
        let row = serde_json::to_string(route).map_err(|error| failed(&error.to_string()))?;
        run(&self.sql, "INSERT OR REPLACE INTO route (id, row) VALUES (1, ?)", vec![row.into()])
    }
}

/// The outcome of a publication.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Publication {
    orders: JsValue,
    header: Option<Uint8Array>,
}

#[wasm_bindgen]
impl Publication {
    /// What to do and to answer.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn orders(&self) -> JsValue {
        self.orders.clone()
    }

    /// The header to keep with the body, stamped with its generation; undefined when the publication was refused.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn header(&self) -> Option<Uint8Array> {
        self.header.clone()
    }
}
