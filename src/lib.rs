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
//!
//! # Example
//!
//! A page that nobody has rendered: the isolate asks KV and the ledger, then the page's coordinator, and is granted the lease.
//!
//! ```
//! use onegen::base::limits::{EngineOptions, RoutePolicy};
//! use onegen::base::time::Millis;
//! use onegen::engine::{Call, Caller, Effect, Engine, Outcome, ReadCall, Reply, RequestContext, Step, Stored};
//! use onegen::entry::key::Kind;
//! use onegen::route::{Event, Route};
//! use onegen::wire::{Acquire, Acquired};
//!
//! let now = Millis(1_800_000_000_000);
//! let mut engine = Engine::new(EngineOptions::default(), "build-1", "secret").unwrap();
//! let read = ReadCall {
//!     kind: Kind::Response,
//!     key: "/blog/hello".to_owned(),
//!     caller: Caller::Renderer,
//!     nonce: "a random name".to_owned(),
//!     context: RequestContext::default(),
//!     seeded: false,
//!     tags: Vec::new(),
//!     revalidate: None,
//! };
//! let Step::Perform { machine, effect: Effect::Load { key, .. }, .. } = engine.begin(Call::Read(read), now) else {
//!     panic!("memory is empty: KV is asked")
//! };
//! assert_eq!(key.as_deref(), Some("onegen/1/app/build-1/response//blog/hello"));
//!
//! // KV has nothing, and the ledger does not answer.
//! let step = engine.resume(machine, Reply::Loaded { kv: Some(Stored::Absent), since: None }, now);
//! let Step::Perform { machine, effect: Effect::Acquire { message, .. }, .. } = step else {
//!     panic!("the coordinator is asked for the lease")
//! };
//! let Acquire { have, holder, position, need, .. } = message;
//! let mut route = Route::new(now);
//! let outcome = route.step(&RoutePolicy::default(), now, Event::Acquire { have, holder, position, need });
//! let answer = Acquired::from_answer(outcome.answer).unwrap();
//!
//! let step = engine.resume(machine, Reply::Acquired { answer, bytes: None, waited: false }, now);
//! let Step::Done(Outcome::Miss(miss)) = step else { panic!("there is nothing to serve") };
//! assert_eq!(miss.reason, "leader");
//! assert_eq!(miss.lease, route.live_lease(now).cloned(), "this isolate renders, and no other");
//! ```

#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
#![cfg_attr(
    not(all(target_arch = "wasm32", any(feature = "engine", feature = "objects", feature = "api"))),
    forbid(unsafe_code)
)]
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
