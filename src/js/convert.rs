//! What crosses between JavaScript and the core, and what goes wrong at that.

use js_sys::{Error, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use crate::base::number::LARGEST;
use crate::base::time::Millis;
use crate::engine::{Effect, Step};

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
pub(crate) fn from_js<T: DeserializeOwned>(value: JsValue, code: Code) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|e| error(code, &e.to_string()))
}

/// A JavaScript value from a core one.
pub(crate) fn to_js<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    value.serialize(&Serializer::new()).map_err(|e| error(Code::BadCall, &e.to_string()))
}

/// A step, with the header that its effect may speak of as its `header`.
pub(crate) fn step_to_js(step: &Step) -> Result<JsValue, JsValue> {
    let crossed = to_js(step)?;
    if let Step::Perform { effect: Effect::Publish { header, .. }, .. } = step {
        Reflect::set(&crossed, &"header".into(), &Uint8Array::from(header.as_slice()))?;
    }
    Ok(crossed)
}

/// An option's whole number, or its default.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
pub(crate) fn option(name: &str, given: Option<f64>, default: u64) -> Result<u64, JsValue> {
    match given {
        None => Ok(default),
        Some(number) if number >= 0.0 && number <= LARGEST as f64 && number.fract() == 0.0 => Ok(number as u64),
        Some(number) => Err(error(
            Code::BadOption,
            &format!("option `{name}` is {number}: expected a whole number; leave it out for {default}"),
        )),
    }
}

/// A time or a count from a JavaScript number; nonsense (negative, fractional, NaN) becomes the nearest whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) const fn millis(number: f64) -> Millis {
    Millis(number as u64)
}
