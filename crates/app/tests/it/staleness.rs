//! What changes between the decision and the commit: nothing leaves on the strength of what no longer
//! holds, and the ledger never says that it did.
//!
//! Each case lets the change happen at the last moment, when the unit with the entries is already on
//! its way: made by another program of the same installation, so that nothing in this one's memory
//! knows of it, and by this very program.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use mimamori_app::{
    App, Caller, CreateAs, ErrorKind, Paging, PeopleQuery, ReviewQuery, TimelineFilter, Window,
};
use mimamori_domain::{Action, Kind, ObjectId, Outcome, Result, UnitId};
use mimamori_fhir::{Handling, SearchQuery};
use mimamori_ledger::{Entry, EntryDraft};
use mimamori_store::statements::ledger;
use mimamori_store::{AccessKey, Change, ColumnType, Statement, Store, Unit};

use crate::hooked::Hooked;
use crate::support::{On, PASSWORD, START, note, version_of};
use crate::town::{Ids, Town};

/// Destroys a person's data keys of one class.
static DESTROY_KEYS: Statement = Statement::change(
    "test.destroy_keys",
    "DELETE FROM wrapped_key WHERE owner = $1 AND usage LIKE 'data:vital-signs:%'",
    &[ColumnType::Blob],
);

/// FHIR's periods include their end: whoever leaves a care team is in it until the next moment.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);

/// What is asked for; gives the objects that came back.
type Ask = fn(Arc<App>, Caller, Ids) -> BoxFuture<'static, Result<Vec<ObjectId>>>;

/// A way to get at something of `subject`'s.
#[derive(Clone, Copy)]
struct Question {
    name: &'static str,
    /// Of the first entry of the unit that goes with the answer.
    action: Action,
    /// Whether it is about people rather than their records.
    people: bool,
    ask: Ask,
}

const OBSERVATION: Kind = Kind::of("Observation");

const QUESTIONS: [Question; 8] = [
    Question {
        name: "read",
        action: Action::Read,
        people: false,
        ask: |app, caller, ids| {
            Box::pin(async move { Ok(vec![app.read(&caller, &OBSERVATION, ids.observation).await?.id]) })
        },
    },
    Question {
        name: "vread",
        action: Action::Read,
        people: false,
        ask: |app, caller, ids| {
            Box::pin(async move { Ok(vec![app.vread(&caller, &OBSERVATION, ids.observation, 1).await?.id]) })
        },
    },
    Question {
        name: "history",
        action: Action::Read,
        people: false,
        ask: |app, caller, ids| {
            Box::pin(async move {
                let all = app.history(&caller, &OBSERVATION, ids.observation).await?;
                Ok(all.iter().map(|item| item.id).collect())
            })
        },
    },
    Question {
        name: "timeline",
        action: Action::Search,
        people: false,
        ask: |app, caller, ids| {
            Box::pin(async move {
                let page = app
                    .timeline(&caller, ids.subject, &TimelineFilter::default(), &Paging::default())
                    .await?;
                Ok(page.items.iter().map(|item| item.id).collect())
            })
        },
    },
    Question {
        name: "search",
        action: Action::Search,
        people: false,
        ask: |app, caller, ids| {
            Box::pin(async move {
                let asked = [("patient".to_owned(), ids.subject.to_string())];
                let query = SearchQuery::parse("Observation", &asked, Handling::Strict).unwrap();
                let page = app.search(&caller, &query, &Paging::default()).await?;
                Ok(page.items.iter().map(|item| item.id).collect())
            })
        },
    },
    Question {
        name: "person",
        action: Action::Search,
        people: true,
        ask: |app, caller, ids| {
            Box::pin(async move { Ok(vec![app.person(&caller, ids.subject).await?.patient.id]) })
        },
    },
    Question {
        name: "my_people",
        action: Action::Search,
        people: true,
        ask: |app, caller, _| {
            Box::pin(async move {
                let page = app.my_people(&caller, &Paging::default()).await?;
                Ok(page.cards().map(|card| card.patient.id).collect())
            })
        },
    },
    Question {
        name: "search_people",
        action: Action::Search,
        people: true,
        ask: |app, caller, _| {
            Box::pin(async move {
                let query = PeopleQuery { name: Some("山田".to_owned()), ..PeopleQuery::default() };
                let page = app.search_people(&caller, &query, &Paging::default()).await?;
                Ok(page.items.iter().map(|card| card.patient.id).collect())
            })
        },
    },
];

impl Question {
    /// What must not come back any more.
    fn target(&self, ids: Ids) -> ObjectId {
        if self.people { ids.subject.into() } else { ids.observation }
    }
}

/// One town, answered for by two programs: `app` is interrupted, `other` is not.
struct Stage {
    town: Town,
    hooked: Arc<Hooked>,
    app: Arc<App>,
    other: Arc<App>,
}

impl Stage {
    async fn new(on: On) -> Self {
        let town = Town::new(on).await;
        let hooked = Hooked::new(Arc::clone(&town.site.store));
        let app = town.site.second(Arc::clone(&hooked) as Arc<dyn Store>).await;
        let other = Arc::clone(&town.site.app);
        Self { town, hooked, app, other }
    }

    /// Asks, and lets something happen right before the answer's unit is committed. What was decided
    /// before lies in the memory of the program that answers. Gives the answer, and what the ledger
    /// says that the caller got.
    async fn interrupted(
        &self,
        caller: &Caller,
        question: Question,
        ids: Ids,
        happening: BoxFuture<'static, ()>,
    ) -> (Result<Vec<ObjectId>>, Vec<Entry>) {
        let before = (question.ask)(Arc::clone(&self.app), caller.clone(), ids).await.unwrap();
        assert!(before.contains(&question.target(ids)), "{}: permitted at first", question.name);
        let from = self.size().await;
        self.hooked.before(question.action, Box::new(move || happening));
        let answer = (question.ask)(Arc::clone(&self.app), caller.clone(), ids).await;
        assert!(self.hooked.happened(), "{}: nothing happened", question.name);
        let got = |draft: &EntryDraft| {
            draft.actor == Some(caller.actor_id())
                && draft.subject == Some(ids.subject)
                && draft.outcome == Outcome::Success
                && draft.count > 0
        };
        let entries = entries(&*self.town.site.store, from).await;
        (answer, entries.into_iter().filter(|entry| got(&entry.draft)).collect())
    }

    async fn size(&self) -> u64 {
        self.town.site.store.head().await.unwrap().unwrap().size
    }

    /// Asks with the same change in between, made by either program and taken back each time; nothing
    /// of the person may leave, nor be said to have left.
    async fn nothing_leaves(
        &self,
        caller: &Caller,
        questions: impl Iterator<Item = Question> + Clone,
        change: impl Fn(Arc<App>, bool) -> BoxFuture<'static, ()>,
    ) {
        let ids = self.town.ids;
        for by in [&self.other, &self.app] {
            for question in questions.clone() {
                let happening = change(Arc::clone(by), true);
                let (answer, looks) = self.interrupted(caller, question, ids, happening).await;
                match answer {
                    Ok(found) => {
                        assert!(!found.contains(&question.target(ids)), "{}: it left", question.name)
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Forbidden, "{}: {error}", question.name)
                    }
                }
                assert!(looks.is_empty(), "{}: {looks:?}", question.name);
                change(Arc::clone(&self.other), false).await;
                self.town.site.clock.advance(MOMENT);
            }
        }
    }
}

/// Decoded entries of the first epoch, from a sequence on.
pub async fn entries(store: &dyn Store, from: u64) -> Vec<Entry> {
    let args = vec![0_u32.into(), from.into(), i64::MAX.into(), 100_000_i64.into()];
    let rows = store.query(&ledger::ENTRIES, args).await.unwrap();
    rows.iter().map(|row| Entry::decode(row.blob(1).unwrap()).unwrap()).collect()
}

/// Gives the consent that holds afterwards.
async fn a_consent_is_withdrawn(stage: &Stage) -> ObjectId {
    let jiro = stage.town.caller("jiro").await;
    let ids = stage.town.ids;
    let holding = Arc::new(Mutex::new(ids.consent));
    stage
        .nothing_leaves(&jiro, QUESTIONS.into_iter(), |app, now| {
            let holding = Arc::clone(&holding);
            Box::pin(async move {
                let operator = app.operator("tester");
                if now {
                    let consent = *holding.lock().unwrap();
                    app.withdraw_consent(&operator, ids.subject, consent).await.unwrap();
                } else {
                    let consent =
                        app.add_consent(&operator, ids.subject, true, None, Some(ids.clinic)).await.unwrap();
                    *holding.lock().unwrap() = consent;
                }
            })
        })
        .await;
    *holding.lock().unwrap()
}

async fn a_membership_ends(stage: &Stage) {
    let jiro = stage.town.caller("jiro").await;
    let ids = stage.town.ids;
    let clock = Arc::clone(&stage.town.site.clock);
    let change = |app: Arc<App>, now: bool| -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&clock);
        Box::pin(async move {
            let operator = app.operator("tester");
            if now {
                clock.advance(MOMENT);
                app.end_team_member(&operator, ids.subject, Some(ids.jiro), None).await.unwrap();
                clock.advance(MOMENT);
            } else {
                app.add_team_member(&operator, ids.subject, Some(ids.jiro), None).await.unwrap();
            }
        })
    };
    stage.nothing_leaves(&jiro, QUESTIONS.into_iter(), change).await;

    // Writing, too: what a member of the team was about to add is not kept.
    let happening = change(Arc::clone(&stage.other), true);
    stage.hooked.before(Action::Create, Box::new(move || happening));
    let refused =
        stage.app.create(&jiro, note(ids.subject, "?").into(), CreateAs::Confirmed).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    assert!(stage.hooked.happened());
    let hana = stage.town.caller("hana").await;
    let page = stage
        .other
        .timeline(&hana, ids.subject, &TimelineFilter::default(), &Paging::default())
        .await
        .unwrap();
    assert!(page.items.iter().all(|item| item.author != Some(ids.jiro)));
    change(Arc::clone(&stage.other), false).await;
}

async fn a_person_is_put_under_protection(stage: &Stage) {
    let ids = stage.town.ids;
    let change = |app: Arc<App>, now: bool| -> BoxFuture<'static, ()> {
        Box::pin(async move { app.set_protection(&app.operator("tester"), ids.subject, now).await.unwrap() })
    };
    let aki = stage.town.caller("aki").await;
    let for_citizens = QUESTIONS.into_iter().filter(|question| question.name != "search_people");
    stage.nothing_leaves(&aki, for_citizens, change).await;

    // Others go on seeing the record, but no places.
    let jiro = stage.town.caller("jiro").await;
    let timeline = QUESTIONS.into_iter().find(|question| question.name == "timeline").unwrap();
    let (answer, looks) =
        stage.interrupted(&jiro, timeline, ids, change(Arc::clone(&stage.other), true)).await;
    let found = answer.unwrap();
    assert!(found.contains(&ids.observation) && !found.contains(&ids.visit), "{found:?}");
    let visit = version_of(&*stage.town.site.store, ids.visit, 1).await.commitment();
    assert!(!looks.is_empty() && looks.iter().all(|entry| !entry.draft.commitments.contains(&visit)));
    change(Arc::clone(&stage.other), false).await;
}

async fn a_data_key_is_destroyed(stage: &Stage) {
    let (site, mut ids) = (&stage.town.site, stage.town.ids);
    let hana = stage.town.caller("hana").await;
    for question in QUESTIONS.into_iter().filter(|question| !question.people && question.name != "vread") {
        // A new record has a new key.
        ids.observation = site.observation(&hana, ids.subject, "37.1").await.unwrap().id;
        let written = version_of(&*site.store, ids.observation, 1).await.commitment();
        let (store, pack) = (Arc::clone(&site.store), site.app.pack().hash());
        let happening = Box::pin(async move {
            let unit = Unit::new().bump(AccessKey::from(ids.subject));
            let entry = EntryDraft::new(unit.id, *UnitId::random().as_bytes(), Action::Key, pack);
            let unit = unit.change(Change::any(&DESTROY_KEYS, vec![ids.subject.into()]));
            store.commit(unit.entry(entry)).await.unwrap();
        });
        let (answer, looks) = stage.interrupted(&hana, question, ids, happening).await;
        match answer {
            Ok(found) => assert!(!found.contains(&ids.observation), "{}: it left", question.name),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Gone, "{}: {error}", question.name),
        }
        let said = looks.iter().any(|entry| entry.draft.commitments.contains(&written));
        assert!(!said, "{}: {looks:?}", question.name);
    }
}

/// The caller's own facts: the request ends with an error that says to try again, and the next one
/// meets the facts as they are.
async fn who_asks_is_stopped(stage: &Stage) {
    let ids = stage.town.ids;
    for (at, question) in QUESTIONS.into_iter().enumerate() {
        let origin = mimamori_app::Origin::default();
        let signed = stage.other.sign_in("jiro", PASSWORD, &origin).await.unwrap();
        let jiro = stage.app.caller(&signed.token, &origin).await.unwrap();
        let stops = at % 2 == 0;
        let (other, ending) = (Arc::clone(&stage.other), jiro.clone());
        let happening = Box::pin(async move {
            if stops {
                other.stop_account(&other.operator("tester"), "jiro", "退職").await.unwrap();
            } else {
                other.sign_out(&ending).await.unwrap();
            }
        });
        let (answer, looks) = stage.interrupted(&jiro, question, ids, happening).await;
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Busy, "{}", question.name);
        assert!(looks.is_empty(), "{}: {looks:?}", question.name);
        for app in [&stage.app, &stage.other] {
            let over = app.caller(&signed.token, &origin).await.unwrap_err();
            assert_eq!(over.kind(), ErrorKind::Unauthenticated, "{}", question.name);
        }
        if stops {
            stage.other.resume_account(&stage.other.operator("tester"), "jiro").await.unwrap();
        }
    }
}

/// A review shows names to whom may see them: that rests on the same facts as a look at the record.
async fn a_name_in_a_review(stage: &Stage, given: ObjectId) {
    let (site, ids) = (&stage.town.site, stage.town.ids);
    let operator = site.operator();
    let ren = site.staff("ren", Some("doctor"), ids.clinic, &["security-manager"]).await;
    site.app.add_team_member(&operator, ids.subject, Some(ren), None).await.unwrap();
    let consent = site.app.add_consent(&operator, ids.subject, true, None, Some(ids.clinic)).await.unwrap();
    // No other consent holds.
    site.app.withdraw_consent(&operator, ids.subject, given).await.unwrap();
    let caller = stage.town.caller("ren").await;
    let window = Window { from: START, until: START.plus(std::time::Duration::from_secs(3600)) };
    let query = ReviewQuery { subject: None, actor: None, institution: None, window };
    let named = async |app: &App| -> Vec<bool> {
        let counts = app.review_counts(&caller, &[window], &Paging::default()).await.unwrap().people.items;
        let page = app.review(&caller, &query, &Paging { count: 200, cursor: None }).await.unwrap();
        let in_page = page.items.iter().any(|row| {
            row.subject.as_ref().is_some_and(|(subject, name)| *subject == ids.subject && !name.is_empty())
        });
        let in_counts = counts.iter().any(|count| count.subject == ids.subject && !count.name.is_empty());
        vec![in_page, in_counts]
    };
    assert_eq!(named(&stage.app).await, [true, true]);
    // Who sees a name has looked at the person.
    let looked = entries(&*site.store, 0).await.into_iter().filter(|entry| {
        entry.draft.actor == Some(ren)
            && entry.draft.subject == Some(ids.subject)
            && entry.draft.action == Action::Read
            && entry.draft.outcome == Outcome::Success
    });
    assert_eq!(looked.count(), 2, "one entry for the page and one for the counts");
    let other = Arc::clone(&stage.other);
    stage.hooked.before(
        Action::Review,
        Box::new(move || {
            Box::pin(async move {
                other.withdraw_consent(&other.operator("tester"), ids.subject, consent).await.unwrap();
            })
        }),
    );
    assert_eq!(named(&stage.app).await, [false, false]);
    assert!(stage.hooked.happened());
}

/// One after the other in one town, since making a town takes most of the time.
async fn nothing_stale_leaves(on: On) {
    let stage = Stage::new(on).await;
    let given = a_consent_is_withdrawn(&stage).await;
    a_membership_ends(&stage).await;
    a_person_is_put_under_protection(&stage).await;
    who_asks_is_stopped(&stage).await;
    a_name_in_a_review(&stage, given).await;
    a_data_key_is_destroyed(&stage).await;
    let report = stage.other.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    stage.town.site.store.close().await;
}

#[tokio::test]
async fn nothing_stale_leaves_on_sqlite() {
    nothing_stale_leaves(On::Sqlite).await;
}

#[tokio::test]
async fn nothing_stale_leaves_on_postgres() {
    nothing_stale_leaves(On::Postgres).await;
}
