//! Stored values, as far as JavaScript has to look into them.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::entry::frame::{self, PREFIX_BYTES};

/// How many bytes the header of a stored value takes; -1 when it is not an entry of this version. Only the bytes that tell are copied.
#[wasm_bindgen]
#[must_use]
pub fn header_bytes(stored: &Uint8Array) -> i32 {
    let mut prefix = [0; PREFIX_BYTES];
    let length = usize::try_from(stored.length()).unwrap_or(usize::MAX).min(PREFIX_BYTES);
    let Some(prefix) = prefix.get_mut(..length) else { return -1 };
    stored.subarray(0, u32::try_from(length).unwrap_or(0)).copy_to(prefix);
    frame::header_bytes(prefix).ok().and_then(|bytes| i32::try_from(bytes).ok()).unwrap_or(-1)
}
