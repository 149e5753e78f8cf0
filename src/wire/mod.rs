//! What travels between an isolate and the objects: the same messages over bindings and over HTTPS.
//!
//! The two ends may be of different releases (an app and the Onegen Worker are deployed apart), so fields are only ever added,
//! with a default, and unknown ones are ignored. Header and body bytes travel beside the messages.

pub mod api;

use serde::{Deserialize, Serialize};

use crate::base::limits::RoutePolicy;
use crate::base::number;
use crate::base::position::Position;
use crate::base::time::Span;
use crate::ledger::Profile;
use crate::route::{AbandonReason, Answer, HoldReason, Lease, Need};

/// "May I render this route?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquire {
    /// The newest generation the caller knows.
    #[serde(default, deserialize_with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub have: Option<u64>,
    /// A random name for this question.
    pub holder: String,
    /// Where the caller's copy of the ledger stands.
    #[serde(default)]
    pub position: Position,
    /// Whether the caller has something to serve.
    pub need: Need,
    /// How long the answer may be held back while somebody else renders, in milliseconds.
    #[serde(default)]
    pub wait_ms: Span,
}

/// The answer to [`Acquire`]. `Newer` comes with header and body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acquired {
    /// Something newer is published.
    Newer {
        /// Its generation.
        #[serde(deserialize_with = "number::whole")]
        generation: u64,
    },
    /// Render.
    Granted {
        /// Under this lease.
        lease: Lease,
        /// For so long.
        remaining_ms: Span,
    },
    /// Serve what you have.
    Hold {
        /// Do not ask again for so long.
        ms: Span,
        /// Somebody who waits should be looked at again after so long.
        recheck_ms: Span,
        /// Why.
        reason: HoldReason,
    },
    /// Render for yourself; nobody waits.
    Uncacheable {
        /// For so long.
        ms: Span,
        /// Why.
        reason: HoldReason,
    },
}

impl Acquired {
    /// The machine's answer as it travels; `None` for answers to other messages.
    #[must_use]
    pub fn from_answer(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Newer { generation } => Some(Self::Newer { generation }),
            Answer::Granted { lease, remaining } => Some(Self::Granted { lease, remaining_ms: remaining }),
            Answer::Hold { hold, recheck, reason } => Some(Self::Hold { ms: hold, recheck_ms: recheck, reason }),
            Answer::Uncacheable { hold, reason } => Some(Self::Uncacheable { ms: hold, reason }),
            Answer::Accepted { .. } | Answer::Fenced { .. } | Answer::Done => None,
        }
    }
}

/// What a coordinator's object does with the answer to an [`Acquire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// It answers.
    Answer,
    /// It answers with the bytes of this generation. Without them it forgets the generation, and asks again.
    HandOut {
        /// The generation.
        generation: u64,
    },
    /// It holds the request until the route changes, at most so long, and asks again.
    Wait {
        /// How long, in milliseconds.
        ms: Span,
    },
}

impl Acquired {
    /// What to do with this answer, while the caller may be kept waiting for so long.
    #[must_use]
    pub fn next(&self, left: Span) -> Next {
        match self {
            Self::Newer { generation } => Next::HandOut { generation: *generation },
            // A moment later than the lease ends, so that a request that asks again is not held once more.
            Self::Hold { recheck_ms, .. } if left > Span::ZERO => Next::Wait { ms: recheck_ms.and(Span(1)).min(left) },
            _ => Next::Answer,
        }
    }
}

/// A lease named by who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseName {
    /// Its generation.
    #[serde(deserialize_with = "number::whole")]
    pub generation: u64,
    /// Its holder.
    pub holder: String,
}

/// "Here is a render." The entry's header and body travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The lease it was made under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseName>,
    /// Whether it is a page from the build.
    #[serde(default)]
    pub seed: bool,
    /// How long the render took, in milliseconds.
    #[serde(default)]
    pub render_ms: Span,
}

/// The answer to [`Publish`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Published {
    /// It is the latest now.
    Accepted {
        /// Under this generation.
        #[serde(deserialize_with = "number::whole")]
        generation: u64,
        /// Its KV key lives for so many seconds.
        #[serde(default, deserialize_with = "number::optional", skip_serializing_if = "Option::is_none")]
        key_life_seconds: Option<u64>,
    },
    /// It came too late.
    Fenced {
        /// What won, if it is published yet.
        #[serde(default, deserialize_with = "number::optional", skip_serializing_if = "Option::is_none")]
        latest: Option<u64>,
    },
}

impl Published {
    /// The machine's answer as it travels; `None` for answers to other messages.
    #[must_use]
    pub const fn from_answer(answer: &Answer, policy: &RoutePolicy) -> Option<Self> {
        match answer {
            Answer::Accepted { generation } => {
                Some(Self::Accepted { generation: *generation, key_life_seconds: Some(policy.kv_ttl_seconds) })
            }
            Answer::Fenced { latest } => Some(Self::Fenced { latest: *latest }),
            _ => None,
        }
    }
}

/// "I shall not publish."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandon {
    /// The lease given back.
    pub lease: LeaseName,
    /// Why.
    pub reason: AbandonReason,
}

/// "What have I missed?" The answer is a [`crate::ledger::Since`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceQuestion {
    /// Where the copy stands.
    pub position: Position,
}

/// "These tags are invalidated." The answer is a [`crate::ledger::Since`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// Where the copy stands.
    pub position: Position,
    /// The tags.
    pub tags: Vec<String>,
    /// How; absent ends entries at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// "Was any of these tags invalidated after that position?" The answer is an [`crate::ledger::Invalidation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The entry's position.
    pub position: Position,
    /// The entry's tags.
    pub tags: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;
    use crate::base::number::LARGEST;
    use crate::base::time::Millis;
    use crate::entry::{Entry, example};
    use crate::ledger::{Row, Since};
    use crate::route::Route;

    const API: &str = include_str!("../../docs/api.md");

    /// The messages that the page shows, each with the name above or beside it.
    fn shown() -> Vec<(&'static str, &'static str)> {
        let section = API.split("\n## ").find(|section| section.starts_with("Messages\n")).unwrap();
        let mut named = "";
        let mut messages = Vec::new();
        for row in section.lines().filter(|line| line.contains("| `{")) {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap().trim_matches(['|', '`', ' ']);
            named = if name.is_empty() { named } else { name };
            messages.push((named, cells.next().unwrap().trim_matches('`')));
        }
        messages
    }

    fn again<T: DeserializeOwned + Serialize>(text: &str) -> String {
        let message: T = serde_json::from_str(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        serde_json::to_string(&message).unwrap()
    }

    #[test]
    fn the_messages_that_the_page_shows_are_these_with_all_their_fields() {
        let messages = shown();
        for (name, text) in &messages {
            let understood = match *name {
                "Acquire" => again::<Acquire>(text),
                "Acquired" => again::<Acquired>(text),
                "Publish" => again::<Publish>(text),
                "Published" => again::<Published>(text),
                "Abandon" => again::<Abandon>(text),
                "SinceQuestion" => again::<SinceQuestion>(text),
                "Since" => again::<Since>(text),
                "Append" => again::<Append>(text),
                "Check" => again::<Check>(text),
                other => panic!("the page shows an unknown message, {other}"),
            };
            assert_eq!(understood, *text, "{name}");
        }
        assert_eq!(messages.len(), 13);
    }

    const POSITION: Position = Position { epoch: 1, number: 2 };

    fn lease() -> Lease {
        Lease { generation: 7, holder: "h".to_owned(), position: POSITION }
    }

    fn name() -> LeaseName {
        LeaseName { generation: 7, holder: "h".to_owned() }
    }

    fn tags() -> Vec<String> {
        vec!["a".to_owned()]
    }

    /// Releases that are deployed apart read and write messages so.
    #[test]
    fn messages_look_as_they_always_did() {
        fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(value: &T, text: &str) {
            assert_eq!(serde_json::to_string(value).unwrap(), text);
            assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
        }
        same(
            &Acquire {
                have: None,
                holder: "h\"".to_owned(),
                position: POSITION,
                need: Need::Fill,
                wait_ms: Span::seconds(1),
            },
            r#"{"holder":"h\"","position":{"epoch":1,"number":2},"need":"fill","wait_ms":1000}"#,
        );
        same(&Acquired::Newer { generation: 7 }, r#"{"newer":{"generation":7}}"#);
        same(
            &Acquired::Granted { lease: lease(), remaining_ms: Span(1) },
            r#"{"granted":{"lease":{"generation":7,"holder":"h","position":{"epoch":1,"number":2}},"remaining_ms":1}}"#,
        );
        same(
            &Acquired::Hold { ms: Span(1), recheck_ms: Span(2), reason: HoldReason::BackingOff },
            r#"{"hold":{"ms":1,"recheck_ms":2,"reason":"backing-off"}}"#,
        );
        same(
            &Publish { lease: Some(name()), seed: false, render_ms: Span(5) },
            r#"{"lease":{"generation":7,"holder":"h"},"seed":false,"render_ms":5}"#,
        );
        same(&Publish { lease: None, seed: true, render_ms: Span(0) }, r#"{"seed":true,"render_ms":0}"#);
        same(
            &Published::Accepted { generation: 7, key_life_seconds: Some(60) },
            r#"{"accepted":{"generation":7,"key_life_seconds":60}}"#,
        );
        same(&Published::Fenced { latest: None }, r#"{"fenced":{}}"#);
        same(
            &Abandon { lease: name(), reason: AbandonReason::NotStored },
            r#"{"lease":{"generation":7,"holder":"h"},"reason":"not_stored"}"#,
        );
        same(
            &Append { position: POSITION, tags: tags(), profile: Some(Profile { expire_ms: None }) },
            r#"{"position":{"epoch":1,"number":2},"tags":["a"],"profile":{}}"#,
        );
        same(
            &Append { position: POSITION, tags: tags(), profile: None },
            r#"{"position":{"epoch":1,"number":2},"tags":["a"]}"#,
        );
        same(&Check { position: POSITION, tags: tags() }, r#"{"position":{"epoch":1,"number":2},"tags":["a"]}"#);
        let row = Row { tag: "a".to_owned(), hard: 0, soft: 2, soft_ends_in_ms: None };
        same(
            &Since { from: 0, head: POSITION, floor: 0, rows: vec![row], window_ms: Span::ZERO },
            r#"{"from":0,"head":{"epoch":1,"number":2},"floor":0,"rows":[{"tag":"a","hard":0,"soft":2}],"window_ms":0}"#,
        );
        same(
            &example(),
            r#"{"g":1795000000000,"p":{"epoch":9,"number":4},"c":1795000000000,"r":60,"e":3600,"t":["_N_T_/blog/hello","products"],"s":"app","b":[{"name":"html","bytes":20},{"name":"rsc","bytes":10}],"k":{"a":1795000000500,"s":2592000}}"#,
        );
    }

    #[test]
    fn a_request_is_held_until_the_lease_ends_but_no_longer_than_it_may_wait() {
        let hold = Acquired::Hold { ms: Span(9), recheck_ms: Span(500), reason: HoldReason::Rendering };
        assert_eq!(hold.next(Span(2000)), Next::Wait { ms: Span(501) });
        assert_eq!(hold.next(Span(300)), Next::Wait { ms: Span(300) });
        assert_eq!(hold.next(Span::ZERO), Next::Answer);
        assert_eq!(Acquired::Newer { generation: 7 }.next(Span::ZERO), Next::HandOut { generation: 7 });
        let granted = Acquired::Granted { lease: lease(), remaining_ms: Span(1) };
        assert_eq!(granted.next(Span(300)), Next::Answer);
    }

    /// How many whole numbers stand in a value.
    fn numbers(value: &Value) -> usize {
        match value {
            Value::Number(_) => 1,
            Value::Array(list) => list.iter().map(numbers).sum(),
            Value::Object(fields) => fields.values().map(numbers).sum(),
            _ => 0,
        }
    }

    /// Puts `number` in the place of the `nth` number of a value.
    fn replace(value: &mut Value, nth: &mut usize, number: u64) {
        match value {
            Value::Number(_) => {
                if *nth == 0 {
                    *value = number.into();
                }
                *nth = nth.wrapping_sub(1);
            }
            Value::Array(list) => list.iter_mut().for_each(|item| replace(item, nth, number)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, nth, number)),
            _ => {}
        }
    }

    /// Every number of a value in turn: how many there are, and of them those that may be as large as JavaScript allows.
    fn limits<T: DeserializeOwned + Serialize>(value: &T) -> (usize, usize) {
        let whole = serde_json::to_value(value).unwrap();
        let count = numbers(&whole);
        let accepts = |nth: usize, number: u64| {
            let (mut changed, mut left) = (whole.clone(), nth);
            replace(&mut changed, &mut left, number);
            serde_json::from_value::<T>(changed).is_ok()
        };
        for nth in 0..count {
            for refused in [LARGEST + 1, u64::MAX] {
                assert!(!accepts(nth, refused), "number {nth} of {whole} may be {refused}");
            }
        }
        (count, (0..count).filter(|&nth| accepts(nth, LARGEST)).count())
    }

    #[test]
    fn a_number_that_javascript_would_round_is_refused_in_every_field_of_every_message_row_and_frame() {
        let soft = Row { tag: "a".to_owned(), hard: 1, soft: 2, soft_ends_in_ms: Some(Span(3)) };
        assert_eq!(
            limits(&Acquire {
                have: Some(1),
                holder: "h".to_owned(),
                position: POSITION,
                need: Need::Fill,
                wait_ms: Span(1)
            }),
            (4, 4)
        );
        assert_eq!(limits(&Acquired::Newer { generation: 7 }), (1, 1));
        assert_eq!(limits(&Acquired::Granted { lease: lease(), remaining_ms: Span(1) }), (4, 4));
        let reason = HoldReason::NotStored;
        assert_eq!(limits(&Acquired::Hold { ms: Span(1), recheck_ms: Span(2), reason }), (2, 2));
        assert_eq!(limits(&Acquired::Uncacheable { ms: Span(1), reason }), (1, 1));
        assert_eq!(limits(&Publish { lease: Some(name()), seed: false, render_ms: Span(5) }), (2, 2));
        assert_eq!(limits(&Published::Accepted { generation: 7, key_life_seconds: Some(60) }), (2, 2));
        assert_eq!(limits(&Published::Fenced { latest: Some(7) }), (1, 1));
        assert_eq!(limits(&Abandon { lease: name(), reason: AbandonReason::Failed }), (1, 1));
        assert_eq!(limits(&SinceQuestion { position: POSITION }), (2, 2));
        let profile = Some(Profile { expire_ms: Some(Span(1)) });
        assert_eq!(limits(&Append { position: POSITION, tags: tags(), profile }), (3, 3));
        assert_eq!(limits(&Check { position: POSITION, tags: tags() }), (2, 2));
        let since = Since { from: 0, head: POSITION, floor: 0, rows: vec![soft], window_ms: Span::ZERO };
        assert_eq!(limits(&since), (8, 8));
        // `revalidate`, `expire` and the lengths of parts have 32 bits.
        assert_eq!(limits::<Entry>(&example()), (10, 6));
    }

    #[test]
    fn a_number_that_javascript_would_round_is_refused_in_every_field_of_a_row() {
        let row = r#"{"created_at":1,"touched_at":1,"last_generation":9,
            "latest":{"generation":1,"position":{"epoch":1,"number":1},"published_at":1,"bytes_held":true,"publisher":"p"},
            "grant":{"lease":{"generation":1,"holder":"h","position":{"epoch":1,"number":1}},"granted_at":1,"deadline":1,"ended":false},
            "failures":1,"retry_at":1,"not_stored":1,"uncacheable_until":1,"render_times":[1,2],
            "kv":{"confirmed":1,"confirmed_at":1,"in_flight":[1,1],"failures":1,"not_before":1,"repeat_at":1}}"#;
        let route: Route = serde_json::from_str(row).unwrap();
        // Three counts of failures have 32 bits; the time of creation and the generation handed out last leave room for more.
        assert_eq!(limits(&route), (25, 20));
    }

    #[test]
    fn a_row_after_whose_generation_no_other_could_follow_is_unreadable() {
        let row = |field: &str, number: u64| {
            let mut row = serde_json::to_value(Route::new(Millis(1))).unwrap();
            row[field] = number.into();
            serde_json::from_value::<Route>(row)
        };
        let last = LARGEST - (1 << 46);
        assert!(last > 8_640_000_000_000_000, "the last moment of JavaScript's clock");
        for field in ["last_generation", "created_at"] {
            assert!(
                row(field, last).is_ok() && row(field, last + 1).is_err() && row(field, LARGEST).is_err(),
                "{field}"
            );
        }
    }

    #[test]
    fn a_time_of_day_that_javascript_would_round_is_refused() {
        assert!(serde_json::from_str::<Millis>(&LARGEST.to_string()).is_ok());
        let refused = serde_json::from_str::<Millis>(&(LARGEST + 1).to_string()).unwrap_err();
        assert!(refused.to_string().starts_with("9007199254740992 is above 9007199254740991"), "{refused}");
    }
}
