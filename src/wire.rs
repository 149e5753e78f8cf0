//! What travels between an isolate and the objects: the same messages over bindings and over HTTPS.
//!
//! The two ends may be of different releases (an app and the Onegen Worker are deployed apart), so fields are only ever added,
//! with a default, and unknown ones are ignored. Header and body bytes travel beside the messages.

use crate::lease::{AbandonReason, Answer, HoldReason, Lease, Need};
use crate::ledger::Profile;
use crate::policy::RoutePolicy;
use crate::position::Position;
use crate::time::Span;

/// "May I render this route?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquire {
    /// The newest generation the caller knows.
    pub have: Option<u64>,
    /// A random name for this question.
    pub holder: String,
    /// Where the caller's copy of the ledger stands.
    pub position: Position,
    /// Whether the caller has something to serve.
    pub need: Need,
    /// How long the answer may be held back while somebody else renders, in milliseconds.
    pub wait_ms: Span,
}

record!(Acquire { have, holder, position = Position::BEFORE_EVERYTHING, need, wait_ms = Span::ZERO });

/// The answer to [`Acquire`]. `Newer` comes with header and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// Something newer is published.
    Newer {
        /// Its generation.
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

variants!(Acquired {
    Newer as "newer" { generation },
    Granted as "granted" { lease, remaining_ms },
    Hold as "hold" { ms, recheck_ms, reason },
    Uncacheable as "uncacheable" { ms, reason },
});

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

/// A lease named by who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseName {
    /// Its generation.
    pub generation: u64,
    /// Its holder.
    pub holder: String,
}

record!(LeaseName { generation, holder });

/// "Here is a render." The entry's header and body travel beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The lease it was made under.
    pub lease: Option<LeaseName>,
    /// Whether it is a page from the build.
    pub seed: bool,
    /// How long the render took, in milliseconds.
    pub render_ms: Span,
}

record!(Publish { lease, seed = false, render_ms = Span::ZERO });

/// The answer to [`Publish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is the latest now.
    Accepted {
        /// Under this generation.
        generation: u64,
        /// Its KV key lives for so many seconds.
        key_life_seconds: Option<u64>,
    },
    /// It came too late.
    Fenced {
        /// What won, if it is published yet.
        latest: Option<u64>,
    },
}

variants!(Published {
    Accepted as "accepted" { generation, key_life_seconds },
    Fenced as "fenced" { latest },
});

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandon {
    /// The lease given back.
    pub lease: LeaseName,
    /// Why.
    pub reason: AbandonReason,
}

record!(Abandon { lease, reason });

/// "What have I missed?" The answer is a [`crate::ledger::Since`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinceQuestion {
    /// Where the copy stands.
    pub position: Position,
}

record!(SinceQuestion { position });

/// "These tags are invalidated." The answer is a [`crate::ledger::Since`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Where the copy stands.
    pub position: Position,
    /// The tags.
    pub tags: Vec<String>,
    /// How; absent ends entries at once.
    pub profile: Option<Profile>,
}

record!(Append { position, tags, profile });

/// "Was any of these tags invalidated after that position?" The answer is an [`crate::tags::Invalidation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The entry's position.
    pub position: Position,
    /// The entry's tags.
    pub tags: Vec<String>,
}

record!(Check { position, tags });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, FromJson, ToJson};
    use crate::ledger::Since;

    const API: &str = include_str!("../docs/api.md");

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

    fn again<T: FromJson + ToJson>(text: &str) -> String {
        json::write(&json::read::<T>(text.as_bytes()).unwrap_or_else(|reason| panic!("{text}: {reason}")))
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
}
