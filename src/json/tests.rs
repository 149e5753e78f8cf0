use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::entry::example;
use crate::lease::{HoldReason, Need};
use crate::policy::EngineOptions;
use crate::position::Position;
use crate::time::Span;
use crate::wire::{Acquire, Acquired};

/// The tree of a value, made from what `serde_json` makes of its text.
fn tree_of(value: &Value) -> Tree<'_> {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Number(number) => number.as_u64().map_or(Tree::OtherNumber, Tree::Number),
        Value::String(text) => Tree::Text(text.into()),
        Value::Array(list) => Tree::List(list.iter().map(tree_of).collect()),
        Value::Object(_) => panic!("the order of fields is not the text's"),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\u{0}-\u{7f}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| prop::collection::vec(inner, 0..6).prop_map(Value::Array))
}

/// Texts that are nearly JSON.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        4 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\"a\":", "null", "true", "false", " "]),
        2 => prop::sample::select(vec!["0", "1", "27", "-", ".", "e", "E", "+"]),
        1 => prop::sample::select(vec!["\\", "\\n", "\\u0041", "\\u00", "\\x", "ü", "\u{1}", "tru", "\n", "\t", "\\u20ac"]),
    ];
    prop::collection::vec(scrap, 0..12).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_serde_json_reads_it(value in any_value(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Tree::parse(text.as_bytes()), Ok(tree_of(&again)));
    }

    #[test]
    fn what_is_no_json_for_serde_json_is_none_here(text in scraps()) {
        let theirs = serde_json::from_str::<Value>(&text);
        let is_too_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(is_too_large || Tree::parse(text.as_bytes()).is_ok() == theirs.is_ok(), "{text}: {theirs:?}");
    }

    #[test]
    fn any_text_is_written_as_serde_json_reads_it(text in any::<String>()) {
        prop_assert_eq!(serde_json::from_str::<String>(&write(&text)).unwrap(), text);
    }

    #[test]
    fn bytes_that_are_anything_break_nothing(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Tree::parse(&bytes);
    }
}

#[test]
fn an_object_has_its_fields_and_nothing_else() {
    let tree = Tree::parse(br#" { "a" : 1 , "b\n" : { } } "#).unwrap();
    let mut fault = Fault::default();
    let object = tree.object(&mut fault);
    assert_eq!(object.field::<u64>("a", &mut fault), 1);
    assert_eq!(object.field::<Option<u64>>("c", &mut fault), None);
    assert!(object.field::<Option<Position>>("b\n", &mut fault).is_some());
    assert_eq!(fault.0.unwrap().to_string(), "`b\n.epoch`: expected, and missing");
}

#[test]
fn halves_of_pairs_that_stand_alone_become_replacement_characters() {
    let read = |text: &str| read::<String>(text.as_bytes()).unwrap();
    assert_eq!(read(r#""\ud83d\ude00""#), "\u{1f600}");
    assert_eq!(read(r#""x\ud800y\udfffz""#), "x\u{fffd}y\u{fffd}z");
    assert_eq!(read(r#""\ud800\ud83d\ude00""#), "\u{fffd}\u{1f600}");
    assert_eq!(read(r#""\ud800\n\ud800""#), "\u{fffd}\n\u{fffd}");
}

#[test]
fn what_is_nested_without_end_is_refused_before_the_stack_is_used_up() {
    let fault = Tree::parse("[".repeat(100_000).as_bytes()).unwrap_err();
    assert_eq!(fault.to_string(), "it is nested too deeply");
}

#[test]
fn the_first_fault_is_told_with_where_it_is_and_what_was_expected() {
    let told = |text: &str| read::<Acquire>(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(told(r#"{"holder":"h"}"#), "`need`: expected, and missing");
    assert_eq!(told(r#"{"holder":7,"need":"fill"}"#), "`holder`: expected a text, found a whole number");
    assert_eq!(
        told(r#"{"holder":"h","position":{"epoch":1,"number":-1},"need":"much"}"#),
        "`position.number`: expected a whole number, found another number"
    );
    assert_eq!(told(r#"{"holder":"h","need":"much"}"#), "`need`: unknown: expected one of refresh, fill");
    assert_eq!(told(r#"[1"#), "expected `,` at byte 2");
    assert_eq!(
        read::<Acquired>(br#"{"hold":{"ms":1,"recheck_ms":1,"reason":"why"}}"#).unwrap_err().to_string(),
        "`hold.reason`: unknown: expected one of rendering, backing-off, not-stored"
    );
    assert_eq!(
        read::<EngineOptions>(br#"{"windowMS":5}"#).unwrap_err().to_string(),
        "`windowMS`: unknown: expected one of app, memoryBytes, windowMs, waitMs"
    );
    assert_eq!(read::<u32>(b"4294967296").unwrap_err().to_string(), "expected at most 4294967295, found 4294967296");
}

#[test]
fn messages_look_as_they_always_did() {
    let position = Position { epoch: 1, number: 2 };
    let acquire =
        Acquire { have: None, holder: "h\"".to_owned(), position, need: Need::Fill, wait_ms: Span::seconds(1) };
    let text = r#"{"holder":"h\"","position":{"epoch":1,"number":2},"need":"fill","wait_ms":1000}"#;
    assert_eq!(write(&acquire), text);
    let hold = Acquired::Hold { ms: Span(1), recheck_ms: Span(2), reason: HoldReason::BackingOff };
    assert_eq!(write(&hold), r#"{"hold":{"ms":1,"recheck_ms":2,"reason":"backing-off"}}"#);
    assert_eq!(
        write(&example()),
        r#"{"g":1795000000000,"p":{"epoch":9,"number":4},"c":1795000000000,"r":60,"e":3600,"t":["_N_T_/blog/hello","products"],"s":"app","b":[{"name":"html","bytes":20},{"name":"rsc","bytes":10}],"k":{"a":1795000000500,"s":2592000}}"#
    );
}

#[test]
fn a_number_that_javascript_would_change_is_noticed() {
    let is_unsafe = |number: u64| {
        let mut text = Text::default();
        number.to_json(&mut text);
        text.is_unsafe()
    };
    assert_eq!([0, (1 << 53) - 1, 1 << 53, u64::MAX].map(is_unsafe), [false, false, true, true]);
}
