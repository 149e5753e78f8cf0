//! What every other module stands on: time, positions, limits. Nothing here knows a cache.

pub mod fault;
pub mod limits;
pub(crate) mod lru;
pub(crate) mod number;
pub mod position;
pub mod time;
