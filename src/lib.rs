//! Onegen's core: a cache for edge-deployed Next.js in which a page is generated once.
//!
//! Everything in this crate outside `bindings` and `objects` is deterministic: it reads no clock, draws no random number,
//! performs no I/O and knows no JavaScript type. The time is an argument; what is to be done comes back as a value.
//!
//! Read it in this order: [`entry`] and [`frame`] (what is stored), [`key`] (under which name), [`position`],
//! [`ledger`], [`load`] and [`tags`] (invalidations), [`freshness`] (may it be served), [`lease`] (who may render),
//! [`memory`] (what an isolate keeps), [`engine`] (a call of Next.js, step by step), [`wire`] (what travels),
//! [`api`] (who may do what over HTTPS), [`lease_token`] (a lease on its way to the renderer), [`headers`] (what the
//! visitor is told), [`policy`] (every limit).

#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
#![cfg_attr(not(all(target_arch = "wasm32", any(feature = "engine", feature = "objects"))), forbid(unsafe_code))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod api;
mod by_use;
pub mod engine;
pub mod entry;
pub mod fault;
pub mod frame;
pub mod freshness;
pub mod headers;
pub mod key;
pub mod lease;
pub mod lease_token;
pub mod ledger;
pub mod load;
mod marks;
pub mod memory;
mod number;
pub mod policy;
pub mod position;
pub mod tags;
pub mod time;
pub mod wire;

#[cfg(all(target_arch = "wasm32", feature = "engine", feature = "objects"))]
compile_error!("the features `engine` and `objects` make two wasm files: build them one at a time");

#[cfg(all(target_arch = "wasm32", feature = "engine"))]
pub mod bindings;
#[cfg(all(target_arch = "wasm32", feature = "objects"))]
pub mod objects;
