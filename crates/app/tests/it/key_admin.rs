//! Keys changed and destroyed, interrupted at every point, while people are found and read.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mimamori_app::{App, Caller, CreateAs, Disposal, ErrorKind, Origin, Paging, PeopleQuery, Result, Stored};
use mimamori_domain::{InstanceId, ObjectId, SubjectId};
use mimamori_fhir::{Handling, SearchQuery};
use mimamori_store::driver::Described;
use mimamori_store::{
    Change, CommitError, Committed, DurableSetting, Head, Lease, NewEpoch, ReadError, Reads, Row, Snapshot,
    Statement, Store, Unit, Upkept, Value,
};
use mimamori_vault::{Ring, RootKeyFile};

use crate::import::{condition, patient};
use crate::support::{PASSWORD, Site, note, observation, parts};

/// A database that goes away after so many commits.
struct Away {
    store: Arc<dyn Store>,
    left: AtomicI64,
}

impl std::fmt::Debug for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Away")
    }
}

#[async_trait]
impl Reads for Away {
    async fn query_lists(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, ReadError> {
        self.store.query_lists(statement, args, lists).await
    }
}

#[async_trait]
impl Store for Away {
    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(CommitError::Unavailable { detail: "away".to_owned() });
        }
        self.store.commit(unit).await
    }
    async fn upkeep(&self, changes: Vec<Change>) -> Result<Vec<Upkept>, CommitError> {
        self.store.upkeep(changes).await
    }
    async fn start_epoch(&self, epoch: NewEpoch) -> Result<Committed, CommitError> {
        self.store.start_epoch(epoch).await
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        self.store.snapshot().await
    }
    async fn head(&self) -> Result<Option<Head>, ReadError> {
        self.store.head().await
    }
    async fn acquire_lease(
        &self,
        name: &'static str,
        holder: InstanceId,
        ttl: Duration,
    ) -> Result<Option<Lease>, CommitError> {
        self.store.acquire_lease(name, holder, ttl).await
    }
    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>, CommitError> {
        self.store.renew_lease(lease, ttl).await
    }
    async fn release_lease(&self, lease: Lease) -> Result<(), CommitError> {
        self.store.release_lease(lease).await
    }
    async fn describe(
        &self,
        statement: &'static Statement,
        lengths: &[usize],
    ) -> Result<Described, ReadError> {
        self.store.describe(statement, lengths).await
    }
    async fn durability(&self) -> Result<Vec<DurableSetting>, ReadError> {
        self.store.durability().await
    }

    fn database(&self) -> &'static str {
        self.store.database()
    }
    async fn close(&self) {
        self.store.close().await;
    }
}

struct Ward {
    site: Site,
    root: RootKeyFile,
    subject: SubjectId,
    vital: Stored,
    note: Stored,
    condition: Stored,
}

/// A person with a vital sign, a note and a condition.
async fn ward() -> Ward {
    let site = Site::new().await;
    let hospital = site.institution("見守り病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "髙橋", "さくら").await;
    let vital = create(&site.app, &hana, observation(subject, "36.5")).await;
    let note = create(&site.app, &hana, note(subject, "よく眠れた")).await;
    let condition =
        create(&site.app, &hana, condition("c", &format!("Patient/{subject}"), "I10").to_string()).await;
    let root = RootKeyFile::open(&site.folder.path().join("root.key")).unwrap();
    Ward { site, root, subject, vital, note, condition }
}

async fn create(app: &App, caller: &Caller, fhir: String) -> Stored {
    app.create(caller, Bytes::from(fhir), CreateAs::Confirmed).await.unwrap()
}

impl Ward {
    /// The program started anew, perhaps on a database that goes away.
    async fn program(&self, commits: Option<i64>) -> Arc<App> {
        let store: Arc<dyn Store> = match commits {
            Some(left) => Arc::new(Away { store: Arc::clone(&self.site.store), left: AtomicI64::new(left) }),
            None => Arc::clone(&self.site.store),
        };
        App::open(parts(&self.site.folder, store, Arc::clone(&self.site.clock))).await.unwrap()
    }

    fn ring(&self) -> Ring {
        Ring::open(&self.site.folder.path().join("ring"), &self.root).unwrap()
    }

    fn disposal(&self, class: &str) -> Disposal {
        Disposal {
            subject: self.subject,
            class: class.parse().unwrap(),
            month: "2026-11".to_owned(),
            reason: "保存期間の満了".to_owned(),
        }
    }
}

async fn doctor(app: &App) -> Caller {
    let signed = app.sign_in("hana", PASSWORD, &Origin::default()).await.unwrap();
    app.caller(&signed.token, &Origin::default()).await.unwrap()
}

async fn by_name(app: &App, caller: &Caller, name: &str) -> Result<Vec<SubjectId>> {
    let query = PeopleQuery { name: Some(name.to_owned()), ..PeopleQuery::default() };
    let page = app.search_people(caller, &query, &Paging::default()).await?;
    Ok(page.items.into_iter().map(|card| card.subject).collect())
}

async fn by_code(app: &App, caller: &Caller, subject: SubjectId, kind: &str, code: &str) -> Vec<ObjectId> {
    let params = [("patient".to_owned(), subject.to_string()), ("code".to_owned(), code.to_owned())];
    let query = SearchQuery::parse(kind, &params, Handling::Strict).unwrap();
    let page = app.search(caller, &query, &Paging::default()).await.unwrap();
    page.items.into_iter().map(|stored| stored.id).collect()
}

async fn read(app: &App, caller: &Caller, stored: &Stored) -> Result<Stored> {
    app.read(caller, &stored.kind, stored.id).await
}

#[tokio::test]
async fn a_ring_rotation_is_resumed_wherever_it_was_interrupted() {
    let ward = ward().await;
    let mut interrupted = 0;
    for commits in 0_i64.. {
        let old = ward.ring().current();
        let app = ward.program(Some(commits)).await;
        let outcome = app.rotate_ring(&app.operator("tester"), &ward.root).await;
        let app = ward.program(None).await;
        if outcome.is_err() {
            interrupted += 1;
            assert_eq!(read(&app, &doctor(&app).await, &ward.vital).await.unwrap().bytes, ward.vital.bytes);
            app.rotate_ring(&app.operator("tester"), &ward.root).await.unwrap();
        }
        let ring = ward.ring();
        assert!(ring.current() != old && ring.rotation().is_none());
        let app = ward.program(None).await;
        let hana = doctor(&app).await;
        assert_eq!(read(&app, &hana, &ward.vital).await.unwrap().bytes, ward.vital.bytes);
        assert_eq!(by_name(&app, &hana, "高橋").await.unwrap(), [ward.subject]);
        if outcome.is_ok() {
            break;
        }
    }
    assert!(interrupted >= 3, "{interrupted}");
    let app = ward.program(None).await;
    app.checkpoint().await.unwrap();
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn a_program_that_missed_a_rotation_adds_nothing_under_the_old_ring_key() {
    let ward = ward().await;
    let other = ward.program(None).await;
    let hana = doctor(&other).await;
    ward.site.app.rotate_ring(&ward.site.operator(), &ward.root).await.unwrap();
    let bytes = Bytes::from(patient("p", "77", "田中", "実", "1944-01-01").to_string());
    let refused = other.create(&hana, bytes.clone(), CreateAs::Confirmed).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Busy | ErrorKind::Unavailable), "{refused}");
    // The program that changed it goes on.
    let hana = doctor(&ward.site.app).await;
    let kept = ward.site.app.create(&hana, bytes, CreateAs::Confirmed).await.unwrap();
    let app = ward.program(None).await;
    assert_eq!(read(&app, &doctor(&app).await, &kept).await.unwrap().bytes, kept.bytes);
}

#[tokio::test]
async fn what_was_shredded_is_gone_and_the_rest_opens_and_is_found() {
    let ward = ward().await;
    let (app, operator) = (&ward.site.app, ward.site.operator());
    let hana = doctor(app).await;
    assert_eq!(by_code(app, &hana, ward.subject, "Condition", "I10").await, [ward.condition.id]);
    let old_ring = std::fs::read(ward.site.folder.path().join("ring")).unwrap();

    let plan = app.shred(&operator, &ward.root, &ward.disposal("vital-signs"), false).await.unwrap();
    assert_eq!((plan.applied, plan.versions, plan.keys.len()), (false, 1, 1));
    assert!(read(app, &hana, &ward.vital).await.is_ok(), "a plan changes nothing");
    let done = app.shred(&operator, &ward.root, &ward.disposal("vital-signs"), true).await.unwrap();
    assert_eq!((done.applied, &done.keys, done.rings_destroyed.len()), (true, &plan.keys, 1));
    assert_ne!(std::fs::read(ward.site.folder.path().join("ring")).unwrap(), old_ring);

    let again = ward.program(None).await;
    for app in [app, &again] {
        let hana = doctor(app).await;
        assert_eq!(read(app, &hana, &ward.vital).await.unwrap_err().kind(), ErrorKind::Gone);
        assert_eq!(read(app, &hana, &ward.note).await.unwrap().bytes, ward.note.bytes);
        assert_eq!(by_code(app, &hana, ward.subject, "Condition", "I10").await, [ward.condition.id]);
        let found = by_code(app, &hana, ward.subject, "Observation", "8310-5").await;
        assert!(!found.contains(&ward.vital.id), "what is gone is not found");
        assert_eq!(by_name(app, &hana, "高橋").await.unwrap(), [ward.subject]);
        // Life goes on: what is written now has a new key.
        let kept = create(app, &hana, observation(ward.subject, "37.0")).await;
        assert!(read(app, &hana, &kept).await.is_ok());
        assert!(by_code(app, &hana, ward.subject, "Observation", "8310-5").await.contains(&kept.id));
    }
    again.checkpoint().await.unwrap();
    assert_eq!(again.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn shredding_interrupted_anywhere_ends_gone_or_untouched_and_can_be_finished() {
    let ward = ward().await;
    for commits in 0_i64.. {
        let app = ward.program(None).await;
        let vital = create(&app, &doctor(&app).await, observation(ward.subject, "36.9")).await;
        let app = ward.program(Some(commits)).await;
        let disposal = ward.disposal("vital-signs");
        let outcome = app.shred(&app.operator("tester"), &ward.root, &disposal, true).await;
        let app = ward.program(None).await;
        let operator = app.operator("tester");
        if outcome.is_err() {
            match app.shred(&operator, &ward.root, &disposal, true).await {
                Ok(report) => assert!(report.applied),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound);
                    app.rotate_ring(&operator, &ward.root).await.unwrap();
                }
            }
        }
        assert!(ward.ring().rotation().is_none());
        let app = ward.program(None).await;
        let hana = doctor(&app).await;
        assert_eq!(read(&app, &hana, &vital).await.unwrap_err().kind(), ErrorKind::Gone);
        assert_eq!(read(&app, &hana, &ward.note).await.unwrap().bytes, ward.note.bytes);
        assert_eq!(by_code(&app, &hana, ward.subject, "Condition", "I10").await, [ward.condition.id]);
        if outcome.is_ok() {
            assert!(commits > 4, "{commits}");
            break;
        }
    }
}

#[tokio::test]
async fn what_decides_about_access_is_not_shredded_while_in_force() {
    let ward = ward().await;
    let error = ward
        .site
        .app
        .shred(&ward.site.operator(), &ward.root, &ward.disposal("flags"), true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(ward.ring().rotation().is_none(), "nothing was begun");
    let none =
        ward.site.app.shred(&ward.site.operator(), &ward.root, &ward.disposal("medication"), true).await;
    assert_eq!(none.unwrap_err().kind(), ErrorKind::NotFound);
    let without = Disposal { reason: " ".to_owned(), ..ward.disposal("vital-signs") };
    let error = ward.site.app.shred(&ward.site.operator(), &ward.root, &without, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let hana = doctor(&ward.site.app).await;
    for refused in [
        ward.site.app.rotate_ring(&hana, &ward.root).await.unwrap_err(),
        ward.site.app.rotate_index(&hana).await.unwrap_err(),
        ward.site.app.shred(&hana, &ward.root, &ward.disposal("vital-signs"), true).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
}

#[tokio::test]
async fn a_new_index_key_keeps_people_found_and_files_known_wherever_it_was_interrupted() {
    let ward = ward().await;
    let hospital = ward.vital.institution;
    let line = [Bytes::from(patient("p1", "1234", "田中", "実", "1944-01-01").to_string())];
    let operator = ward.site.operator();
    ward.site.app.import_lines(&operator, hospital, &line).await.unwrap();
    // A second id of the same person, known by the number alone: this needs the new index.
    for commits in 0_i64.. {
        let app = ward.program(Some(commits)).await;
        let outcome = app.rotate_index(&app.operator("tester")).await;
        let app = ward.program(None).await;
        let hana = doctor(&app).await;
        let check = async |app: &App, hana: &Caller| {
            assert_eq!(by_name(app, hana, "高橋").await.unwrap(), [ward.subject], "after {commits} commits");
            assert_eq!(by_name(app, hana, "田中").await.unwrap().len(), 1);
        };
        check(&app, &hana).await;
        let other = [Bytes::from(
            patient(&format!("p{}", commits + 2), "1234", "田中", "実", "1944-01-01").to_string(),
        )];
        let report = app.import_lines(&operator, hospital, &other).await.unwrap();
        assert_eq!((report.stored, report.known), (0, 1), "after {commits} commits");
        if outcome.is_err() {
            app.rotate_index(&app.operator("tester")).await.unwrap();
            check(&app, &hana).await;
        }
        let report = app.import_lines(&operator, hospital, &line).await.unwrap();
        assert_eq!((report.stored, report.known), (0, 1));
        if let Ok(rebuilt) = outcome {
            assert_eq!(rebuilt, 2);
            assert!(commits > 3, "{commits}");
            break;
        }
    }
    let generations = ward.site.store.query(&mimamori_app::sql::KEYS_OF_NOBODY, Vec::new()).await.unwrap();
    let indexes = generations.iter().filter(|row| row.text(2).unwrap().starts_with("index:")).count();
    assert_eq!(indexes, 2, "the fixed key and the newest");
}

#[tokio::test]
async fn a_program_that_missed_a_new_index_key_learns_of_it() {
    let ward = ward().await;
    let other = ward.program(None).await;
    let hana = doctor(&other).await;
    ward.site.app.rotate_index(&ward.site.operator()).await.unwrap();
    let busy = by_name(&other, &hana, "高橋").await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy, "never an empty answer by a key that is gone");
    assert_eq!(by_name(&other, &hana, "高橋").await.unwrap(), [ward.subject]);
    let subject = ward.site.person(&doctor(&ward.site.app).await, "鈴木", "茂").await;
    assert_eq!(by_name(&other, &hana, "鈴木").await.unwrap(), [subject]);
}
