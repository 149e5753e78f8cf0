//! The language between the engine and its host: calls, effects, replies and results.

mod call;
mod effect;
mod outcome;

pub use call::{Call, Caller, ReadCall, RequestContext};
pub use effect::{Bytes, Effect, Reply, Stored};
pub use outcome::{MemoryOrder, Outcome, ReadEntry, ReadMiss, Source, Step};
