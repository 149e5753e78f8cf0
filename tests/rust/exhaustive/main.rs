//! Every history there is, within bounds: of the lease machine, of the ledger with its copies, and of isolates that use both.
//!
//! Each check says how many different states it has seen (`cargo test --test exhaustive -- --nocapture`).

#![cfg(not(target_arch = "wasm32"))]

mod check;
mod isolates_model;
mod lease_model;
mod ledger_model;
