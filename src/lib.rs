//! Onegen's core: a cache for edge-deployed Next.js in which a page is generated once.
//!
//! Everything in this crate outside `js` is deterministic: it reads no clock, draws no random number, performs no I/O and knows
//! no JavaScript type. The time is an argument; what is to be done comes back as a value.
//!
//! Modules import downwards only, in this order:
//!
//! | module | subject |
//! |---|---|
//! | [`base`] | time, positions in the ledger, limits |
//! | [`ledger`] | invalidations of tags, and an isolate's copy of them |
//! | [`route`] | who may render a route, and what was published last |
//! | [`entry`] | what is stored, under which name, and whether it may be served |
//! | [`wire`] | what travels between isolates and objects; who may do what over HTTPS |
//! | [`engine`] | a call of Next.js, step by step |
//! | `js` | what JavaScript calls (wasm only) |

#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
#![cfg_attr(not(all(target_arch = "wasm32", any(feature = "engine", feature = "objects", feature = "api"))), forbid(unsafe_code))]
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

pub mod base;
pub mod engine;
pub mod entry;
pub mod ledger;
pub mod route;
pub mod wire;

#[cfg(all(
    target_arch = "wasm32",
    any(
        all(feature = "engine", feature = "objects"),
        all(feature = "engine", feature = "api"),
        all(feature = "objects", feature = "api")
    )
))]
compile_error!("the features `engine`, `objects` and `api` make a wasm file each: build them one at a time");

#[cfg(all(target_arch = "wasm32", any(feature = "engine", feature = "objects", feature = "api")))]
pub mod js;
