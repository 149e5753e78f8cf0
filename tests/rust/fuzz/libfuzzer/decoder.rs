//! One of the decoders under libFuzzer: that of the name in `FUZZ_DECODER` (`make fuzz DECODER=frame`).

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

use std::sync::LazyLock;

use decoders::{DECODERS, Decoder};
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_DECODER").unwrap_or_default();
    let names: Vec<_> = DECODERS.iter().map(|(name, _)| *name).collect();
    let known = DECODERS.iter().find(|(one, _)| *one == name);
    *known.unwrap_or_else(|| panic!("FUZZ_DECODER is {name:?}: expected one of {}", names.join(", ")))
});

fuzz_target!(|bytes: &[u8]| {
    let (_, decode) = *DECODER;
    decode(bytes);
});
