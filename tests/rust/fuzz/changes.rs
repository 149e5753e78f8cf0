//! What becomes of a file when bytes are changed: somewhere, anyhow, and with a liking for numbers at the end of their range.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
];

const WORDS: [&str; 14] =
    ["null", "true", "[]", "{}", "\"", "\\ud800", "\u{0}", "ü", "}", "]", ",", "\n", "tombstone", "1GEN"];

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    Set(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    /// A number of the file's gives way to another.
    Number(Index, &'static str),
    /// A part of another file takes the place of what stands there.
    Splice(Index, Index, Index, usize),
    End(Index),
}

/// A file of so many, and some changes.
pub fn of(files: usize) -> impl Strategy<Value = (usize, Vec<Change>)> {
    let at = any::<Index>;
    let change = prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), 1_usize..40).prop_map(|(at, count)| Change::Remove(at, count)),
        2 => (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (at(), select(&WORDS[..])).prop_map(|(at, word)| Change::Insert(at, word.as_bytes().to_vec())),
        6 => (at(), select(&NUMBERS[..])).prop_map(|(at, number)| Change::Number(at, number)),
        2 => (at(), at(), at(), 1_usize..80).prop_map(|(file, from, to, count)| Change::Splice(file, from, to, count)),
        1 => at().prop_map(Change::End),
    ];
    (0..files, vec(change, 0..6))
}

/// What a file becomes.
pub fn changed(files: &[Vec<u8>], file: usize, changes: &[Change]) -> Vec<u8> {
    let mut bytes = files[file].clone();
    for change in changes {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match change {
            Change::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Set(..) => {}
            Change::Remove(at, count) => {
                let from = place(at, &bytes);
                bytes.drain(from..(from + count).min(bytes.len()));
            }
            Change::Insert(at, new) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Number(nth, number) => {
                let numbers = numbers(&bytes);
                if !numbers.is_empty() {
                    let (from, to) = numbers[nth.index(numbers.len())];
                    bytes.splice(from..to, number.bytes());
                }
            }
            Change::Splice(other, from, to, count) => {
                let other = &files[other.index(files.len())];
                let (from, to) = (place(from, other), place(to, &bytes));
                let part = &other[from..(from + count).min(other.len())];
                bytes.splice(to..(to + count).min(bytes.len()), part.iter().copied());
            }
            Change::End(at) => bytes.truncate(place(at, &bytes)),
        }
    }
    bytes
}

/// Where runs of digits begin and end.
fn numbers(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut() {
            Some((_, to)) if *to == at => *to = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}
