//! What happens when the impossible happens: say so once, and ask for a fresh instance.

use std::panic::set_hook;
use std::sync::Once;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(message: &str);
}

static INSTALLED: Once = Once::new();

/// Lets the next call from JavaScript begin with a fresh instance after a panic. The log says where it was and what became of it;
/// then `broken` is called, in the broken instance.
pub(super) fn install(place: &'static str, broken: fn()) {
    INSTALLED.call_once(|| {
        set_hook(Box::new(move |info| {
            console_error(&format!("onegen: panic in {place}: {info}"));
            wasm_bindgen::handler::schedule_reinit();
            broken();
        }));
    });
}

#[cfg(not(feature = "panic-injection"))]
pub(super) const fn strike() {}

#[cfg(feature = "panic-injection")]
mod injected {
    use std::cell::Cell;

    use wasm_bindgen::prelude::*;

    thread_local! {
        static CALLS_LEFT: Cell<u32> = const { Cell::new(0) };
    }

    /// Lets the `calls`-th call from now on panic.
    #[wasm_bindgen]
    #[allow(unreachable_pub, reason = "JavaScript reaches it")]
    pub fn inject_panic(calls: u32) {
        CALLS_LEFT.with(|left| left.set(calls));
    }

    pub(in crate::js) fn strike() {
        CALLS_LEFT.with(|left| {
            let calls = left.get();
            left.set(calls.saturating_sub(1));
            #[allow(clippy::panic, reason = "this is what the feature is for")]
            if calls == 1 {
                panic!("injected");
            }
        });
    }
}

#[cfg(feature = "panic-injection")]
pub(super) use injected::strike;
