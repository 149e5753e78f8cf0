use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::entry::example;
use crate::lease::{AbandonReason, HoldReason, Lease, Need};
use crate::ledger::{Profile, Row, Since};
use crate::policy::EngineOptions;
use crate::position::Position;
use crate::time::Span;
use crate::wire::{Abandon, Acquire, Acquired, Append, Check, LeaseName, Publish, Published};

/// A value as `serde_json` has it, as far as a tree tells of it: other numbers than ours are one.
fn value_of(tree: &Tree<'_>) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => (*value).into(),
        Tree::Number(number) => (*number).into(),
        Tree::OtherNumber => f64::MAX.into(),
        Tree::Text(text) => text.as_ref().into(),
        Tree::List(list) => list.iter().map(value_of).collect(),
        Tree::Object(object) => object.0.iter().map(|(name, tree)| (name.to_string(), value_of(tree))).collect(),
    }
}

fn without_other_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_u64().map_or(f64::MAX.into(), Value::from),
        Value::Array(list) => list.into_iter().map(without_other_numbers).collect(),
        Value::Object(object) => object.into_iter().map(|(name, value)| (name, without_other_numbers(value))).collect(),
        _ => value,
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
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Texts that are nearly JSON.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        4 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\"a\":", "null", "true", "false", " "]),
        2 => prop::sample::select(vec!["0", "1", "27", "-", ".", "e", "E", "+"]),
        1 => prop::sample::select(vec!["\\", "\\n", "\\u0041", "\\u00", "\\x", "ü", "\u{1}", "tru", "\n", "\t", "\\u20ac"]),
        1 => prop::sample::select(vec!["\"\\ud83d\\ude00\"", "\"\\u0041\\u0042\""]),
    ];
    prop::collection::vec(scrap, 0..12).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_serde_json_reads_it(value in any_value(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(value_of(&Tree::parse(text.as_bytes()).unwrap()), without_other_numbers(again));
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
    let mut complaint = Complaint::default();
    let object = tree.object(&mut complaint);
    assert_eq!(object.field::<u64>("a", &mut complaint), 1);
    assert_eq!(object.field::<Option<u64>>("c", &mut complaint), None);
    assert!(object.field::<Option<Position>>("b\n", &mut complaint).is_some());
    assert_eq!(complaint.0.unwrap().to_string(), "`b\n.epoch`: expected, and missing");
}

#[test]
fn halves_of_pairs_that_stand_alone_become_replacement_characters() {
    let read = |text: &str| read::<String>(text.as_bytes()).unwrap();
    assert_eq!(read(r#""\ud83d\ude00""#), "\u{1f600}");
    assert_eq!(read(r#""x\ud800y\udfffz""#), "x\u{fffd}y\u{fffd}z");
    assert_eq!(read(r#""\ud800\ud83d\ude00""#), "\u{fffd}\u{1f600}");
    assert_eq!(read(r#""\ud800\n\ud800""#), "\u{fffd}\n\u{fffd}");
    assert_eq!(read(r#""\u0041\udc00""#), "A\u{fffd}");
    assert_eq!(read(r#""\udc00\udc00""#), "\u{fffd}\u{fffd}");
    assert_eq!(read(r#""\ud83d\u0041""#), "\u{fffd}A");
}

#[test]
fn what_is_nested_without_end_is_refused_before_the_stack_is_used_up() {
    let complaint = Tree::parse("[".repeat(100_000).as_bytes()).unwrap_err();
    assert_eq!(complaint.to_string(), "it is nested too deeply");
}

#[test]
fn more_values_than_anything_of_ours_has_are_refused_before_they_take_memory() {
    let text = format!("[{}1]", "1,".repeat(1 << 16));
    assert_eq!(Tree::parse(text.as_bytes()).unwrap_err().to_string(), "it holds too many values");
    let tags = format!(r#"{{"position":{{"epoch":1,"number":1}},"tags":[{}"a"]}}"#, "\"a\",".repeat(60_000));
    assert_eq!(read::<Check>(tags.as_bytes()).unwrap().tags.len(), 60_001);
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
    assert_eq!(told(r#"{"holder":"h","need":"much"}"#), "`need`: `much` is unknown: expected one of refresh, fill");
    assert_eq!(told(r#"{"holder":"h","need":{"fill":1}}"#), "`need`: expected a word, found an object");
    assert_eq!(told(r#"{"holder":"h","need":"fill","holder":"i"}"#), "`holder`: given twice");
    assert_eq!(told(r#"[1"#), "expected `,` at byte 2");
    assert_eq!(
        read::<Acquired>(br#"{"hold":{"ms":1,"recheck_ms":1,"reason":"why"}}"#).unwrap_err().to_string(),
        "`hold.reason`: `why` is unknown: expected one of rendering, backing-off, not-stored"
    );
    assert_eq!(
        read::<Acquired>(br#"{"bogus":{}}"#).unwrap_err().to_string(),
        "`bogus` is unknown: expected one of newer, granted, hold, uncacheable"
    );
    assert_eq!(
        read::<EngineOptions>(br#"{"windowMS":5}"#).unwrap_err().to_string(),
        "`windowMS` is unknown: expected one of app, memoryBytes, windowMs, waitMs"
    );
    assert_eq!(read::<u32>(b"4294967296").unwrap_err().to_string(), "expected at most 4294967295, found 4294967296");
}

/// Whoever was built before reads and writes them so.
#[test]
fn messages_look_as_they_always_did() {
    fn same<T: FromJson + ToJson + PartialEq + fmt::Debug>(value: &T, text: &str) {
        assert_eq!(write(value), text);
        assert_eq!(&read::<T>(text.as_bytes()).unwrap(), value);
    }
    let position = Position { epoch: 1, number: 2 };
    let lease = LeaseName { generation: 7, holder: "h".to_owned() };
    let tags = || vec!["a".to_owned()];
    same(
        &Acquire { have: None, holder: "h\"".to_owned(), position, need: Need::Fill, wait_ms: Span::seconds(1) },
        r#"{"holder":"h\"","position":{"epoch":1,"number":2},"need":"fill","wait_ms":1000}"#,
    );
    same(&Acquired::Newer { generation: 7 }, r#"{"newer":{"generation":7}}"#);
    same(
        &Acquired::Granted { lease: Lease { generation: 7, holder: "h".to_owned(), position }, remaining_ms: Span(1) },
        r#"{"granted":{"lease":{"generation":7,"holder":"h","position":{"epoch":1,"number":2}},"remaining_ms":1}}"#,
    );
    same(
        &Acquired::Hold { ms: Span(1), recheck_ms: Span(2), reason: HoldReason::BackingOff },
        r#"{"hold":{"ms":1,"recheck_ms":2,"reason":"backing-off"}}"#,
    );
    same(
        &Publish { lease: Some(lease.clone()), seed: false, render_ms: Span(5) },
        r#"{"lease":{"generation":7,"holder":"h"},"seed":false,"render_ms":5}"#,
    );
    same(&Publish { lease: None, seed: true, render_ms: Span(0) }, r#"{"seed":true,"render_ms":0}"#);
    same(
        &Published::Accepted { generation: 7, key_life_seconds: Some(60) },
        r#"{"accepted":{"generation":7,"key_life_seconds":60}}"#,
    );
    same(&Published::Fenced { latest: None }, r#"{"fenced":{}}"#);
    same(
        &Abandon { lease, reason: AbandonReason::NotStored },
        r#"{"lease":{"generation":7,"holder":"h"},"reason":"not_stored"}"#,
    );
    same(
        &Append { position, tags: tags(), profile: Some(Profile { expire_ms: None }) },
        r#"{"position":{"epoch":1,"number":2},"tags":["a"],"profile":{}}"#,
    );
    same(&Append { position, tags: tags(), profile: None }, r#"{"position":{"epoch":1,"number":2},"tags":["a"]}"#);
    same(&Check { position, tags: tags() }, r#"{"position":{"epoch":1,"number":2},"tags":["a"]}"#);
    let row = Row { tag: "a".to_owned(), hard: 0, soft: 2, soft_ends_in_ms: None };
    same(
        &Since { from: 0, head: position, floor: 0, rows: vec![row], window_ms: Span::ZERO },
        r#"{"from":0,"head":{"epoch":1,"number":2},"floor":0,"rows":[{"tag":"a","hard":0,"soft":2}],"window_ms":0}"#,
    );
    same(
        &example(),
        r#"{"g":1795000000000,"p":{"epoch":9,"number":4},"c":1795000000000,"r":60,"e":3600,"t":["_N_T_/blog/hello","products"],"s":"app","b":[{"name":"html","bytes":20},{"name":"rsc","bytes":10}],"k":{"a":1795000000500,"s":2592000}}"#,
    );
}

#[test]
fn a_number_that_javascript_would_change_is_noticed() {
    let is_unsafe = |number: u64| {
        let mut text = Writer::default();
        number.to_json(&mut text);
        text.is_unsafe()
    };
    assert_eq!([0, (1 << 53) - 1, 1 << 53, u64::MAX].map(is_unsafe), [false, false, true, true]);
}
