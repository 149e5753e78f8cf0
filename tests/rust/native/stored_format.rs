//! What is stored or sent outlives the code that wrote it: it reads back as itself, and nothing else reads as it.

use onegen::base::limits::RoutePolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::entry::frame::{self, Corrupt, METADATA_LIMIT, PREFIX_BYTES};
use onegen::entry::key::{KV_KEY_LIMIT, Kind, Scope};
use onegen::entry::{Entry, KeyLife, Part};
use onegen::route::lease_token::CarriedLease;
use onegen::route::{AbandonReason, Answer, Event, Lease, Need, Route};
use proptest::prelude::*;
use serde_json::Value;

const SECRET: &str = "a-secret-of-one-build";

/// Numbers that JavaScript holds exactly.
fn numbers() -> impl Strategy<Value = u64> {
    0..1_u64 << 53
}

fn positions() -> impl Strategy<Value = Position> {
    (numbers(), numbers()).prop_map(|(epoch, number)| Position { epoch, number })
}

fn entries() -> impl Strategy<Value = Entry> {
    let part = (any::<String>(), any::<u32>()).prop_map(|(name, bytes)| Part { name, bytes });
    (
        numbers(),
        positions(),
        numbers().prop_map(Millis),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        prop::collection::vec(any::<String>(), 0..8),
        any::<String>(),
        prop::collection::vec(part, 0..6),
        prop::option::of((numbers(), numbers())),
    )
        .prop_map(|(generation, position, created_at, revalidate, expire, tags, shape, parts, life)| Entry {
            generation,
            position,
            created_at,
            revalidate,
            expire,
            tags,
            shape,
            parts,
            key_life: life.map(|(put_at, seconds)| KeyLife { put_at: Millis(put_at), seconds }),
        })
}

fn scopes() -> impl Strategy<Value = (String, String)> {
    ("[a-z.~_-]{1,3}|[A-Za-z0-9._-]{64}", "[a-z./~-]{0,3}|[é/]{0,40}|[A-Za-z0-9._-]{60,70}")
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Response), Just(Kind::Data), Just(Kind::UseCache)]
}

/// Short ones that collide easily, ones around KV's limit, and ones that look like a digest.
fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a/~]{0,3}",
        "(response|data|use-cache)/[a/]{0,2}",
        "[x]{300,520}",
        "é{100,300}",
        "~[0-9a-f]{64}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_entry_reads_back_as_itself(entry in entries()) {
        let header = frame::header(&entry);
        let total = header.len() as u64 + entry.body_bytes();
        prop_assert_eq!(frame::header_bytes(&header), Ok(header.len()));
        prop_assert_eq!(frame::read(&header, total), Ok(entry));
    }

    #[test]
    fn a_header_is_found_in_front_of_its_body(entry in entries(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let header = frame::header(&entry);
        let total = header.len() as u64 + entry.body_bytes();
        let stored = [header.clone(), body].concat();
        prop_assert_eq!(frame::header_bytes(&stored), Ok(header.len()));
        prop_assert_eq!(frame::read(&stored, total), Ok(entry));
    }

    #[test]
    fn a_header_cut_anywhere_is_an_error(entry in entries(), cut in any::<prop::sample::Index>()) {
        let header = frame::header(&entry);
        let total = header.len() as u64 + entry.body_bytes();
        let cut = header.get(..cut.index(header.len())).unwrap_or_default();
        prop_assert_eq!(frame::read(cut, total), Err(Corrupt::Truncated));
    }

    #[test]
    fn a_value_of_any_other_length_is_an_error(entry in entries(), other in any::<u64>()) {
        let header = frame::header(&entry);
        let total = header.len() as u64 + entry.body_bytes();
        prop_assume!(other != total);
        prop_assert_eq!(frame::read(&header, other), Err(Corrupt::BodyLength));
    }

    #[test]
    fn arbitrary_bytes_never_ask_for_more_than_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        framed in any::<bool>(),
        total in any::<u64>(),
    ) {
        let bytes = if framed { [b"1GEN\x01\0\0\0".as_slice(), &bytes].concat() } else { bytes };
        if let Ok(length) = frame::header_bytes(&bytes) {
            prop_assert!((PREFIX_BYTES..=PREFIX_BYTES + METADATA_LIMIT).contains(&length));
        }
        prop_assert!(frame::read(&bytes, total).is_err());
    }

    #[test]
    fn a_header_with_a_changed_byte_never_lies_about_lengths(
        entry in entries(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut header = frame::header(&entry);
        let total = header.len() as u64 + entry.body_bytes();
        let at = at.index(header.len());
        header[at] ^= flip;
        if let Ok(read) = frame::read(&header, total) {
            let length = frame::header_bytes(&header).unwrap_or_default();
            prop_assert_eq!(length as u64 + read.body_bytes(), total);
        }
    }

    #[test]
    fn every_key_fits_into_kv((app, build) in scopes(), kind in kinds(), key in keys()) {
        if let Ok(scope) = Scope::new(&app, &build) {
            prop_assert!(scope.entry_key(kind, &key).len() <= KV_KEY_LIMIT);
            prop_assert!(scope.ledger_name().len() <= KV_KEY_LIMIT);
        } else {
            prop_assert!(app.contains('~') || matches!(app.as_str(), "." | ".."), "{app:?} is a usable app id");
        }
    }

    #[test]
    fn two_things_never_share_a_key(
        (app, build) in scopes(),
        (other_app, other_build) in scopes(),
        same_scope in any::<bool>(),
        (kind, other_kind) in (kinds(), kinds()),
        (key, other_key) in (keys(), keys()),
    ) {
        let (other_app, other_build) =
            if same_scope { (app.clone(), build.clone()) } else { (other_app, other_build) };
        let (Ok(scope), Ok(other)) = (Scope::new(&app, &build), Scope::new(&other_app, &other_build)) else {
            return Ok(());
        };
        let same = (&app, &build, kind, &key) == (&other_app, &other_build, other_kind, &other_key);
        prop_assert_eq!(scope.entry_key(kind, &key) == other.entry_key(other_kind, &other_key), same);
        prop_assert_ne!(scope.entry_key(kind, &key), other.ledger_name());
    }

    #[test]
    fn a_key_that_repeats_the_end_of_a_stored_one_does_not_pose_as_it(kind in kinds(), key in keys()) {
        let scope = Scope::new("shop", "b1").unwrap();
        let stored = scope.entry_key(kind, &key);
        for (at, _) in stored.match_indices(['/', '~']) {
            for posing in [&stored[at..], &stored[at + 1..]] {
                prop_assert_eq!(scope.entry_key(kind, posing) == stored, posing == key, "{:?}", posing);
            }
        }
    }

    #[test]
    fn a_signed_lease_reads_back_as_itself(
        generation in any::<u64>(),
        holder in "[A-Za-z0-9-]{0,40}",
        position in positions(),
        key in keys(),
        expire in any::<Option<u32>>(),
    ) {
        let carried = CarriedLease::new(Lease { generation, holder, position }, &key, expire);
        let token = carried.sign(SECRET);
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?} is a header value");
        let read = CarriedLease::verify(&token, SECRET);
        prop_assert!(read.as_ref().is_some_and(|read| read.is_for(&key)));
        prop_assert_eq!(read, Some(carried));
    }

    #[test]
    fn a_signed_lease_with_a_changed_byte_is_not_believed(at in any::<prop::sample::Index>(), byte in 0u8..128) {
        let lease = Lease { generation: 12, holder: "h-1".to_owned(), position: Position { epoch: 3, number: 4 } };
        let token = CarriedLease::new(lease, "onegen/1/app/b/response//x", Some(60)).sign(SECRET);
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assume!(changed != token);
        prop_assert_eq!(CarriedLease::verify(&changed, SECRET), None);
    }

    #[test]
    fn a_signed_lease_cut_short_is_not_believed(cut in any::<prop::sample::Index>()) {
        let lease = Lease { generation: 12, holder: "h-1".to_owned(), position: Position { epoch: 3, number: 4 } };
        let token = CarriedLease::new(lease, "onegen/1/app/b/response//x", None).sign(SECRET);
        let cut = cut.index(token.len());
        prop_assert_eq!(CarriedLease::verify(&token[..cut], SECRET), None);
        prop_assert_eq!(CarriedLease::verify(&token[cut + 1..], SECRET), None);
    }

    #[test]
    fn no_text_is_mistaken_for_a_signed_lease(text in any::<String>()) {
        prop_assert_eq!(CarriedLease::verify(&text, SECRET), None);
    }
}

fn fixed_entry() -> Entry {
    Entry {
        generation: 1_795_471_200_001,
        position: Position { epoch: 1_795_000_000_000, number: 42 },
        created_at: Millis(1_795_471_199_000),
        revalidate: Some(60),
        expire: Some(31_536_000),
        tags: vec!["_N_T_/layout".to_owned(), "_N_T_/café".to_owned()],
        shape: "app".to_owned(),
        parts: vec![Part { name: "html".to_owned(), bytes: 15 }, Part { name: "rsc".to_owned(), bytes: 4 }],
        key_life: None,
    }
}

const FIXED_BODY: &[u8] = b"<p>caf\xC3\xA9</p>\n\0\xFF0:[]";

const GOLDEN_ENTRY: &[u8] = include_bytes!("golden/entry-v1.bin");
const GOLDEN_ROUTE: &str = include_str!("golden/route-v1.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_entry_stored_by_the_first_version_reads_as_what_it_was() {
    assert_eq!(frame::read(GOLDEN_ENTRY, GOLDEN_ENTRY.len() as u64), Ok(fixed_entry()));
    let length = frame::header_bytes(GOLDEN_ENTRY).unwrap();
    assert_eq!(&GOLDEN_ENTRY[length..], FIXED_BODY);
}

#[test]
fn an_entry_is_stored_as_the_first_version_stored_it() {
    let stored = [&frame::header(&fixed_entry()), FIXED_BODY].concat();
    assert_eq!(hex(&stored), hex(GOLDEN_ENTRY), "the stored form has changed: readers of version 1 must still read it");
}

#[test]
fn an_entry_from_before_its_optional_fields_existed_is_read() {
    let metadata = br#"{"g":7,"c":1000,"s":"page","b":[],"added later":{"x":1}}"#;
    let length = u32::try_from(metadata.len()).unwrap().to_be_bytes();
    let stored = [b"1GEN\x01\0\0\0".as_slice(), &length, metadata].concat();
    let entry = frame::read(&stored, stored.len() as u64).unwrap();
    assert_eq!((entry.generation, entry.position), (7, Position::BEFORE_EVERYTHING));
    assert_eq!((entry.revalidate, entry.expire, entry.tags), (None, None, Vec::new()));
}

/// One of everything that a row can hold: a publication, a put that failed, back-off, hit-for-miss, a live lease.
fn eventful_route() -> (Route, Millis) {
    let policy = RoutePolicy::default();
    let mut now = Millis(1_795_471_200_000);
    let mut route = Route::new(now);
    let position = Position { epoch: 1_795_000_000_000, number: 42 };
    let ask = |route: &mut Route, now, holder: &str, have| {
        let event = Event::Acquire { have, holder: holder.to_owned(), position, need: Need::Refresh };
        match route.step(&policy, now, event).answer {
            Answer::Granted { lease, .. } => lease.generation,
            other => panic!("{other:?}"),
        }
    };
    let end = |generation, holder: &str, reason| Event::Abandon { generation, holder: holder.to_owned(), reason };

    let first = ask(&mut route, now, "first", None);
    now = now.after(Span::seconds(2));
    let lease = Some((first, "first".to_owned()));
    route.step(
        &policy,
        now,
        Event::Publish { lease, position, seed: false, render_time: Span::seconds(2), bytes: 1 << 20 },
    );
    now = now.after(Span::seconds(1));
    route.step(&policy, now, Event::PutEnded { generation: first, confirmed: false });
    now = now.after(Span::seconds(10));
    route.step(&policy, now, Event::Alarm);

    let failing = ask(&mut route, now, "failing", Some(first));
    route.step(&policy, now, end(failing, "failing", AbandonReason::Failed));
    now = now.after(Span::seconds(5));
    let storing_nothing = ask(&mut route, now, "storing-nothing", Some(first));
    route.step(&policy, now, end(storing_nothing, "storing-nothing", AbandonReason::NotStored));
    now = now.after(Span::seconds(6));
    ask(&mut route, now, "leading", Some(first));
    (route, now)
}

/// Whether everything that was stored then is still there; fields may have been added, and what is `null` left out.
fn keeps(then: &Value, today: &Value) -> bool {
    match (then, today) {
        (Value::Object(then), Value::Object(today)) => {
            then.iter().all(|(name, value)| keeps(value, today.get(name).unwrap_or(&Value::Null)))
        }
        _ => then == today,
    }
}

#[test]
fn a_route_stored_by_the_first_version_goes_on_where_it_was() {
    let (route, now) = eventful_route();
    let today = serde_json::to_string(&route).unwrap();
    let then: Value = serde_json::from_str(GOLDEN_ROUTE).unwrap();
    let stored: Route = serde_json::from_str(GOLDEN_ROUTE)
        .unwrap_or_else(|error| panic!("{error}; such a route would be stored today as {today}"));
    assert!(
        keeps(&then, &serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap()),
        "such a route would be stored today as {today}"
    );
    assert_eq!(stored.live_lease(now).map(|lease| lease.holder.as_str()), Some("leading"));
    assert_eq!(stored.latest().map(|latest| latest.generation), Some(1_795_471_200_001));
}

#[test]
fn any_route_reads_back_as_itself() {
    let (route, _) = eventful_route();
    assert_eq!(serde_json::from_str::<Route>(&serde_json::to_string(&route).unwrap()).unwrap(), route);
}
