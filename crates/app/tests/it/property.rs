//! Random small worlds and random questions: what comes back is exactly what the rules allow, page by
//! page, and every bit of it is in the ledger.
//!
//! Set `MIMAMORI_PROPERTY_CASES` for more cases than the few of an ordinary run.

mod rules;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use mimamori_app::{ErrorKind, Page, Paging, PeopleQuery, Stored, TimelineFilter};
use mimamori_domain::{Kind, ObjectId, Outcome, RecordState, SubjectId, Timestamp};
use mimamori_fhir::{Handling, SearchQuery};
use mimamori_ledger::Entry;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::rules::{CLASSES, FINDS_PEOPLE, Person, Record, Span, User, may_see, of_patient, of_record};
use self::world::{Happening, World, happening};
use crate::staleness::entries;

/// One question.
#[derive(Debug, Clone)]
enum Question {
    Read { user: usize, person: usize, record: usize, version: bool },
    Timeline { user: usize, person: usize, count: u32 },
    Person { user: usize, person: usize },
    Search { user: usize, people: Vec<usize>, class: usize, count: u32 },
    MyPeople { user: usize, count: u32 },
    FindPeople { user: usize, count: u32 },
}

impl Question {
    fn user(&self) -> usize {
        match self {
            Self::Read { user, .. }
            | Self::Timeline { user, .. }
            | Self::Person { user, .. }
            | Self::Search { user, .. }
            | Self::MyPeople { user, .. }
            | Self::FindPeople { user, .. } => *user,
        }
    }
}

fn question() -> impl Strategy<Value = Question> {
    let n = 0_usize..64;
    prop_oneof![
        3 => (n.clone(), n.clone(), n.clone(), any::<bool>())
            .prop_map(|(user, person, record, version)| Question::Read { user, person, record, version }),
        3 => (n.clone(), n.clone(), 1_u32..6)
            .prop_map(|(user, person, count)| Question::Timeline { user, person, count }),
        2 => (n.clone(), n.clone()).prop_map(|(user, person)| Question::Person { user, person }),
        2 => (n.clone(), prop::collection::vec(n.clone(), 1..4), n.clone(), 1_u32..6)
            .prop_map(|(user, people, class, count)| Question::Search { user, people, class, count }),
        1 => (n.clone(), 1_u32..4).prop_map(|(user, count)| Question::MyPeople { user, count }),
        1 => (n, 1_u32..4).prop_map(|(user, count)| Question::FindPeople { user, count }),
    ]
}

impl World {
    async fn answer(&self, question: &Question) {
        // Whoever must sign in again does so first.
        self.caller(&self.user(question.user())).await;
        let from = self.site.store.head().await.unwrap().unwrap().size;
        let asked_at = self.now();
        let (user, outcome) = match question {
            Question::Read { user, person, record, version } => {
                let person = &self.people[self.person(*person)];
                let Some(record) = person.records.get(record % person.records.len().max(1)) else { return };
                let user = self.user(*user);
                (user.clone(), self.read(&user, person, record, *version).await)
            }
            Question::Timeline { user, person, count } => {
                let person = &self.people[self.person(*person)];
                let user = self.user(*user);
                (user.clone(), self.timeline(&user, person, *count).await)
            }
            Question::Person { user, person } => {
                let person = &self.people[self.person(*person)];
                let user = self.user(*user);
                (user.clone(), self.page(&user, person).await)
            }
            Question::Search { user, people, class, count } => {
                let people: BTreeSet<usize> = people.iter().map(|number| self.person(*number)).collect();
                let user = self.user(*user);
                (user.clone(), self.search(&user, &people, class % CLASSES.len(), *count).await)
            }
            Question::MyPeople { user, count } => {
                let user = self.user(*user);
                (user.clone(), self.my_people(&user, *count).await)
            }
            Question::FindPeople { user, count } => {
                let user = self.user(*user);
                (user.clone(), self.find_people(&user, *count).await)
            }
        };
        assert_eq!(asked_at, self.now());
        let entries = entries(&*self.site.store, from).await;
        self.recorded(&user, &entries, &outcome);
    }

    /// Every subject of whom something came back has successful entries that count exactly that, and a
    /// refusal is an entry.
    fn recorded(&self, user: &User, entries: &[Entry], outcome: &Got) {
        assert!(!entries.is_empty(), "nothing was recorded");
        assert!(entries.iter().all(|entry| entry.draft.actor == Some(user.actor)));
        let mut counted: BTreeMap<SubjectId, u64> = BTreeMap::new();
        for entry in entries.iter().map(|entry| &entry.draft) {
            if entry.action == mimamori_domain::Action::Read
                && entry.outcome == Outcome::Success
                && entry.count > 0
            {
                *counted.entry(entry.subject.unwrap()).or_default() += entry.count;
                assert_eq!(entry.count, entry.commitments.len() as u64);
                assert!(!entry.policies.is_empty(), "no policy is named");
            }
        }
        match outcome {
            Got::Items(items) => {
                assert_eq!(counted, *items, "what the ledger says and what came back differ")
            }
            Got::Refused => {
                assert!(counted.is_empty(), "{counted:?}");
                assert!(entries.iter().any(|entry| entry.draft.outcome == Outcome::Refused));
            }
        }
    }

    async fn read(&self, user: &User, person: &Person, record: &Record, version: bool) -> Got {
        let caller = self.caller(user).await;
        let kind = Kind::of(CLASSES[record.class].kind);
        let app = &self.site.app;
        let answer = if version {
            app.vread(&caller, &kind, record.id, record.version).await
        } else {
            app.read(&caller, &kind, record.id).await
        };
        let may = may_see(user, person, &of_record(record), self.now());
        match answer {
            Ok(stored) => {
                assert!(may, "read, although {user:?} may not: {record:?} of {person:?}");
                assert_eq!(
                    (stored.id, stored.version, stored.state),
                    (record.id, record.version, record.state)
                );
                Got::Items(BTreeMap::from([(person.subject, 1)]))
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
                assert!(!may, "refused, although {user:?} may: {record:?} of {person:?}");
                Got::Refused
            }
        }
    }

    /// The records of a person that somebody may see in a list: drafts are their own only.
    fn listed(&self, user: &User, person: &Person, drafts: bool) -> BTreeSet<ObjectId> {
        let now = self.now();
        person
            .records
            .iter()
            .filter(|record| drafts || record.state != RecordState::Draft)
            .filter(|record| may_see(user, person, &of_record(record), now))
            .map(|record| record.id)
            .collect()
    }

    async fn timeline(&self, user: &User, person: &Person, count: u32) -> Got {
        let caller = self.caller(user).await;
        let expected = self.listed(user, person, true);
        let filter = TimelineFilter::default();
        let all = pages(count, async |paging| {
            self.site.app.timeline(&caller, person.subject, &filter, &paging).await
        })
        .await;
        match all {
            Ok(items) => {
                let sorted: Vec<ObjectId> = items.iter().map(|item| item.id).collect();
                assert_eq!(unique(&sorted), expected, "{user:?} and {person:?}");
                let others = |item: &&Stored| item.author != Some(user.actor);
                let drafts = |item: &&Stored| item.state == RecordState::Draft;
                assert!(!items.iter().any(|item| item.attention.unread && (!others(&item) || drafts(&item))));
                Got::of(&items)
            }
            Err(kind) => {
                assert_eq!(kind, ErrorKind::Forbidden);
                assert!(expected.is_empty(), "refused, although {user:?} may see something of {person:?}");
                Got::Refused
            }
        }
    }

    async fn page(&self, user: &User, person: &Person) -> Got {
        let caller = self.caller(user).await;
        let may = may_see(user, person, &of_patient(person), self.now());
        match self.site.app.person(&caller, person.subject).await {
            Ok(page) => {
                assert!(may, "shown, although {user:?} may not see {person:?}");
                let allergies: BTreeSet<ObjectId> = page.allergies.iter().map(|item| item.id).collect();
                let visible = self.listed(user, person, true);
                let expected = person.records.iter().filter(|record| CLASSES[record.class].code == "allergy");
                let expected: BTreeSet<ObjectId> =
                    expected.map(|record| record.id).filter(|id| visible.contains(id)).collect();
                assert_eq!(allergies, expected, "{user:?} and {person:?}");
                Got::Items(BTreeMap::from([(person.subject, 1 + allergies.len() as u64)]))
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
                assert!(!may, "refused, although {user:?} may see {person:?}");
                Got::Refused
            }
        }
    }

    async fn search(&self, user: &User, people: &BTreeSet<usize>, class: usize, count: u32) -> Got {
        let caller = self.caller(user).await;
        let kind = CLASSES[class].kind;
        let ids: Vec<String> = people.iter().map(|at| self.people[*at].subject.to_string()).collect();
        let query =
            SearchQuery::parse(kind, &[("patient".to_owned(), ids.join(","))], Handling::Strict).unwrap();
        let items =
            pages(count, async |paging| self.site.app.search(&caller, &query, &paging).await).await.unwrap();
        let mut expected = BTreeSet::new();
        for person in people.iter().map(|at| &self.people[*at]) {
            let visible = self.listed(user, person, false);
            let of_kind = person.records.iter().filter(|record| CLASSES[record.class].kind == kind);
            expected.extend(of_kind.map(|record| record.id).filter(|id| visible.contains(id)));
        }
        let found: Vec<ObjectId> = items.iter().map(|item| item.id).collect();
        assert_eq!(unique(&found), expected, "{user:?} and {people:?}");
        Got::of(&items)
    }

    /// What a list of people tells is what the rules allow: of nobody else, and of nothing that the reader
    /// may not see is counted or named as the newest.
    async fn my_people(&self, user: &User, count: u32) -> Got {
        let caller = self.caller(user).await;
        let mut told: BTreeMap<SubjectId, u64> = BTreeMap::new();
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let paging = Paging { count, cursor };
            let page = self.site.app.my_people(&caller, &paging).await.unwrap();
            assert!(page.people.items.len() <= count as usize);
            assert_eq!(page.people.total, None);
            let first = paging.cursor.is_none();
            assert!(first || (page.unread.is_empty() && page.unfinished.is_empty()));
            for card in page.cards() {
                let person = self.people.iter().find(|person| person.subject == card.subject).unwrap();
                let visible = self.listed(user, person, false);
                let of_others = person.records.iter().filter(|record| record.author != user.actor);
                let most = of_others.filter(|record| visible.contains(&record.id)).count() as u64;
                assert!(card.unread <= most, "{} of {most} for {user:?}: {person:?}", card.unread);
                assert_eq!(card.newest.is_some(), !visible.is_empty(), "{user:?} and {person:?}");
                *told.entry(card.subject).or_default() += 1 + u64::from(card.newest.is_some());
            }
            assert!(page.unread.iter().all(|card| card.unread > 0));
            for draft in &page.unfinished {
                let person = self.people.iter().find(|person| person.subject == draft.subject).unwrap();
                let visible = self.listed(user, person, true);
                assert!(visible.contains(&draft.id), "{user:?} and {person:?}");
                let shown = page.cards().any(|card| card.subject == draft.subject);
                let counted = told.entry(draft.subject).or_default();
                *counted += if shown || *counted > 0 { 1 } else { 2 };
            }
            // Whoever stood first on the first page stands in their place on a later one.
            let others = page.people.items.iter().map(|card| card.subject);
            found.extend(others.filter(|_| first).chain(page.unread.iter().map(|card| card.subject)));
            if !first {
                let known: BTreeSet<SubjectId> = found.iter().copied().collect();
                let others = page.people.items.iter().map(|card| card.subject);
                found.extend(others.filter(|subject| !known.contains(subject)));
            }
            cursor = page.people.next;
            if cursor.is_none() {
                break;
            }
        }
        let found = unique(&found);
        let now = self.now();
        for person in &self.people {
            let may = may_see(user, person, &of_patient(person), now);
            let concerned = |now: Option<Timestamp>| {
                let holds = |span: &Span| now.is_none_or(|now| span.holds(now));
                person.own == Some(user.actor)
                    || person.proxies.iter().any(|(actor, span)| *actor == user.actor && holds(span))
                    || person.team.iter().any(|member| {
                        holds(&member.span)
                            && (member.actor == Some(user.actor)
                                || (member.institution.is_some() && member.institution == user.institution))
                    })
            };
            let listed = found.contains(&person.subject);
            // Who took part once and may still see the person is listed too.
            assert!(!listed || (may && concerned(None)), "listed for {user:?}: {person:?}");
            assert!(listed || !(may && concerned(Some(now))), "missing for {user:?}: {person:?}");
        }
        Got::Items(told)
    }

    async fn find_people(&self, user: &User, count: u32) -> Got {
        let caller = self.caller(user).await;
        let query = PeopleQuery { name: Some("乱数".to_owned()), ..PeopleQuery::default() };
        let answer = pages(count, async |paging| {
            let page = self.site.app.search_people(&caller, &query, &paging).await?;
            Ok(Page {
                items: page.items.into_iter().map(|card| card.patient).collect(),
                next: page.next,
                total: page.total,
            })
        })
        .await;
        let may_find = user.occupation.is_some_and(|occupation| FINDS_PEOPLE.contains(&occupation));
        match answer {
            Ok(items) => {
                assert!(may_find, "{user:?}");
                let found: Vec<SubjectId> = items.iter().map(|item| item.subject.unwrap()).collect();
                let now = self.now();
                let expected =
                    self.people.iter().filter(|person| may_see(user, person, &of_patient(person), now));
                assert_eq!(unique(&found), expected.map(|person| person.subject).collect(), "{user:?}");
                Got::of(&items)
            }
            Err(kind) => {
                assert_eq!(kind, ErrorKind::Forbidden);
                assert!(!may_find, "{user:?}");
                Got::Refused
            }
        }
    }
}

/// What came back: how much of whom, or a refusal.
#[derive(Debug)]
enum Got {
    Items(BTreeMap<SubjectId, u64>),
    Refused,
}

impl Got {
    fn of(items: &[Stored]) -> Self {
        let mut counts = BTreeMap::new();
        for item in items {
            *counts.entry(item.subject.unwrap()).or_default() += 1;
        }
        Self::Items(counts)
    }
}

/// All pages of an answer; none is longer than asked for, none tells of more than it shows.
async fn pages(
    count: u32,
    ask: impl AsyncFn(Paging) -> mimamori_domain::Result<Page<Stored>>,
) -> Result<Vec<Stored>, ErrorKind> {
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..1_000 {
        let page = ask(Paging { count, cursor }).await.map_err(|error| error.kind())?;
        assert!(page.items.len() <= count as usize);
        assert_eq!(page.total, None, "a total would tell how much there is that is not shown");
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
    panic!("the pages never end");
}

fn unique<T: Ord + Copy + std::fmt::Debug>(items: &[T]) -> BTreeSet<T> {
    let set: BTreeSet<T> = items.iter().copied().collect();
    assert_eq!(set.len(), items.len(), "something came twice: {items:?}");
    set
}

/// The newest person is cared for by all institutions and permits everything: so that what follows has
/// something to take away.
const BEGINNING: [Happening; 6] = [
    Happening::Join { person: 0, user: 0, as_institution: true },
    Happening::Join { person: 0, user: 6, as_institution: true },
    Happening::Agree { person: 0, permit: true, class: 0, institution: 3 },
    Happening::Write { person: 0, user: 0, class: 5, draft: false },
    Happening::Write { person: 0, user: 3, class: 5, draft: false },
    Happening::Write { person: 0, user: 6, class: 2, draft: true },
];

#[test]
fn what_comes_back_is_what_the_rules_allow() {
    let cases =
        std::env::var("MIMAMORI_PROPERTY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = std::cell::RefCell::new(runtime.block_on(World::new()));
    let strategy = (prop::collection::vec(happening(), 30..80), prop::collection::vec(question(), 5..20));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(happenings, questions)| {
            let mut world = world.borrow_mut();
            runtime.block_on(async {
                world.happen(&Happening::Register { by: 0 }).await;
                world.happen(&Happening::Register { by: 3 }).await;
                for happening in BEGINNING.iter().chain(&happenings) {
                    world.happen(happening).await;
                }
                for question in &questions {
                    world.answer(question).await;
                }
                // Whatever the numbers chose, everybody looks at the newest two.
                for user in 0..world.users() {
                    for person in [0, 1] {
                        world.answer(&Question::Timeline { user, person, count: 5 }).await;
                        world.answer(&Question::Person { user, person }).await;
                    }
                }
            });
            Ok(())
        })
        .unwrap();
    let app = std::sync::Arc::clone(&world.borrow().site.app);
    runtime.block_on(async {
        let report = app.verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    });
}
