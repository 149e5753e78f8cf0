//! JSON: what is stored, what travels, what JavaScript says and is told.
//!
//! A text is read into a [`Tree`], from which types read themselves; they write themselves as text. How a type looks is said once,
//! with one of the macros of `shapes`. That is what `serde` and `serde_json` would do in three times as much wasm, most of it a
//! copy of the reader for each type, and of what is left to drop wherever one of its fields turns out to be wrong. So readers here
//! do not end early: they note the first [`Complaint`] and go on with anything, and [`read`] gives nothing to whoever has one.

#[macro_use]
mod shapes;

mod tree;
mod values;
mod writer;

use std::fmt;

pub use tree::{Object, Tree};
pub(crate) use tree::{any_of, unknown};
pub use writer::Writer;

/// What can be read from JSON.
pub trait FromJson: Sized {
    /// Reads it; anything where there is a complaint.
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self;

    /// What it is where it is left out; by default that is one to complain of.
    fn absent(complaint: &mut Complaint) -> Self {
        complaint.note(&["expected, and missing"]);
        Self::from_json(&Tree::Null, complaint)
    }
}

/// What can be written as JSON.
pub trait ToJson {
    /// Writes it.
    fn to_json(&self, text: &mut Writer);

    /// Whether the field that it stands in is left out.
    fn is_absent(&self) -> bool {
        false
    }
}

/// What can be written into an object that somebody else begins.
pub(crate) trait ToFields {
    fn to_fields(&self, text: &mut Writer);
}

impl<T: ToFields> ToFields for Box<T> {
    fn to_fields(&self, text: &mut Writer) {
        self.as_ref().to_fields(text);
    }
}

/// Why a text is not what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// From the outermost field on; empty when it is the whole.
    path: String,
    reason: String,
}

impl Malformed {
    const fn new(reason: String) -> Self {
        Self { path: String::new(), reason }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Malformed {}

/// The first thing that was found to be wrong, if anything was.
#[derive(Debug, Default)]
pub struct Complaint(Option<Malformed>);

impl Complaint {
    /// Only the first is told.
    pub(crate) fn note(&mut self, reason: &[&str]) {
        if self.0.is_none() {
            self.0 = Some(Malformed::new(reason.concat()));
        }
    }

    pub(crate) const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Says of a fault that was not known before that it is one of something with this name.
    pub(crate) fn is_within(&mut self, name: &str, was_known: bool) {
        if let Some(malformed) = self.0.as_mut().filter(|_| !was_known) {
            let joint = if malformed.path.is_empty() { "" } else { "." };
            malformed.path = [name, joint, &malformed.path].concat();
        }
    }
}

/// Reads a value from JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read<T: FromJson>(text: &[u8]) -> Result<T, Malformed> {
    let mut complaint = Complaint::default();
    let value = T::from_json(&Tree::parse(text)?, &mut complaint);
    complaint.0.map_or(Ok(value), Err)
}

/// A value as JSON.
#[must_use]
pub fn write<T: ToJson + ?Sized>(value: &T) -> String {
    let mut text = Writer::default();
    value.to_json(&mut text);
    text.into_string()
}

// `proptest` is not for wasm.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
