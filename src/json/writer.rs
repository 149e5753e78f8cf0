//! Writing JSON (RFC 8259).

use super::ToJson;

/// `Number.MAX_SAFE_INTEGER`: beyond it JavaScript would hold another number.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// JSON that is being written.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    is_unsafe: bool,
}

impl Writer {
    /// The whole.
    #[must_use]
    pub fn into_string(self) -> String {
        self.out
    }

    /// Whether it holds a number that JavaScript would change.
    #[must_use]
    pub const fn is_unsafe(&self) -> bool {
        self.is_unsafe
    }

    /// Begins an object.
    pub fn open(&mut self) {
        self.out.push('{');
    }

    /// Adds a field to it, unless it is absent.
    pub fn field<T: ToJson + ?Sized>(&mut self, name: &str, value: &T) {
        if value.is_absent() {
            return;
        }
        self.name(name);
        value.to_json(self);
    }

    /// Ends it.
    pub fn close(&mut self) {
        self.out.push('}');
    }

    /// Begins an object that has one field: this.
    pub(crate) fn open_variant(&mut self, name: &str) {
        self.open();
        self.name(name);
    }

    fn name(&mut self, name: &str) {
        self.comma('{');
        self.string(name);
        self.out.push(':');
    }

    /// A comma, unless something was opened just now: a text never ends with a bracket, because a quotation mark follows it.
    fn comma(&mut self, opened: char) {
        if !self.out.ends_with(opened) {
            self.out.push(',');
        }
    }

    pub(crate) fn list<T: ToJson>(&mut self, items: &[T]) {
        self.out.push('[');
        for item in items {
            self.comma('[');
            item.to_json(self);
        }
        self.out.push(']');
    }

    pub(crate) fn pair(&mut self, first: &impl ToJson, second: &impl ToJson) {
        self.out.push('[');
        first.to_json(self);
        self.out.push(',');
        second.to_json(self);
        self.out.push(']');
    }

    pub(crate) fn raw(&mut self, literal: &str) {
        self.out.push_str(literal);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.is_unsafe |= number > LARGEST_NUMBER;
        self.out.push_str(&number.to_string());
    }

    pub(crate) fn string(&mut self, string: &str) {
        self.out.push('"');
        let mut rest = string;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.out.push_str(rest.get(..at).unwrap_or_default());
            let mut others = rest.get(at..).unwrap_or_default().chars();
            match others.next() {
                Some(char @ ('"' | '\\')) => self.out.extend(['\\', char]),
                Some(char) => self.out.push_str(&format!("\\u{:04x}", u32::from(char))),
                None => {}
            }
            rest = others.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }
}
