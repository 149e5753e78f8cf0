//! The exported surface as JavaScript sees it: shapes of steps and results, error codes, and what crosses as bytes.
//!
//! What needs another instance than the tests' own stands in `tests/workerd/panic.test.mjs`: a call before `configure`, and
//! what follows a panic.

#![cfg(target_arch = "wasm32")]

use js_sys::{JSON, Object, Reflect, Uint8Array};
use onegen::entry::frame;
use onegen::js::engine::{
    begin, cache_control, cache_status_of_entry, cache_status_of_render, configure, entry_header, entry_key,
    fresh_in_memory, header_bytes, heal, ledger_name, ledger_position, resume, stats, verify_lease,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

const NOW: f64 = 1_800_000_000_000.0;

/// A plain object, written as JavaScript would.
fn js(json: &str) -> JsValue {
    JSON::parse(json).expect("the test's own JSON")
}

/// The property at a path of names separated by dots.
fn at(value: &JsValue, path: &str) -> JsValue {
    path.split('.').fold(value.clone(), |value, name| {
        Reflect::get(&value, &name.into()).unwrap_or_else(|_| panic!("{name} of {path} is not in an object"))
    })
}

fn text(value: &JsValue, path: &str) -> String {
    at(value, path).as_string().unwrap_or_else(|| panic!("{path} is no string: {:?}", at(value, path)))
}

fn number(value: &JsValue, path: &str) -> f64 {
    at(value, path).as_f64().unwrap_or_else(|| panic!("{path} is no number: {:?}", at(value, path)))
}

fn code(result: Result<JsValue, JsValue>) -> String {
    let error = result.expect_err("an error");
    assert!(error.is_instance_of::<js_sys::Error>(), "what is thrown is an Error");
    text(&error, "code")
}

fn configured() {
    configure(js("{}"), "build", "secret").expect("the defaults are valid");
}

fn read_call(key: &str) -> JsValue {
    js(&format!(r#"{{"read":{{"kind":"response","key":"{key}","caller":"renderer","nonce":"n","context":{{}}}}}}"#))
}

/// A reply to `load`, with what KV and the ledger said.
fn loaded(kv: &JsValue) -> JsValue {
    let reply = js(r#"{"loaded":{"since":{"from":0,"head":{"epoch":1,"number":0},"floor":0,"rows":[]}}}"#);
    Reflect::set(&at(&reply, "loaded"), &"kv".into(), kv).expect("an object takes a property");
    reply
}

fn begun_read(key: &str) -> (u32, JsValue) {
    let step = begin(read_call(key), NOW).expect("a step");
    (number(&step, "machine") as u32, step)
}

/// An entry as the host describes it to `entry_header`.
fn an_entry() -> JsValue {
    js(
        r#"{"g":7,"p":{"epoch":1,"number":0},"c":1799999999000,"r":60,"e":3600,"t":["_N_T_/a","products"],"s":"app","b":[{"name":"html","bytes":5}]}"#,
    )
}

#[wasm_bindgen_test]
fn a_read_begins_with_a_load_of_kv_and_the_ledger() {
    configured();
    let (_, step) = begun_read("/a");
    assert_eq!(text(&step, "step"), "perform");
    assert_eq!(text(&step, "effect.kind"), "load");
    assert_eq!(at(&step, "effect.key"), entry_key("response".into(), "/a").expect("a key"));
    assert_eq!(number(&step, "effect.since.number"), 0.0);
    assert!(number(&step, "deadline_ms") > 0.0);
}

#[wasm_bindgen_test]
fn steps_are_plain_objects_whose_absent_fields_are_left_out() {
    configured();
    let (machine, step) = begun_read("/plain");
    assert!(Object::get_prototype_of(&step).eq(&Object::get_prototype_of(&js("{}"))));
    let step = resume(machine, loaded(&"absent".into()), NOW, None).expect("a step");
    assert_eq!(text(&step, "effect.kind"), "acquire");
    assert!(at(&step, "effect.message.have").is_undefined());
}

#[wasm_bindgen_test]
fn a_read_that_is_granted_a_lease_ends_as_a_miss_with_that_lease() {
    configured();
    let (machine, _) = begun_read("/granted");
    let step = resume(machine, loaded(&"absent".into()), NOW, None).expect("a step");
    assert_eq!(text(&step, "effect.message.need"), "fill");
    assert_eq!(text(&step, "effect.message.holder"), "n");
    let granted = r#"{"acquired":{"answer":{"granted":{"lease":{"generation":9,"holder":"n","position":{"epoch":1,"number":0}},"remaining_ms":10000}}}}"#;
    let step = resume(number(&step, "machine") as u32, js(granted), NOW, None).expect("a step");
    assert_eq!(text(&step, "step"), "done");
    assert_eq!(text(&step, "result"), "miss");
    assert_eq!(text(&step, "reason"), "leader");
    assert_eq!(number(&step, "lease.generation"), 9.0);
    assert_eq!(at(&step, "absent"), JsValue::TRUE);
}

/// Has the isolate find an entry in KV. How its read ends.
fn found(key: &str) -> JsValue {
    let header = entry_header(an_entry()).expect("a header").to_vec();
    let kv = js(&format!(r#"{{"found":{{"total":{}}}}}"#, header.len() + 5));
    let (machine, _) = begun_read(key);
    resume(machine, loaded(&kv), NOW, Some(header)).expect("a step")
}

#[wasm_bindgen_test]
fn a_read_that_finds_a_fresh_entry_ends_with_its_description_and_where_to_keep_its_bytes() {
    configured();
    let step = found("/found");
    assert_eq!(text(&step, "result"), "entry");
    assert_eq!(text(&step, "source"), "kv");
    assert_eq!(text(&step, "shape"), "app");
    assert_eq!(at(&step, "stale"), JsValue::FALSE);
    assert_eq!(number(&step, "generation"), 7.0);
    assert_eq!(number(&step, "header_bytes"), f64::from(entry_header(an_entry()).expect("a header").length()));
    assert_eq!(number(&step, "parts.0.bytes"), 5.0);
    assert_eq!(text(&step, "tags.1"), "products");
    assert!(number(&step, "memory.keep") >= 0.0);

    let again = begin(read_call("/found"), NOW).expect("a step");
    assert_eq!(text(&again, "source"), "memory", "a second read needs no effect");
    assert_eq!(at(&again, "slot"), at(&step, "memory.keep"));
}

#[wasm_bindgen_test]
fn a_look_into_memory_finds_what_is_fresh_there_and_nothing_else() {
    configured();
    assert_eq!(fresh_in_memory(0, "/looked", NOW), -1.0);
    assert_eq!(ledger_position(), [0.0, 0.0]);
    let kept = number(&found("/looked"), "memory.keep");
    assert_eq!(ledger_position(), [1.0, 0.0]);
    assert_eq!(fresh_in_memory(0, "/looked", NOW), kept);
    assert_eq!(fresh_in_memory(1, "/looked", NOW), -1.0, "an entry of another kind is another entry");
    assert_eq!(fresh_in_memory(0, "/looked", NOW + 1000.0), -1.0, "the copy of the ledger is too old");
}

#[wasm_bindgen_test]
fn half_a_surrogate_pair_crosses_as_the_replacement_character() {
    configured();
    let lone = js(r#"{"invalidate":{"tags":["\\ud800","x\ud800y\udfffz","\ud83d\ude00"]}}"#);
    let step = begin(lone, NOW).expect("a step");
    let tags: Vec<_> = (0..3).map(|n| text(&step, &format!("effect.message.tags.{n}"))).collect();
    assert_eq!(tags, ["\\ud800", "x\u{fffd}y\u{fffd}z", "\u{1f600}"]);
}

#[wasm_bindgen_test]
fn what_javascript_would_round_does_not_cross() {
    configured();
    assert_eq!(code(resume_with_generation("9007199254740992")), "bad-call");
    assert!(resume_with_generation("9007199254740991").is_ok());
}

/// A read that is told of a lease of a generation.
fn resume_with_generation(generation: &str) -> Result<JsValue, JsValue> {
    let (machine, _) = begun_read("/beyond");
    let step = resume(machine, loaded(&"absent".into()), NOW, None).expect("a step");
    let lease = format!(r#"{{"generation":{generation},"holder":"n","position":{{"epoch":1,"number":0}}}}"#);
    let granted = format!(r#"{{"acquired":{{"answer":{{"granted":{{"lease":{lease},"remaining_ms":1}}}}}}}}"#);
    resume(number(&step, "machine") as u32, js(&granted), NOW, None)
}

#[wasm_bindgen_test]
fn a_store_hands_out_the_header_as_bytes_that_read_back_as_the_entry() {
    configured();
    let call = r#"{"store":{"kind":"response","key":"/s","shape":"app","parts":[{"name":"html","bytes":5}],"tags":["t"],"revalidate":60,"context":{},"started_at":1799999999000}}"#;
    let step = begin(js(call), NOW).expect("a step");
    assert_eq!(text(&step, "effect.kind"), "publish");
    let header: Uint8Array = at(&step, "header").dyn_into().expect("a Uint8Array, not a list of numbers");
    assert_eq!(header_bytes(&header.to_vec()), i32::try_from(header.length()).expect("small"));
    let entry = frame::read(&header.to_vec(), u64::from(header.length()) + 5).expect("an entry");
    assert_eq!((entry.tags, entry.revalidate), (vec!["t".to_owned()], Some(60)));
    let step = resume(
        number(&step, "machine") as u32,
        js(r#"{"published":{"answer":{"accepted":{"generation":3}}}}"#),
        NOW,
        None,
    )
    .expect("a step");
    assert_eq!(text(&step, "result"), "ended");
    assert_eq!(text(&step, "reason"), "accepted");
    assert_eq!(number(&step, "generation"), 3.0);
}

#[wasm_bindgen_test]
fn a_header_is_a_buffer_of_its_own_that_later_calls_leave_alone() {
    let first = entry_header(an_entry()).expect("a header");
    let kept = first.to_vec();
    let second = entry_header(an_entry()).expect("a header");
    assert!(!first.buffer().eq(&second.buffer()));
    assert_eq!(first.byte_offset(), 0);
    assert_eq!(first.buffer().byte_length(), first.length(), "nothing but the header is behind it");
    assert!(!first.buffer().eq(&wasm_memory()), "it is no view of wasm memory, which moves when it grows");
    assert_eq!(first.to_vec(), kept);
}

fn wasm_memory() -> js_sys::ArrayBuffer {
    at(&wasm_bindgen::memory(), "buffer").unchecked_into()
}

#[wasm_bindgen_test]
fn a_header_read_back_is_the_entry_that_was_described() {
    let header = entry_header(an_entry()).expect("a header").to_vec();
    let total = header.len() as u64 + 5;
    let entry = frame::read(&header, total).expect("an entry");
    assert_eq!((entry.generation, entry.created_at.0), (7, 1_799_999_999_000));
    assert_eq!((entry.revalidate, entry.expire), (Some(60), Some(3600)));
    assert_eq!(entry.body_bytes(), 5);
}

#[wasm_bindgen_test]
fn bytes_that_are_no_entry_have_no_header() {
    assert_eq!(header_bytes(b""), -1);
    assert_eq!(header_bytes(b"{\"lastModified\":1}"), -1);
    assert_eq!(header_bytes(b"1GEN"), -1);
}

#[wasm_bindgen_test]
fn an_option_that_makes_no_sense_is_a_bad_option_with_a_sentence() {
    let error = configure(js(r#"{"waitMs":60000}"#), "build", "secret").expect_err("an error");
    assert_eq!(text(&error, "code"), "bad-option");
    assert!(text(&error, "message").starts_with("option `waitMs` is 60000: expected 0 to 25000; "));
    let error = configure(js(r#"{"app":""}"#), "build", "secret").expect_err("an error");
    assert_eq!(text(&error, "code"), "bad-option");
    assert!(text(&error, "message").starts_with("option `app` is \"\": expected "));
}

#[wasm_bindgen_test]
fn a_malformed_call_is_a_bad_call_and_leaves_the_engine_as_it_was() {
    configured();
    assert_eq!(code(begin(js(r#"{"fly":{}}"#), NOW)), "bad-call");
    assert_eq!(code(begin(JsValue::UNDEFINED, NOW)), "bad-call");
    assert_eq!(code(entry_key("unheard-of".into(), "/a")), "bad-call");
    assert_eq!(code(entry_header(js("{}")).map(JsValue::from)), "bad-call");
    assert_eq!(text(&begun_read("/after").1, "step"), "perform");
}

#[wasm_bindgen_test]
fn a_reply_that_cannot_be_read_is_one_that_did_not_come() {
    configured();
    let (machine, _) = begun_read("/garbled");
    let step = resume(machine, js(r#"{"loaded":{"kv":{"found":5}}}"#), NOW, None).expect("a step");
    assert_eq!(text(&step, "effect.kind"), "acquire", "the coordinator is asked instead");
}

#[wasm_bindgen_test]
fn a_machine_that_is_not_known_ends_as_a_miss() {
    configured();
    let step = resume(4_000_000_000, "done".into(), NOW, None).expect("a step");
    assert_eq!(text(&step, "step"), "done");
    assert_eq!(text(&step, "result"), "miss");
    assert_eq!(text(&step, "reason"), "engine-restarted");
}

#[wasm_bindgen_test]
fn a_lease_signed_by_nobody_is_undefined() {
    assert!(verify_lease("1.2.h.3.4.-.6f.00", "secret").is_undefined());
    assert!(verify_lease("", "secret").is_undefined());
}

#[wasm_bindgen_test]
fn names_are_scoped_by_app_and_build() {
    configured();
    let name = entry_key("response".into(), "/a").expect("a key").as_string().expect("a string");
    let ledger = ledger_name().expect("a name").as_string().expect("a string");
    assert!(name.contains("build") && name.ends_with("/a"), "{name}");
    assert!(!ledger.contains("build"), "an app's builds share its ledger: {ledger}");
}

#[wasm_bindgen_test]
fn header_values_say_what_was_served() {
    assert!(cache_control(Some(60), Some(3600), 10_000.0, false).starts_with("s-maxage=50, stale-while-revalidate="));
    assert!(cache_status_of_entry("hit", Some(60), None, 10_000.0, 7.0, "kv").starts_with("Onegen; hit; ttl=50"));
    assert!(cache_status_of_render(false, false, "leader").starts_with("Onegen; fwd=uri-miss"));
}

#[wasm_bindgen_test]
fn statistics_are_numbers_and_no_body_is_among_them() {
    configured();
    let stats = stats().expect("statistics");
    for path in ["memoryBytes", "machines", "corruptValues", "wasmBytes"] {
        assert!(number(&stats, path) >= 0.0);
    }
}

#[wasm_bindgen_test]
fn healing_a_healthy_engine_changes_nothing() {
    configured();
    heal();
    assert_eq!(text(&begun_read("/healed").1, "step"), "perform");
}
