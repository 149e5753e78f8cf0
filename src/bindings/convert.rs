//! What crosses between JavaScript and the core, and what goes wrong at that.

use js_sys::{Error, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::crossing;
use crate::engine::{Effect, Step};
use crate::json::{FromJson, ToJson};
use crate::time::Millis;

/// What went wrong at the boundary, as the `code` of the thrown `Error`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    /// An option makes no sense: whoever configured Onegen mends it.
    BadOption,
    /// The glue sent something malformed: a defect of Onegen's own.
    BadCall,
    /// The engine does not exist yet, or any more.
    NotConfigured,
}

impl Code {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BadOption => "bad-option",
            Self::BadCall => "bad-call",
            Self::NotConfigured => "not-configured",
        }
    }
}

/// An `Error` with a `code`.
pub(crate) fn error(code: Code, message: &str) -> JsValue {
    let error = Error::new(message);
    // Setting a property of an object made just above cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &code.as_str().into());
    error.into()
}

/// A core value from a JavaScript one.
pub(crate) fn from_js<T: FromJson>(value: &JsValue, code: Code) -> Result<T, JsValue> {
    crossing::from_js(value).map_err(|message| error(code, &message))
}

/// A JavaScript value from a core one.
pub(crate) fn to_js<T: ToJson>(value: &T) -> Result<JsValue, JsValue> {
    crossing::to_js(value).map_err(|message| error(Code::BadCall, &message))
}

/// A step, with the header that its effect may speak of as its `header`.
pub(crate) fn step_to_js(step: &Step) -> Result<JsValue, JsValue> {
    let crossed = to_js(step)?;
    if let Step::Perform { effect: Effect::Publish { header, .. }, .. } = step {
        Reflect::set(&crossed, &"header".into(), &Uint8Array::from(header.as_slice()))?;
    }
    Ok(crossed)
}

/// A time or a count from a JavaScript number; nonsense (negative, fractional, NaN) becomes the nearest whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) const fn millis(number: f64) -> Millis {
    Millis(number as u64)
}
