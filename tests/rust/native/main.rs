//! Checks of the core that need no JavaScript and no clock: random ones against naive references.

#![cfg(not(target_arch = "wasm32"))]

mod lease_properties;
mod ledger_properties;
mod scale;
mod stored_format;
