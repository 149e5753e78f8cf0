//! Why a request has no answer of its own.

use wasm_bindgen::JsValue;

use crate::wire::api::Refusal;

/// Why a request has no answer of its own.
pub(super) enum Failed {
    /// It is told why.
    Refused(Refusal),
    /// Something broke, as JavaScript throws it: a defect, or a client that went away.
    Broken(JsValue),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<JsValue> for Failed {
    fn from(thrown: JsValue) -> Self {
        Self::Broken(thrown)
    }
}
