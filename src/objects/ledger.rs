//! An app's ledger: the ledger machine over a table of tag stamps.

use std::cell::RefCell;
use std::collections::BTreeMap;

use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;
use worker::{SqlStorage, SqlStorageValue};

use super::{failed, from_js, millis, number, rows, run, sql, to_js, whole};
use crate::ledger::{Answer, Event, Ledger, Stamp};
use crate::position::Position;
use crate::time::Millis;
use crate::wire::{Append, Check, SinceQuestion};

/// One app's ledger in its object's storage.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LedgerObject {
    sql: SqlStorage,
    /// The table as last read; its head is compared with the stored one before every answer.
    cached: RefCell<Option<Ledger>>,
}

#[wasm_bindgen]
impl LedgerObject {
    /// The ledger of the object that `state` belongs to.
    ///
    /// # Errors
    /// When storage fails.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState) -> Result<Self, JsValue> {
        let sql = sql(state);
        run(
            &sql,
            "CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, number INTEGER NOT NULL)",
            Vec::new(),
        )?;
        run(
            &sql,
            "CREATE TABLE IF NOT EXISTS tag (tag TEXT PRIMARY KEY, hard INTEGER NOT NULL, soft INTEGER NOT NULL, soft_ends_at INTEGER) WITHOUT ROWID",
            Vec::new(),
        )?;
        Ok(Self { sql, cached: RefCell::new(None) })
    }

    /// Takes a `since` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn since(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let SinceQuestion { position } = from_js(message)?;
        self.step(millis(now), Event::Since { position })
    }

    /// Takes an `append` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn append(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let Append { position, tags, profile } = from_js(message)?;
        self.step(millis(now), Event::Append { position, tags, profile })
    }

    /// Takes a `check` message.
    ///
    /// # Errors
    /// When the message is malformed or storage fails.
    pub fn check(&self, message: JsValue, now: f64) -> Result<JsValue, JsValue> {
        let Check { position, tags } = from_js(message)?;
        self.step(millis(now), Event::Check { position, tags })
    }

    fn step(&self, now: Millis, event: Event) -> Result<JsValue, JsValue> {
        let mut ledger = self.current(now)?;
        let outcome = ledger.step(now, event);
        if !outcome.changed.is_empty() {
            self.store(&ledger, &outcome.changed)?;
        }
        self.cached.replace(Some(ledger));
        match outcome.answer {
            Answer::Since(since) => to_js(&since),
            Answer::Checked(invalidation) => to_js(&invalidation),
        }
    }

    /// Takes the cached table out if it is still what storage holds; a step that fails half-way leaves no cache behind.
    fn current(&self, now: Millis) -> Result<Ledger, JsValue> {
        let Some(head) = self.stored_head()? else {
            let ledger = Ledger::new(now);
            self.store(&ledger, &[])?;
            return Ok(ledger);
        };
        match self.cached.take() {
            Some(ledger) if ledger.head() == head => Ok(ledger),
            _ => Ok(Ledger::restored(head, self.stored_tags()?)),
        }
    }

    fn stored_head(&self) -> Result<Option<Position>, JsValue> {
        let stored = rows(&self.sql, "SELECT epoch, number FROM head WHERE id = 1")?;
        match stored.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([epoch, number]) => match (whole(epoch), whole(number)) {
                (Some(epoch), Some(number)) => Ok(Some(Position { epoch, number })),
                _ => Err(failed("the ledger's head is unreadable")),
            },
            Some(_) => Err(failed("the ledger's head is unreadable")),
        }
    }

    fn stored_tags(&self) -> Result<BTreeMap<String, Stamp>, JsValue> {
        rows(&self.sql, "SELECT tag, hard, soft, soft_ends_at FROM tag")?
            .into_iter()
            .map(|row| match row.as_slice() {
                [SqlStorageValue::String(tag), hard, soft, ends] => Ok((
                    tag.clone(),
                    Stamp {
                        hard: whole(hard).unwrap_or(0),
                        soft: whole(soft).unwrap_or(0),
                        soft_ends_at: whole(ends).map(Millis),
                    },
                )),
                _ => Err(failed("a row of the ledger is unreadable")),
            })
            .collect()
    }

    fn store(&self, ledger: &Ledger, tags: &[String]) -> Result<(), JsValue> {
        let Position { epoch, number: head } = ledger.head();
        for tag in tags {
            let stamp = ledger.stamp(tag).unwrap_or_default();
            let ends = match stamp.soft_ends_at {
                Some(end) => number(end.0)?,
                None => SqlStorageValue::Null,
            };
            run(
                &self.sql,
                "INSERT OR REPLACE INTO tag (tag, hard, soft, soft_ends_at) VALUES (?, ?, ?, ?)",
                vec![tag.clone().into(), number(stamp.hard)?, number(stamp.soft)?, ends],
            )?;
        }
        run(
            &self.sql,
            "INSERT OR REPLACE INTO head (id, epoch, number) VALUES (1, ?, ?)",
            vec![number(epoch)?, number(head)?],
        )
    }
}
