//! A route's coordinator: the lease machine over one row of SQLite.
//!
//! What the object does, and in which order, comes from here as orders ([`crate::route::Orders`]). The JavaScript class performs what Rust
//! should not: it holds requests, and it moves the bytes of bodies between SQLite, KV and its callers.

use std::cell::Cell;

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
use crate::route::{Alarm, Answer, Event, Order, Route};
use crate::wire::{Abandon, Acquire, Acquired, Next, Publish, Published};

/// What an object keeps: its state, the runs of the latest entry's bytes, its own name.
const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS route (id INTEGER PRIMARY KEY, row TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS body (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
];

/// One route's state in its object's storage.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RouteObject {
    sql: SqlStorage,
    policy: RoutePolicy,
    alarm: Cell<Alarm>,
}

/// What a step of the state says.
#[derive(Debug, Serialize)]
struct Told<T> {
    /// What the caller is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<T>,
    /// What to do before the caller is told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
    /// What to do in any case, in order.
    effects: Vec<Order>,
}

/// How a put into KV ended.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// KV has confirmed it.
    Confirmed,
    /// Nobody knows whether it happened.
    Uncertain,
    /// The bytes are neither in the object nor in KV.
    Lost,
}

#[wasm_bindgen]
impl RouteObject {
    /// The state of the object that `state` belongs to, whose alarm rings at `alarm_at` if it is set.
    ///
    /// # Errors
    /// When an option makes no sense, or storage fails.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, options: JsValue, alarm_at: Option<f64>) -> Result<Self, JsValue> {
        let policy: RoutePolicy = from_js(options)?;
        let policy = policy.validated().map_err(|e| failed(&e.to_string()))?;
        let sql = sql(state);
        for table in TABLES {
            run(&sql, table, Vec::new())?;
        }
        Ok(Self { sql, policy, alarm: Cell::new(Alarm(alarm_at.map(millis))) })
    }

    /// Takes an `acquire` message that arrived at `begun`.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn acquire(&self, message: JsValue, begun: f64, now: f64) -> Result<JsValue, JsValue> {
        let Acquire { have, holder, position, need, wait_ms } = from_js(message)?;
        let now = millis(now);
        let (answer, effects) = self.step(now, Event::Acquire { have, holder, position, need })?;
        let answer = Acquired::from_answer(answer);
        let left = wait_ms.less(now.since(millis(begun)));
        let next = answer.as_ref().map(|answer| answer.next(left));
        to_js(&Told { answer, next, effects })
    }

    /// Takes a `publish` message with the entry's header, for the route of this name. Where bytes are to be kept, the header to keep
    /// before them comes with the answer.
    ///
    /// # Errors
    /// When the message or the header is malformed, or storage fails.
    pub fn publish(
        &self,
        name: &str,
        message: JsValue,
        header: &[u8],
        body_bytes: f64,
        now: f64,
    ) -> Result<Publication, JsValue> {
        let Publish { lease, seed, render_ms } = from_js(message)?;
        let total = millis(body_bytes).0.saturating_add(header.len() as u64);
        let mut entry = frame::read(header, total)
            .map_err(|corrupt| failed(&format!("the published entry is not one: {}", corrupt.as_str())))?;
        let lease = lease.map(|lease| (lease.generation, lease.holder));
        let event = Event::Publish { lease, position: entry.position, seed, render_time: render_ms, bytes: total };
        let now = millis(now);
        let mut keeps_bytes = false;
        let (answer, effects) = self.step_with(now, event, |order| keeps_bytes |= order == Order::KeepBytes)?;
        let answer = Published::from_answer(&answer, &self.policy);
        let mut kept = None;
        if keeps_bytes && let Some(Published::Accepted { generation, .. }) = &answer {
            if self.name()?.is_none() {
                run(&self.sql, "INSERT INTO name (id, name) VALUES (1, ?)", vec![name.into()])?;
            }
            entry.generation = *generation;
            kept = Some(self.begin_key_life(entry, now));
        }
        Ok(Publication { told: to_js(&Told { answer, next: None, effects })?, header: kept })
    }

    /// Takes an `abandon` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn abandon(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let Abandon { lease, reason } = from_js(message)?;
        let event = Event::Abandon { generation: lease.generation, holder: lease.holder, reason };
        self.tell(millis(now), event)
    }

    /// A reader found the KV key past half of its life.
    ///
    /// # Errors
    /// When storage fails.
    pub fn touch(&self, now: f64) -> Result<JsValue, JsValue> {
        self.tell(millis(now), Event::Touch)
    }

    /// A put has ended.
    ///
    /// # Errors
    /// When storage fails.
    pub fn put_ended(&self, generation: f64, how: Put, now: f64) -> Result<JsValue, JsValue> {
        let (now, generation) = (millis(now), millis(generation).0);
        let ended = Event::PutEnded { generation, confirmed: how == Put::Confirmed };
        let (_, mut effects) = self.step(now, ended)?;
        if how == Put::Lost {
            // The next reader is granted a lease.
            effects.extend(self.step(now, Event::BytesLost { generation })?.1);
        }
        to_js(&Told::<()> { answer: None, next: None, effects })
    }

    /// The bytes of a generation are neither here nor in KV.
    ///
    /// # Errors
    /// When storage fails.
    pub fn bytes_lost(&self, generation: f64, now: f64) -> Result<JsValue, JsValue> {
        self.tell(millis(now), Event::BytesLost { generation: millis(generation).0 })
    }

    /// The object was started anew.
    ///
    /// # Errors
    /// When storage fails.
    pub fn restarted(&self, now: f64) -> Result<JsValue, JsValue> {
        self.tell(millis(now), Event::Restarted)
    }

    /// The alarm rang: none is set any more.
    ///
    /// # Errors
    /// When storage fails.
    pub fn alarm(&self, now: f64) -> Result<JsValue, JsValue> {
        self.alarm.set(Alarm(None));
        self.tell(millis(now), Event::Alarm)
    }

    /// When the alarm rings, if it is set: for a step whose transaction failed, because its orders were not performed.
    pub fn alarm_is_set(&self, alarm_at: Option<f64>) {
        self.alarm.set(Alarm(alarm_at.map(millis)));
    }

    /// The name of the route, once an entry of it was published.
    ///
    /// # Errors
    /// When storage fails.
    pub fn name(&self) -> Result<Option<String>, JsValue> {
        let row = rows(&self.sql, "SELECT name FROM name WHERE id = 1", Vec::new())?;
        Ok(match row.first().map(Vec::as_slice) {
            Some([SqlStorageValue::String(name)]) => Some(name.clone()),
            _ => None,
        })
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

    /// Readers learn from the entry itself when to ask for a prolongation.
    fn begin_key_life(&self, mut entry: Entry, now: Millis) -> Uint8Array {
        entry.key_life = Some(KeyLife { put_at: now, seconds: self.policy.kv_ttl_seconds });
        Uint8Array::from(frame::header(&entry).as_slice())
    }

    fn tell(&self, now: Millis, event: Event) -> Result<JsValue, JsValue> {
        let (_, effects) = self.step(now, event)?;
        to_js(&Told::<()> { answer: None, next: None, effects })
    }

    fn step(&self, now: Millis, event: Event) -> Result<(Answer, Vec<Order>), JsValue> {
        self.step_with(now, event, |_| {})
    }

    /// Loads the state, takes one event, stores the state and writes what belongs to it; the answer, and what is done afterwards.
    fn step_with(
        &self,
        now: Millis,
        event: Event,
        mut note: impl FnMut(Order),
    ) -> Result<(Answer, Vec<Order>), JsValue> {
        let (mut route, stored) = self.load(now)?;
        let is_publication = matches!(event, Event::Publish { .. });
        let outcome = route.step(&self.policy, now, event);
        if is_publication || stored.as_ref() != Some(&route) {
            self.store(&route)?;
        }
        let mut alarm = self.alarm.get();
        let orders = alarm.orders(&route, &self.policy, now, &outcome.effects);
        for write in orders.writes {
            if write == Order::DropBytes {
                run(&self.sql, "DELETE FROM body", Vec::new())?;
            }
            note(write);
        }
        self.alarm.set(alarm);
        Ok((outcome.answer, orders.effects))
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
    told: JsValue,
    header: Option<Uint8Array>,
}

#[wasm_bindgen]
impl Publication {
    /// What to do and to answer.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn told(&self) -> JsValue {
        self.told.clone()
    }

    /// The header to keep with the body, stamped with its generation; undefined when no bytes are to be kept.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn header(&self) -> Option<Uint8Array> {
        self.header.clone()
    }
}
