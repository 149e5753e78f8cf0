//! What JavaScript calls: it converts values and calls the core. Everything may be imported here; nothing else imports this.

#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "engine")]
mod convert;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "objects")]
pub mod objects;
#[cfg(any(feature = "engine", feature = "api"))]
mod panic;
#[cfg(any(feature = "engine", feature = "objects"))]
pub mod stored;
