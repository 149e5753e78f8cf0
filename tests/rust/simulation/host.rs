//! What the hosts do between Next.js and the engine: visits, renders, regenerations, invalidations.

use onegen::base::limits::EngineOptions;
use onegen::base::position::Position;
use onegen::base::time::{Millis, Span};
use onegen::engine::{Call, Caller, Outcome, ReadCall, ReadEntry, ReadMiss, RequestContext};
use onegen::entry::Part;
use onegen::entry::key::Kind;
use onegen::ledger::Profile;
use onegen::route::AbandonReason;
use onegen::route::lease_token::CarriedLease;

use crate::faults::Glue;
use crate::plan::Ending;
use crate::truth::{Asked, BOUNDED_WAITING, NO_TIME_TRAVEL, made_of, shape_of};
use crate::world::{Doing, Host, SECRET, Task, World};

struct Page {
    key: &'static str,
    tags: &'static [usize],
    /// Whether it is made of the data that the third tag stands for.
    nested: bool,
    revalidate: Option<u32>,
    expire: Option<u32>,
}

const PAGES: [Page; 3] = [
    Page { key: "/endless", tags: &[0], nested: false, revalidate: None, expire: None },
    Page { key: "/brief", tags: &[0, 1], nested: false, revalidate: Some(20), expire: Some(200) },
    Page { key: "/made-of-data", tags: &[2], nested: true, revalidate: Some(3600), expire: None },
];
const DATA: usize = 2;
/// A read waits no longer: its wait limit, a question that was just begun then, and reads of KV and the ledger.
const LONGEST_READ: Span = Span::seconds(20 + 5 + 2 + 3 + 3 + 3);

fn names(tags: &[usize]) -> Vec<String> {
    tags.iter().map(|tag| format!("tag{tag}")).collect()
}

impl World {
    pub(crate) fn page_key(&self, isolate: usize, page: usize) -> String {
        self.scope(isolate).entry_key(Kind::Response, PAGES[page].key)
    }

    fn data_key(&self, isolate: usize) -> String {
        self.scope(isolate).entry_key(Kind::Data, "data")
    }

    // --- requests ---------------------------------------------------------------------------------------------------------------

    pub(crate) fn visit(
        &mut self,
        isolate: usize,
        page: usize,
        prefetch: bool,
        carries: Option<(u32, Option<CarriedLease>)>,
    ) {
        let (asked_by, carried) = carries.map_or((None, None), |(refresh, carried)| (Some(refresh), carried));
        let on_demand = asked_by.is_some() && carried.is_none();
        let may_lead = self.glue == Some(Glue::PrefetchMayLead);
        let context =
            RequestContext { carried, on_demand, prefetch: prefetch && !may_lead, ..RequestContext::default() };
        let (began, seen) = (self.now, self.copy(isolate));
        let task = Task {
            isolate,
            page,
            context,
            lease: None,
            doing: Doing::ReadingPage { began, seen },
            versions: [0; 3],
            rendered_from: began,
            prefetches: prefetch,
            asked_by,
        };
        let leads = self.isolates[isolate].host == Host::NextStart && asked_by.is_none();
        // A prefetch only reads: what it is answered with is not rendered for it alone.
        let caller = match (prefetch && !may_lead, leads) {
            (true, _) => Caller::Bystander,
            (false, true) => Caller::Regenerator,
            (false, false) => Caller::Renderer,
        };
        let context = task.context.clone();
        let call = self.read_call(Kind::Response, PAGES[page].key, caller, context);
        self.begin(task, call);
    }

    fn read_call(&mut self, kind: Kind, key: &str, caller: Caller, context: RequestContext) -> Call {
        let (key, nonce) = (key.to_owned(), self.nonce());
        Call::Read(ReadCall { kind, key, caller, nonce, context, seeded: false, tags: Vec::new(), revalidate: None })
    }

    pub(crate) fn invalidate(&mut self, isolate: usize, tag: usize, profile: Option<Profile>) {
        // Whoever invalidates has changed the data before.
        self.truth.source[tag] += 1;
        let version = self.truth.source[tag];
        let task = Task {
            isolate,
            page: 0,
            context: RequestContext::default(),
            lease: None,
            doing: Doing::Invalidating { tag, version },
            versions: [0; 3],
            rendered_from: self.now,
            prefetches: false,
            asked_by: None,
        };
        self.begin(task, Call::Invalidate { tags: names(&[tag]), profile });
    }

    /// Some isolate is asked to regenerate a page, perhaps under a lease that travels.
    pub(crate) fn regenerate(&mut self, refresh: u32, token: Option<String>) {
        let Some(task) = self.tasks.get(&refresh) else { return };
        let (asking, page) = (task.isolate, task.page);
        let build = self.isolates[asking].build;
        let others: Vec<_> = (0..self.isolates.len()).filter(|one| self.isolates[*one].build == build).collect();
        let isolate = others[refresh as usize % others.len()];
        let carried = token.and_then(|token| CarriedLease::verify(&token, SECRET));
        if carried.is_some() {
            self.truth.occurs("lease carried");
        }
        self.visit(isolate, page, false, Some((refresh, carried)));
    }

    // --- results ----------------------------------------------------------------------------------------------------------------

    pub(crate) fn ended(&mut self, task: Task, outcome: Outcome) {
        match (task.doing.clone(), outcome) {
            (Doing::ReadingPage { began, seen }, Outcome::Entry(entry)) => self.page_found(task, *entry, began, seen),
            (Doing::ReadingPage { began, seen }, Outcome::Miss(miss)) => self.page_missed(task, miss, began, seen),
            (Doing::ReadingData { began, seen }, outcome) => self.data_read(task, outcome, began, seen),
            (Doing::StoringData { version }, _) => self.make_page(task, Some(version)),
            (Doing::StoringPage | Doing::Releasing, _) => {
                if let Some(refresh) = task.asked_by {
                    self.regenerated(refresh);
                }
            }
            (Doing::Invalidating { .. }, Outcome::Ended { reason, .. }) => self.invalidated(&task, reason),
            _ => {}
        }
    }

    fn judge(
        &mut self,
        task: &Task,
        name: &str,
        given: Option<&ReadEntry>,
        reason: &str,
        began: Millis,
        seen: Position,
    ) {
        let isolate = task.isolate;
        let one = &self.isolates[isolate];
        let (clock, calm_since, build) = (self.clock(isolate), one.calm_since, one.build);
        let of_page = matches!(task.doing, Doing::ReadingPage { .. });
        let asks = of_page && one.host == Host::NextStart && task.asked_by.is_none();
        let asked = Asked { name, build, seen, began, asks, clock, calm_since };
        let (now, head) = (self.now, self.objects.head());
        if let Some(entry) = given {
            self.truth.served(&asked, entry, now);
        }
        let takes_part = task.context.carried.is_none() && !task.context.on_demand && !task.context.prefetch;
        // What an isolate alone has is served until the coordinator has been asked.
        if takes_part && !["pass", "stale-unshared"].contains(&reason) {
            self.truth.expected(&asked, given.map(|entry| (entry.stale, entry.generation)), of_page, head, now);
        }
        let took = now.since(began);
        if took > LONGEST_READ && calm_since <= began {
            self.truth.breaks(BOUNDED_WAITING, format!("{name}: a read took {} ms", took.0));
        }
        let copy = self.copy(isolate);
        let window = EngineOptions::default().window_ms;
        self.truth.has_seen(&asked, copy, head, window);
    }

    fn page_found(&mut self, mut task: Task, entry: ReadEntry, began: Millis, seen: Position) {
        let name = self.page_key(task.isolate, task.page);
        self.tell(|| {
            format!("    {name} of {} {}: {} {:?}", entry.generation, entry.shape, entry.reason, entry.source)
        });
        self.judge(&task, &name, Some(&entry), entry.reason, began, seen);
        let served = (entry.generation, entry.created_at);
        let (before, _) = self.isolates[task.isolate].served.insert(name.clone(), served).unwrap_or_default();
        if entry.generation < before {
            self.truth.breaks(NO_TIME_TRAVEL, format!("{name}: {} served after {before}", entry.generation));
        }
        if entry.collapsed {
            self.truth.occurs("another's render was waited for");
        }
        task.context.position.get_or_insert(entry.ledger);
        if entry.regenerate {
            task.lease = entry.lease;
            self.render(task);
        } else if entry.stale && self.isolates[task.isolate].host == Host::OpenNext && task.asked_by.is_none() {
            self.refresh(task, entry.generation, entry.expire);
        }
    }

    fn page_missed(&mut self, mut task: Task, miss: ReadMiss, began: Millis, seen: Position) {
        let name = self.page_key(task.isolate, task.page);
        self.tell(|| {
            format!("    {name}: a miss, {}, lease {:?}", miss.reason, miss.lease.as_ref().map(|one| one.generation))
        });
        self.judge(&task, &name, None, miss.reason, began, seen);
        self.truth.occurs(match miss.reason {
            "wait-limit" => "wait limit",
            "coordinator-down" => "rendered without a coordinator",
            "engine-restarted" => "engine restarted",
            _ => "miss",
        });
        task.context.position.get_or_insert(miss.ledger);
        if miss.reason == "pass" {
            return;
        }
        let carried = task.context.carried.clone().filter(|carried| carried.is_for(&name));
        task.lease = miss.lease.or_else(|| carried.map(|carried| carried.lease));
        self.render(task);
    }

    fn refresh(&mut self, mut task: Task, generation: u64, expire: Option<u32>) {
        let (kind, key, nonce) = (Kind::Response, PAGES[task.page].key.to_owned(), self.nonce());
        task.doing = Doing::Refreshing;
        let context = task.context.clone();
        self.begin(task, Call::Refresh { kind, key, generation, expire, nonce, context });
    }

    // --- renders ----------------------------------------------------------------------------------------------------------------

    fn render(&mut self, mut task: Task) {
        if task.prefetches {
            // What a prefetch is answered with is not stored.
            if let Some(lease) = task.lease {
                self.truth.render_ended(&lease.holder, self.now);
            }
            return;
        }
        self.truth.occurs("render");
        task.rendered_from = self.now;
        task.context.nested = true;
        if !PAGES[task.page].nested {
            return self.make_page(task, None);
        }
        let isolate = task.isolate;
        let seen = self.copy(isolate);
        task.doing = Doing::ReadingData { began: self.now, seen };
        let context = task.context.clone();
        let call = self.read_call(Kind::Data, "data", Caller::Renderer, context);
        self.begin(task, call);
    }

    fn data_read(&mut self, mut task: Task, outcome: Outcome, began: Millis, seen: Position) {
        let name = self.data_key(task.isolate);
        match outcome {
            Outcome::Entry(entry) => {
                self.judge(&task, &name, Some(&entry), entry.reason, began, seen);
                if let Some(lowered) = entry.lowered {
                    self.truth.occurs("a page built on a stale part");
                    let before = task.context.lowered;
                    task.context.lowered = Some(before.map_or(lowered, |before| before.lower_of(lowered)));
                }
                let (_, versions) = made_of(&entry.shape);
                self.make_page(task, Some(versions[DATA]));
            }
            Outcome::Miss(miss) => {
                self.judge(&task, &name, None, miss.reason, began, seen);
                task.versions[DATA] = self.truth.source[DATA];
                task.doing = Doing::MakingData { lease: miss.lease };
                self.wait(task);
            }
            Outcome::Ended { .. } => {}
        }
    }

    /// What it is made of is read at once, and is old when it ends.
    fn make_page(&mut self, mut task: Task, data: Option<u64>) {
        task.versions = self.truth.source;
        if let Some(version) = data {
            task.versions[DATA] = version;
        }
        task.doing = Doing::MakingPage;
        self.wait(task);
    }

    pub(crate) fn render_ends(&mut self, mut task: Task, how: Ending) {
        let (page, stores_failures) = (&PAGES[task.page], self.glue == Some(Glue::FailedRenderIsStored));
        self.tell(|| format!("    a render of {} in isolate {} ends: {how:?}", page.key, task.isolate));
        if let Doing::MakingData { lease } = task.doing.clone() {
            let version = task.versions[DATA];
            task.doing = Doing::StoringData { version };
            let key = "data";
            return match how {
                Ending::Well => self.store(task, Kind::Data, key, lease, names(&[DATA]), Some(3600), None),
                _ => match lease {
                    Some(_) => self.store(task, Kind::Data, key, lease, names(&[DATA]), Some(0), None),
                    None => self.make_page(task, Some(version)),
                },
            };
        }
        let lease = task.lease.take();
        match how {
            Ending::Fails if stores_failures => {
                // What it was given last is taken for new.
                let name = self.page_key(task.isolate, task.page);
                let old = self.truth.latest(&name).map_or([0; 3], |entry| made_of(&entry.shape).1);
                task.versions = old;
                task.doing = Doing::StoringPage;
                self.store(task, Kind::Response, page.key, lease, names(page.tags), page.revalidate, page.expire);
            }
            Ending::Well => {
                task.doing = Doing::StoringPage;
                self.store(task, Kind::Response, page.key, lease, names(page.tags), page.revalidate, page.expire);
            }
            Ending::Fails | Ending::NotStored => {
                let reason = if how == Ending::Fails { AbandonReason::Failed } else { AbandonReason::NotStored };
                match lease {
                    Some(lease) => self.release(task, lease, reason),
                    None => {
                        if let Some(refresh) = task.asked_by {
                            self.regenerated(refresh);
                        }
                    }
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn store(
        &mut self,
        mut task: Task,
        kind: Kind,
        key: &str,
        lease: Option<onegen::route::Lease>,
        tags: Vec<String>,
        revalidate: Option<u32>,
        expire: Option<u32>,
    ) {
        let isolate = task.isolate;
        if self.glue == Some(Glue::ForgetsStaleParts) {
            task.context.lowered = None;
        }
        let (mut context, mut lease) = (task.context.clone(), lease);
        if self.glue == Some(Glue::PositionAtTheEnd) {
            let position = self.copy(isolate);
            context.position = Some(position);
            lease = lease.map(|lease| onegen::route::Lease { position, ..lease });
        }
        let shape = shape_of(self.isolates[isolate].build, task.versions);
        if self.glue == Some(Glue::LeaderWritesKv)
            && let Some(lease) = &lease
        {
            let name = self.scope(isolate).entry_key(kind, key);
            let position = lease.position;
            let (generation, created_at) = (lease.generation, self.clock(isolate));
            let parts = vec![Part { name: "html".to_owned(), bytes: 1 }];
            let (tags, shape, key_life) = (tags.clone(), shape.clone(), None);
            let entry = onegen::entry::Entry {
                generation,
                position,
                created_at,
                revalidate,
                expire,
                tags,
                shape,
                parts,
                key_life,
            };
            self.objects.write_kv(&name, &entry);
        }
        let render_time = self.now.since(task.rendered_from);
        let started_at = Millis(self.clock(isolate).0.saturating_sub(render_time.0));
        let call = Call::Store {
            kind,
            key: key.to_owned(),
            shape,
            parts: vec![Part { name: "html".to_owned(), bytes: 1 }],
            tags,
            revalidate,
            expire,
            lease,
            context,
            started_at,
            created_at: None,
        };
        self.begin(task, call);
    }

    fn invalidated(&mut self, task: &Task, reason: &str) {
        let Doing::Invalidating { tag, version } = task.doing else { return };
        self.tell(|| format!("    the invalidation of tag {tag} to {version}: {reason}"));
        let copy = self.copy(task.isolate);
        self.truth.was_told(tag, version, reason == "recorded", copy, self.objects.head());
    }

    /// Whatever went wrong before: what is served is what a coordinator has accepted, and nobody's own.
    pub(crate) fn must_be_shared(&mut self) {
        for (n, isolate) in self.isolates.iter().enumerate() {
            for (name, (generation, created_at)) in &isolate.served {
                if !self.truth.was_published(name, *generation, *created_at) {
                    let evidence = format!("{name}: at last isolate {n} serves its own {generation}");
                    self.truth.breaks(NO_TIME_TRAVEL, evidence);
                }
            }
        }
    }
}
