//! The naive reference: it sees everything as it happens, and knows what each promise allows.

use std::collections::BTreeMap;

use onegen::base::limits::RoutePolicy;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::ReadEntry;
use onegen::entry::Entry;
use onegen::entry::freshness::{GoneReason, Verdict};
use onegen::route::{AbandonReason, Answer, HoldReason, Need};

pub(crate) const ONE_REGENERATION: &str = "1 one regeneration";
pub(crate) const NO_FALSE_STALENESS: &str = "2 no false staleness";
pub(crate) const NO_LOST_INVALIDATION: &str = "3 no lost invalidation";
pub(crate) const NO_TIME_TRAVEL: &str = "4 no time travel";
pub(crate) const BOUNDED_WAITING: &str = "5 bounded waiting";
pub(crate) const LAST_GOOD_ENTRY: &str = "6 the last good entry survives";
pub(crate) const NOTHING_BREAKS: &str = "7 the app is never broken by its cache";
pub(crate) const NO_MIXING: &str = "8 apps and builds do not mix";

/// A promise that was broken, and by what.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) evidence: String,
}

/// A line of a ledger: the version of its tag's data that it makes known.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) tag: usize,
    version: u64,
    at: Millis,
    /// When what is older ends; `None` never.
    ends_at: Option<Millis>,
}

#[derive(Debug, Clone)]
struct Granted {
    generation: u64,
    holder: String,
    deadline: Millis,
    over: bool,
}

/// What the coordinator of a route was seen to do.
#[derive(Debug, Clone, Default)]
struct Seen {
    leases: Vec<Granted>,
    /// What was published, the latest last, and when.
    published: Vec<(Entry, Millis)>,
    failures: u32,
    failed_at: Millis,
    not_stored_at: Millis,
    /// When a render last failed or was not stored: who has nothing renders for itself for a while.
    troubled_at: Millis,
    /// When its bytes were last lost, or everything it knew.
    lost_at: Millis,
}

#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// The version of each tag's data where it comes from.
    pub(crate) source: [u64; 3],
    ledgers: BTreeMap<u64, Vec<Line>>,
    /// The ledgers that were lost.
    pub(crate) lost_ledgers: Vec<u64>,
    routes: BTreeMap<String, Seen>,
    /// Leases whose renders have ended without a store, and when.
    ended: Vec<(String, Millis)>,
    /// When a message was last lost, or answered too late.
    pub(crate) lossy_at: Millis,
    pub(crate) violation: Option<Violation>,
    pub(crate) occurred: BTreeMap<&'static str, u64>,
}

/// The versions that a value was made of are told in its shape, with the build that made it.
pub(crate) fn shape_of(build: usize, versions: [u64; 3]) -> String {
    format!("{build}:{}.{}.{}", versions[0], versions[1], versions[2])
}

pub(crate) fn made_of(shape: &str) -> (usize, [u64; 3]) {
    let (build, versions) = shape.split_once(':').unwrap_or(("9", ""));
    let mut numbers = versions.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (build.parse().unwrap_or(9), [next(), next(), next()])
}

pub(crate) fn tags_of(tags: &[String]) -> impl Iterator<Item = usize> + '_ {
    tags.iter().filter_map(|tag| tag.trim_start_matches("tag").parse().ok())
}

/// How a read went, as far as it matters for what may be expected of it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) build: usize,
    /// Where the isolate's copy stood when it began.
    pub(crate) seen: Position,
    pub(crate) began: Millis,
    /// Whether whatever is stale is asked about before it is served.
    pub(crate) asks: bool,
    /// The isolate's own time now.
    pub(crate) clock: Millis,
    /// Since when the isolate has had no trouble with anything it asks, nor its clock been set.
    pub(crate) calm_since: Millis,
}

impl Truth {
    pub(crate) fn breaks(&mut self, promise: &'static str, evidence: String) {
        self.violation.get_or_insert(Violation { promise, evidence });
    }

    pub(crate) fn occurs(&mut self, what: &'static str) {
        *self.occurred.entry(what).or_default() += 1;
    }

    fn route(&mut self, name: &str) -> &mut Seen {
        self.routes.entry(name.to_owned()).or_default()
    }

    pub(crate) fn recorded(&mut self, at: Position, tag: usize, version: u64, now: Millis, ends: Option<Option<Span>>) {
        let ends_at = match ends {
            None => Some(now),
            Some(expire) => expire.map(|span| now.after(span)),
        };
        self.ledgers.entry(at.epoch).or_default().push(Line { number: at.number, tag, version, at: now, ends_at });
    }

    fn lines(&self, epoch: u64) -> &[Line] {
        self.ledgers.get(&epoch).map_or(&[], Vec::as_slice)
    }

    // --- leases -----------------------------------------------------------------------------------------------------------

    /// What a coordinator answers to whoever asks for a lease.
    pub(crate) fn answered(&mut self, name: &str, need: Need, answer: &Answer, policy: &RoutePolicy, now: Millis) {
        let seen = self.route(name).clone();
        let live = seen.leases.iter().find(|lease| !lease.over && now < lease.deadline).cloned();
        let back_off = policy.first_back_off_ms.doubled(seen.failures.saturating_sub(1), policy.max_back_off_ms);
        let backs_off = seen.failures > 0 && now < seen.failed_at.after(back_off);
        match answer {
            Answer::Granted { lease, remaining } => {
                if let Some(live) = live.filter(|live| live.holder != lease.holder) {
                    let evidence = format!("{name}: {} was granted while {} lives", lease.generation, live.generation);
                    self.breaks(ONE_REGENERATION, evidence);
                }
                if backs_off {
                    self.breaks(LAST_GOOD_ENTRY, format!("{name}: a lease within a back-off of {} ms", back_off.0));
                }
                // A question that is repeated once its lease has passed gets another.
                let is_same = |other: &Granted| (&other.holder, other.generation) == (&lease.holder, lease.generation);
                let known = seen.leases.iter().any(is_same);
                let highest = seen.leases.iter().map(|other| other.generation).max().unwrap_or(0);
                if !known && lease.generation <= highest {
                    self.breaks(NO_TIME_TRAVEL, format!("{name}: generation {} after {highest}", lease.generation));
                }
                if !known {
                    if seen.leases.iter().any(|other| !other.over) {
                        self.occurs("takeover");
                    }
                    let (generation, holder) = (lease.generation, lease.holder.clone());
                    let granted = Granted { generation, holder, deadline: now.after(*remaining), over: false };
                    self.route(name).leases.push(granted);
                }
            }
            Answer::Hold { reason: HoldReason::Rendering, .. } if live.is_none() => {
                self.breaks(BOUNDED_WAITING, format!("{name}: told to wait for nobody"));
            }
            Answer::Hold { reason: HoldReason::Rendering, .. } => {
                self.occurs("follower");
                let holder = live.map(|live| live.holder).unwrap_or_default();
                let over = self.ended.iter().find(|(ended, at)| *ended == holder && at.after(Span::seconds(3)) < now);
                if over.is_some_and(|(_, at)| self.lossy_at < *at) {
                    self.breaks(BOUNDED_WAITING, format!("{name}: told to wait for a render that has ended"));
                }
            }
            Answer::Hold { .. } => self.occurs("backing-off"),
            Answer::Uncacheable { .. } => self.occurs("hit-for-miss"),
            Answer::Newer { .. } => self.occurs("newer"),
            _ => {}
        }
        let hit_for_miss = seen.not_stored_at.0 > 0 && now < seen.not_stored_at.after(policy.first_hit_for_miss_ms);
        let waits = matches!(answer, Answer::Granted { .. } | Answer::Hold { .. });
        if hit_for_miss
            && need == Need::Fill
            && waits
            && !matches!(answer, Answer::Hold { reason: HoldReason::Rendering, .. })
        {
            self.breaks(BOUNDED_WAITING, format!("{name}: of a route that stores nothing: {answer:?}"));
        }
    }

    /// A render under this lease has ended, and nothing will be stored.
    pub(crate) fn render_ended(&mut self, holder: &str, now: Millis) {
        self.ended.push((holder.to_owned(), now));
    }

    /// A question that was held back for so long: somebody should have been told of what was published.
    pub(crate) fn was_held(&mut self, name: &str, have: Option<u64>, now: Millis) {
        let Some(seen) = self.routes.get(name) else { return };
        let Some((entry, at)) = seen.published.last().filter(|(_, at)| seen.lost_at < *at) else { return };
        if at.after(Span(500)) < now && have.is_none_or(|have| entry.generation > have) {
            let evidence = format!("{name}: {} was published, and who waits was not told", entry.generation);
            self.breaks(BOUNDED_WAITING, evidence);
        }
    }

    pub(crate) fn gave_back(&mut self, name: &str, holder: &str, reason: AbandonReason, now: Millis) {
        let seen = self.route(name);
        let mut latest_first = seen.leases.iter_mut().rev();
        let Some(lease) = latest_first.find(|lease| lease.holder == holder && !lease.over) else { return };
        // A lease that is not the latest any more, or was used, ends nothing.
        lease.over = true;
        seen.troubled_at = now;
        if seen.leases.last().is_some_and(|latest| latest.holder == holder) {
            match reason {
                AbandonReason::Failed => (seen.failures, seen.failed_at) = (seen.failures + 1, now),
                AbandonReason::NotStored => seen.not_stored_at = now,
                AbandonReason::Unused => {}
            }
        }
    }

    /// A publication that was accepted.
    pub(crate) fn accepted(&mut self, name: &str, holder: Option<&str>, entry: &Entry, now: Millis) {
        let seen = self.route(name);
        let generation = entry.generation;
        if seen.published.last().is_some_and(|(latest, _)| latest.generation == generation) {
            return;
        }
        let latest = seen.published.last().map_or(0, |(latest, _)| latest.generation);
        let mut broken = (generation < latest).then(|| format!("{name}: {generation} was accepted after {latest}"));
        let mut latest_first = seen.leases.iter_mut().rev();
        if let Some(lease) = latest_first.find(|lease| Some(lease.holder.as_str()) == holder) {
            lease.over = true;
        }
        if let Some(newer) = seen.leases.iter().find(|lease| lease.generation > generation) {
            broken = Some(format!("{name}: {generation} was accepted though {} had been granted", newer.generation));
        }
        let led = seen.leases.iter().any(|lease| !lease.over && now < lease.deadline);
        let unasked =
            (holder.is_none() && led).then(|| format!("{name}: accepted from nobody's leader beside a leader"));
        seen.published.push((entry.clone(), now));
        (seen.failures, seen.not_stored_at) = (0, Millis(0));
        if let Some(evidence) = broken {
            self.breaks(NO_TIME_TRAVEL, evidence);
        }
        if let Some(evidence) = unasked {
            self.breaks(ONE_REGENERATION, evidence);
        }
        self.is_honest(name, entry);
    }

    /// What is published is not older than its position says.
    fn is_honest(&mut self, name: &str, entry: &Entry) {
        let (_, versions) = made_of(&entry.shape);
        let Position { epoch, number } = entry.position;
        if self.lost_ledgers.contains(&epoch) {
            // Nobody finds it valid any more.
            return;
        }
        let tags: Vec<_> = tags_of(&entry.tags).collect();
        let mut lines = self.lines(epoch).iter().filter(|line| line.number <= number && tags.contains(&line.tag));
        if let Some(line) = lines.find(|line| versions[line.tag] < line.version) {
            let evidence = format!(
                "{name}: published as of {number}, with version {} of tag {} where {} has {}",
                versions[line.tag], line.tag, line.number, line.version
            );
            self.breaks(NO_LOST_INVALIDATION, evidence);
        }
    }

    pub(crate) fn lost(&mut self, name: &str, now: Millis) {
        self.route(name).lost_at = now;
    }

    pub(crate) fn was_published(&self, name: &str, generation: u64, created_at: Millis) -> bool {
        let seen = self.routes.get(name);
        seen.is_some_and(|seen| {
            let one = |(entry, _): &(Entry, Millis)| (entry.generation, entry.created_at) == (generation, created_at);
            seen.published.iter().any(one)
        })
    }

    pub(crate) fn latest(&self, name: &str) -> Option<&Entry> {
        self.routes.get(name).and_then(|seen| seen.published.last()).map(|(entry, _)| entry)
    }

    // --- reads --------------------------------------------------------------------------------------------------------------

    /// An entry that a visitor is given.
    pub(crate) fn served(&mut self, asked: &Asked<'_>, entry: &ReadEntry, now: Millis) {
        let (build, versions) = made_of(&entry.shape);
        if build != asked.build {
            self.breaks(NO_MIXING, format!("build {} was given a page of build {build}", asked.build));
        }
        let age = asked.clock.since(entry.created_at);
        // A waiter may serve once what was made while it waited, whatever its clock makes of that.
        let was_awaited = entry.reason == Verdict::Gone(GoneReason::Purged).as_str();
        if !was_awaited && entry.expire.is_some_and(|seconds| age > Span::seconds(seconds.into())) {
            self.breaks(
                LAST_GOOD_ENTRY,
                format!("{}: served at an age of {} ms, past its `expire`", asked.name, age.0),
            );
        }
        let Position { epoch, number } = asked.seen;
        let tags: Vec<_> = tags_of(&entry.tags).collect();
        // What a lost ledger knew is lost: a later one's entries may have parts from who knew no ledger, and were checked by nobody.
        let is_lost = entry.position.epoch != epoch && self.lost_ledgers.contains(&epoch);
        let lines =
            self.lines(epoch).iter().filter(|line| line.number <= number && tags.contains(&line.tag) && !is_lost);
        let older: Vec<_> = lines.filter(|line| versions[line.tag] < line.version).cloned().collect();
        for line in older {
            // An end is counted from when the copy asked, by a clock that nobody may have set.
            let ended = line.ends_at.is_some_and(|end| {
                end == line.at
                    || (end < now && end < asked.began && asked.calm_since.after(Span::seconds(15)) < line.at)
            });
            if ended || !entry.stale {
                let evidence = format!(
                    "{}: generation {} served{} with version {} of tag {}, though {} with {} had been seen",
                    asked.name,
                    entry.generation,
                    if entry.stale { " stale" } else { " as fresh" },
                    versions[line.tag],
                    line.tag,
                    line.number,
                    line.version
                );
                self.breaks(NO_LOST_INVALIDATION, evidence);
            }
        }
    }

    /// What may be expected of a read, whatever it gave: `None` a miss, else whether it was stale, and its generation.
    pub(crate) fn expected(
        &mut self,
        asked: &Asked<'_>,
        given: Option<(bool, u64)>,
        of_page: bool,
        ledger: Position,
        now: Millis,
    ) {
        let Some(seen) = self.routes.get(asked.name) else { return };
        let Some((entry, at)) = seen.published.last() else { return };
        // Hit-for-miss and back-off outrank: whoever has nothing renders for itself.
        let troubled = Span::seconds(400);
        let in_peace = |moment: Millis| moment.0 == 0 || moment.after(troubled) < now;
        let calm = asked.calm_since.after(Span::seconds(65)) < asked.began
            && [seen.troubled_at, seen.lost_at].into_iter().all(in_peace);
        if !calm || *at >= asked.began || entry.position.epoch != ledger.epoch {
            return;
        }
        let tags: Vec<_> = tags_of(&entry.tags).collect();
        let number = entry.position.number;
        let after: Vec<_> =
            self.lines(ledger.epoch).iter().filter(|line| line.number > number && tags.contains(&line.tag)).collect();
        let older_than = |seconds: Option<u32>| {
            seconds.is_some_and(|seconds| entry.age(asked.clock).0 + 1_000 > Span::seconds(seconds.into()).0)
        };
        // A soft invalidation leaves an earlier one's end as it is: what lies between them may end with it.
        let mut lines = self.lines(ledger.epoch).iter().filter(|line| tags.contains(&line.tag));
        let may_end = !after.is_empty() && lines.any(|line| line.ends_at.is_some());
        let usable = !older_than(entry.expire) && !may_end;
        let fresh = usable && after.is_empty() && !older_than(entry.revalidate);
        let generation = entry.generation;
        match given {
            // A part that is stale is made anew before a page is made of it.
            _ if !usable || (!fresh && !of_page) => {}
            None => {
                let promise = if fresh { NO_FALSE_STALENESS } else { LAST_GOOD_ENTRY };
                self.breaks(promise, format!("{}: a miss, though {generation} is there", asked.name));
            }
            // Who has an older one may serve that first, where serving does not ask.
            Some((true, given)) if fresh && (asked.asks || given >= generation) => {
                let evidence = format!("{}: {given} as stale, though {generation} is fresh", asked.name);
                self.breaks(NO_FALSE_STALENESS, evidence);
            }
            _ => {}
        }
    }

    /// An isolate's copy has everything that was recorded longer ago than a window.
    pub(crate) fn has_seen(&mut self, asked: &Asked<'_>, copy: Position, head: Position, window: Span) {
        let due = self.lines(head.epoch).iter().filter(|line| line.at.after(window) < asked.began);
        let due = due.map(|line| line.number).max().unwrap_or(0);
        let calm = asked.calm_since.after(Span::seconds(15)) < asked.began;
        if calm && due > 0 && (copy.epoch != head.epoch || copy.number < due) {
            let evidence = format!("a copy at {} of {} when {due} was older than a window", copy.number, head.number);
            self.breaks(NO_LOST_INVALIDATION, evidence);
        }
    }
}

impl Truth {
    /// What whoever invalidated was told.
    pub(crate) fn was_told(&mut self, tag: usize, version: u64, recorded: bool, copy: Position, head: Position) {
        self.occurs(if recorded { "invalidation recorded" } else { "invalidation reported as lost" });
        let is_there = |line: &&Line| line.tag == tag && line.version == version;
        let line = self
            .ledgers
            .iter()
            .find_map(|(epoch, lines)| lines.iter().find(is_there).map(|line| (*epoch, line.number)));
        match line {
            None if recorded => self.breaks(NOTHING_BREAKS, format!("tag {tag}: told as recorded, and is not")),
            Some((epoch, number))
                if recorded && epoch == head.epoch && (copy.epoch != epoch || copy.number < number) =>
            {
                self.breaks(
                    NO_LOST_INVALIDATION,
                    format!("tag {tag}: who invalidated at {number} stands at {}", copy.number),
                );
            }
            _ => {}
        }
    }
}
