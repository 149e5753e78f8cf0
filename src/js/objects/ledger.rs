//! An app's ledger: the ledger machine over a table of tag stamps.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;
use worker::{SqlStorage, SqlStorageValue};

use super::{each_row, failed, from_js, millis, number, rows, run, sql, to_js, whole};
use crate::base::limits::LedgerPolicy;
use crate::base::position::Position;
use crate::base::time::{Millis, Span};
use crate::ledger::Load;
use crate::ledger::{Answer, Event, Extent, Ledger, Stamp, Table};
use crate::wire::{Append, Check, SinceQuestion};

/// A query binds at most so many values (developers.cloudflare.com/durable-objects/platform/limits).
const BOUND_VALUES: usize = 100;

/// The index is on `max(hard, soft)`, what [`Stamp::newest`] is: rows of releases before it are in it too.
const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, number INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS tag (tag TEXT PRIMARY KEY, hard INTEGER NOT NULL, soft INTEGER NOT NULL, soft_ends_at INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS tag_newest ON tag (max(hard, soft))",
];

/// One app's ledger in its object's storage.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LedgerObject {
    table: SqlTable,
    policy: LedgerPolicy,
    /// The requests of late: all that an object knows beside its storage.
    load: Cell<Load>,
    told_window: Cell<Span>,
}

#[wasm_bindgen]
impl LedgerObject {
    /// The ledger of the object that `state` belongs to, keeping to `options`.
    ///
    /// # Errors
    /// One sentence when an option makes no sense; or storage fails.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, options: JsValue) -> Result<Self, JsValue> {
        let policy: LedgerPolicy = from_js(options)?;
        let policy = policy.validated().map_err(|e| failed(&e.to_string()))?;
        let sql = sql(state);
        for table in TABLES {
            run(&sql, table, Vec::new())?;
        }
        Ok(Self { table: SqlTable { sql }, policy, load: Cell::default(), told_window: Cell::default() })
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

    /// A random id of the KV namespace that this Worker sees: the one that is stored, or else `fresh`, which is then.
    ///
    /// # Errors
    /// When storage fails.
    pub fn namespace(&self, fresh: &str) -> Result<String, JsValue> {
        let sql = &self.table.sql;
        run(sql, "CREATE TABLE IF NOT EXISTS namespace (id INTEGER PRIMARY KEY, value TEXT NOT NULL)", Vec::new())?;
        run(sql, "INSERT OR IGNORE INTO namespace (id, value) VALUES (1, ?)", vec![fresh.into()])?;
        let found = rows(sql, "SELECT value FROM namespace WHERE id = 1", Vec::new())?;
        match found.first().map(Vec::as_slice) {
            Some([SqlStorageValue::String(id)]) => Ok(id.clone()),
            _ => Err(failed("the namespace's id is unreadable")),
        }
    }

    /// Whether the window that answers dictate has grown since this was asked last: its length in milliseconds, else undefined.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn lengthened_window(&self) -> Option<f64> {
        let (window, told) = (self.load.get().window(), self.told_window.replace(self.load.get().window()));
        (window > told).then_some(window.0 as f64)
    }

    fn step(&self, now: Millis, event: Event) -> Result<JsValue, JsValue> {
        let mut table = self.table.clone();
        let mut ledger = match table.extent()? {
            Some(extent) => Ledger::restored(extent, self.load.get()),
            None => {
                let ledger = Ledger::new(now);
                table.keep(ledger.extent())?;
                ledger
            }
        };
        let answer = ledger.step(&self.policy, &mut table, now, event)?;
        self.load.set(ledger.load());
        match answer {
            Answer::Since(since) => to_js(&since),
            Answer::Checked(invalidation) => to_js(&invalidation),
        }
    }
}

/// The ledger's rows in SQLite.
#[derive(Debug, Clone)]
struct SqlTable {
    sql: SqlStorage,
}

impl SqlTable {
    fn extent(&self) -> Result<Option<Extent>, JsValue> {
        let query = "SELECT epoch, head.number, floor.number FROM head LEFT JOIN floor USING (id) WHERE id = 1";
        match rows(&self.sql, query, Vec::new())?.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([epoch, number, floor]) => match (whole(epoch), whole(number)) {
                (Some(epoch), Some(number)) => {
                    Ok(Some(Extent { head: Position { epoch, number }, floor: whole(floor).unwrap_or(0) }))
                }
                _ => Err(failed("the ledger's head is unreadable")),
            },
            Some(_) => Err(failed("the ledger's head is unreadable")),
        }
    }
}

impl Table for SqlTable {
    type Error = JsValue;

    fn stamps(&self, tags: &BTreeSet<String>) -> Result<BTreeMap<String, Stamp>, JsValue> {
        let mut stamps = BTreeMap::new();
        let mut left: Vec<SqlStorageValue> = tags.iter().map(|tag| tag.as_str().into()).collect();
        while !left.is_empty() {
            let asked = left.split_off(left.len().saturating_sub(BOUND_VALUES));
            let places = vec!["?"; asked.len()].join(", ");
            let query = format!("SELECT tag, hard, soft, soft_ends_at FROM tag WHERE tag IN ({places})");
            for row in rows(&self.sql, &query, asked)? {
                stamps.extend([stored(&row)?]);
            }
        }
        Ok(stamps)
    }

    fn latest(&self, after: u64, take: &mut dyn FnMut(String, Stamp) -> bool) -> Result<(), JsValue> {
        each_row(
            &self.sql,
            "SELECT tag, hard, soft, soft_ends_at FROM tag WHERE max(hard, soft) > ? ORDER BY max(hard, soft) DESC",
            vec![number(after)?],
            |row| stored(row).map(|(tag, stamp)| take(tag, stamp)),
        )
    }

    fn put(&mut self, tag: &str, stamp: Stamp) -> Result<(), JsValue> {
        let ends = match stamp.soft_ends_at {
            Some(end) => number(end.0)?,
            None => SqlStorageValue::Null,
        };
        run(
            &self.sql,
            "INSERT OR REPLACE INTO tag (tag, hard, soft, soft_ends_at) VALUES (?, ?, ?, ?)",
            vec![tag.into(), number(stamp.hard)?, number(stamp.soft)?, ends],
        )
    }

    fn keep(&mut self, Extent { head, floor }: Extent) -> Result<(), JsValue> {
        run(
            &self.sql,
            "INSERT OR REPLACE INTO head (id, epoch, number) VALUES (1, ?, ?)",
            vec![number(head.epoch)?, number(head.number)?],
        )?;
        if floor == 0 {
            return Ok(());
        }
        run(&self.sql, "INSERT OR REPLACE INTO floor (id, number) VALUES (1, ?)", vec![number(floor)?])
    }

    fn bytes(&self) -> u64 {
        self.sql.database_size() as u64
    }

    fn oldest(&self, count: u64) -> Result<Option<u64>, JsValue> {
        let query =
            "SELECT max(newest) FROM (SELECT max(hard, soft) AS newest FROM tag ORDER BY max(hard, soft) LIMIT ?)";
        let found = rows(&self.sql, query, vec![number(count)?])?;
        Ok(found.first().and_then(|row| row.first()).and_then(whole))
    }

    fn forget(&mut self, until: u64) -> Result<(), JsValue> {
        run(&self.sql, "DELETE FROM tag WHERE max(hard, soft) <= ?", vec![number(until)?])
    }
}

fn stored(row: &[SqlStorageValue]) -> Result<(String, Stamp), JsValue> {
    match row {
        [SqlStorageValue::String(tag), hard, soft, ends] => Ok((
            tag.clone(),
            Stamp {
                hard: whole(hard).unwrap_or(0),
                soft: whole(soft).unwrap_or(0),
                soft_ends_at: whole(ends).map(Millis),
            },
        )),
        _ => Err(failed("a row of the ledger is unreadable")),
    }
}
