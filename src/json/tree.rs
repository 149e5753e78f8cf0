//! Reading any JSON (RFC 8259) into a tree.

use std::borrow::Cow;

use super::{Complaint, FromJson, Malformed};

/// Deeper than anything of ours; a reader that calls itself must end before its stack does.
const DEPTH: usize = 64;
/// More values than in anything of ours. A tree takes many times the bytes of its text, and wasm memory never shrinks.
const VALUES: usize = 1 << 16;
/// So many bytes of an unknown name are told back.
const NAME_SHOWN: usize = 40;

/// Any JSON. Numbers of ours are whole and not negative; of others it is only known that they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number below 2^64.
    Number(u64),
    /// Any other number.
    OtherNumber,
    /// A text. Halves of surrogate pairs that stand alone, which JavaScript can hold, have become U+FFFD.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Tree<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// An object's fields, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<'a>(pub(super) Vec<(Cow<'a, str>, Tree<'a>)>);

impl<'a> Tree<'a> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// Where it is not JSON.
    pub fn parse(text: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(text).map_err(|_| Malformed::new("it is not UTF-8".to_owned()))?;
        let mut parser = Parser { text, at: 0, values_left: VALUES };
        let tree = parser.value(DEPTH)?;
        parser.skip_blanks();
        if parser.peek().is_some() { Err(parser.fault("the end")) } else { Ok(tree) }
    }

    /// Notes that something else was expected than this.
    pub(crate) fn is_not(&self, expected: &str, complaint: &mut Complaint) {
        let found = match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a whole number",
            Self::OtherNumber => "another number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        };
        complaint.note(&["expected ", expected, ", found ", found]);
    }

    /// Its fields.
    pub fn object(&self, complaint: &mut Complaint) -> &Object<'a> {
        match self {
            Self::Object(object) => object,
            _ => {
                self.is_not("an object", complaint);
                &EMPTY
            }
        }
    }

    /// A word.
    pub(crate) fn word(&self, complaint: &mut Complaint) -> &str {
        if let Self::Text(word) = self {
            return word;
        }
        self.is_not("a word", complaint);
        ""
    }

    /// A variant's name and what comes with it: a word alone, or an object with one field.
    pub(crate) fn variant(&self, complaint: &mut Complaint) -> (&str, &Self) {
        match self {
            Self::Text(name) => return (name, &Self::Null),
            Self::Object(Object(fields)) => {
                if let [(name, content)] = fields.as_slice() {
                    return (name, content);
                }
            }
            _ => {}
        }
        self.is_not("a word, or an object with one field", complaint);
        ("", &Self::Null)
    }
}

static EMPTY: Object<'static> = Object(Vec::new());

impl Object<'_> {
    /// The value of a field. One that is given twice is one to complain of: nobody could say which of them counts.
    pub fn field<T: FromJson>(&self, name: &str, complaint: &mut Complaint) -> T {
        let was_known = complaint.is_known();
        let value = match self.get(name) {
            Some(tree) => T::from_json(tree, complaint),
            None => T::absent(complaint),
        };
        if self.0.iter().filter(|(known, _)| known == name).count() > 1 {
            complaint.note(&["given twice"]);
        }
        complaint.is_within(name, was_known);
        value
    }

    /// The value of a field that may be left out.
    pub fn field_or<T: FromJson>(&self, name: &str, default: T, complaint: &mut Complaint) -> T {
        if self.get(name).is_some() { self.field(name, complaint) } else { default }
    }

    fn get(&self, name: &str) -> Option<&Tree<'_>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, tree)| tree)
    }

    /// Complains of a field of another name than these.
    pub(crate) fn only(&self, names: &[&str], complaint: &mut Complaint) {
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !names.contains(&name.as_ref())) {
            unknown(name, names, complaint);
        }
    }
}

/// Complains that a name is none of these.
pub(crate) fn unknown(name: &str, names: &[&str], complaint: &mut Complaint) {
    let shown = name.get(..name.floor_char_boundary(NAME_SHOWN)).unwrap_or_default();
    let mut reason = ["`", shown, "` is unknown: expected one of"].concat();
    for (at, known) in names.iter().enumerate() {
        reason.push_str(if at == 0 { " " } else { ", " });
        reason.push_str(known);
    }
    complaint.note(&[&reason]);
}

/// Some variant, in the place of one that is unknown. There is at least one name.
pub(crate) fn any_of<T: FromJson>(name: &str, names: &[&str], complaint: &mut Complaint) -> T {
    unknown(name, names, complaint);
    T::from_json(&Tree::Text(Cow::Borrowed(names.first().copied().unwrap_or_default())), complaint)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values_left: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Tree<'a>, Malformed> {
        self.values_left = less(self.values_left, "it holds too many values")?;
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => self.object(less(depth, "it is nested too deeply")?),
            Some(b'[') => self.list(less(depth, "it is nested too deeply")?),
            Some(b'"') => self.string().map(Tree::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let literals = [("null", Tree::Null), ("true", Tree::Bool(true)), ("false", Tree::Bool(false))];
                for (literal, tree) in literals {
                    if self.rest().starts_with(literal) {
                        self.skip(literal.len());
                        return Ok(tree);
                    }
                }
                Err(self.fault("a value"))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Tree<'a>, Malformed> {
        let mut fields = Vec::new();
        let mut is_first = true;
        while self.has_next(is_first, b'}')? {
            is_first = false;
            self.skip_blanks();
            let name = self.string()?;
            self.skip_blanks();
            self.take(b':')?;
            fields.push((name, self.value(depth)?));
        }
        Ok(Tree::Object(Object(fields)))
    }

    fn list(&mut self, depth: usize) -> Result<Tree<'a>, Malformed> {
        let mut list = Vec::new();
        while self.has_next(list.is_empty(), b']')? {
            list.push(self.value(depth)?);
        }
        Ok(Tree::List(list))
    }

    /// Past the opening bracket, or the comma; false past the closing one.
    fn has_next(&mut self, is_first: bool, close: u8) -> Result<bool, Malformed> {
        if is_first {
            self.skip(1);
        }
        self.skip_blanks();
        match self.peek() {
            Some(byte) if byte == close => {
                self.skip(1);
                Ok(false)
            }
            _ if is_first => Ok(true),
            _ => self.take(b',').map(|()| true),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.take(b'"')?;
        let mut whole = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let run = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            let clean = rest.get(..run).unwrap_or_default();
            self.skip(run);
            if whole.is_empty() {
                whole = Cow::Borrowed(clean);
            } else {
                whole.to_mut().push_str(clean);
            }
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(whole);
                }
                Some(b'\\') => {
                    self.skip(1);
                    whole.to_mut().push(self.escaped()?);
                }
                _ => return Err(self.fault("the rest of a text")),
            }
        }
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> Result<char, Malformed> {
        let escape = self.peek();
        self.skip(1);
        Ok(match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex()?;
                self.paired(unit)
            }
            _ => return Err(self.fault("an escape")),
        })
    }

    /// The character of a UTF-16 unit, with the one after it if the two are a pair.
    fn paired(&mut self, unit: u16) -> char {
        let begun = self.at;
        if matches!(unit, 0xD800..0xDC00) && self.rest().starts_with("\\u") {
            self.skip(2);
            if let Ok(low) = self.hex()
                && let Some(Ok(pair)) = char::decode_utf16([unit, low]).next()
            {
                return pair;
            }
            self.at = begun;
        }
        char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u16, Malformed> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.fault("four hexadecimal digits"))?;
        self.skip(4);
        Ok(unit)
    }

    fn number(&mut self) -> Result<Tree<'a>, Malformed> {
        let begun = self.at;
        let is_negative = self.skip_any(b"-");
        let first = self.peek();
        let digits = self.digits()?;
        if first == Some(b'0') && digits > 1 {
            return Err(self.fault("a number without a zero before it"));
        }
        let mut is_whole = !is_negative;
        if self.skip_any(b".") {
            is_whole = false;
            self.digits()?;
        }
        if self.skip_any(b"eE") {
            is_whole = false;
            self.skip_any(b"+-");
            self.digits()?;
        }
        let number = self.text.get(begun..self.at).filter(|_| is_whole).and_then(|digits| digits.parse().ok());
        Ok(number.map_or(Tree::OtherNumber, Tree::Number))
    }

    /// Past one digit at least; how many there were.
    fn digits(&mut self) -> Result<usize, Malformed> {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return Err(self.fault("a digit"));
        }
        self.skip(count);
        Ok(count)
    }

    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(self.fault(&format!("`{}`", char::from(byte))));
        }
        self.skip(1);
        Ok(())
    }

    fn skip_any(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.peek().is_some_and(|byte| bytes.contains(&byte));
        if is_there {
            self.skip(1);
        }
        is_there
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip(1);
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, expected: &str) -> Malformed {
        Malformed::new(format!("expected {expected} at byte {}", self.at))
    }
}

fn less(left: usize, otherwise: &str) -> Result<usize, Malformed> {
    left.checked_sub(1).ok_or_else(|| Malformed::new(otherwise.to_owned()))
}
