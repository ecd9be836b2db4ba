//! What nobody must learn from logs and error texts; a clock that goes back; requests given up.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use mimamori_app::{
    CreateAs, ErrorKind, NewStaff, Origin, Paging, PeopleQuery, ReviewQuery, TimelineFilter, Window,
};
use mimamori_domain::{Action, Clock, Kind, Outcome};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::fail_closed::lock;
use crate::staleness::entries;
use crate::support::{On, PASSWORD, START, Site, note, observation};
use crate::town::Town;

/// Everything that is logged on one thread, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static TAKING_IN: RefCell<Option<Log>> = const { RefCell::new(None) };
}

impl Log {
    /// Takes in what this thread logs from now on.
    ///
    /// The process has one subscriber for good, which asks the thread each time: a place in the program
    /// that another test's thread comes to first would otherwise be remembered as wanted by nobody.
    fn of_this_thread() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let lines = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(|| TAKING_IN.with_borrow(|log| log.clone().unwrap_or_default()))
                .with_filter(dynamic_filter_fn(|_, _| TAKING_IN.with_borrow(Option::is_some)));
            tracing_subscriber::registry().with(lines).init();
        });
        let log = Self::default();
        TAKING_IN.set(Some(log.clone()));
        log
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Names, words and secrets that the test puts in.
const PERSONAL: [&str; 12] = [
    "潮騒",
    "みなと",
    "シオサイ",
    "1931",
    "shiosai",
    "岬の灯",
    "misaki",
    "泣いていた",
    "転倒した",
    "PRIVATE-77",
    "203.0.113.7",
    PASSWORD,
];

fn nothing_personal(text: &str, whence: &str) {
    for word in PERSONAL {
        assert!(!text.contains(word), "{word} in {whence}: {text}");
    }
}

/// The tests' runtime has one thread, so this log takes in the program's tasks too.
#[tokio::test]
async fn logs_and_debug_output_name_nobody() {
    let log = Log::of_this_thread();
    let site = Site::on(On::Sqlite).await;
    let (app, operator) = (&site.app, site.operator());
    let hospital = site.institution("病院").await;
    let staff = NewStaff {
        login: "misaki".to_owned(),
        name: "岬の灯".to_owned(),
        kana: Some("ミサキノヒ".to_owned()),
        occupation: Some("doctor".parse().unwrap()),
        institution: Some(hospital),
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    nothing_personal(&format!("{staff:?}"), "NewStaff");
    app.add_staff(&operator, &staff).await.unwrap();
    let origin = Origin { address: Some([203, 0, 113, 7].into()), ..Origin::default() };
    assert!(app.sign_in("misaki", "PRIVATE-77-wrong", &origin).await.is_err());
    let signed = app.sign_in("misaki", PASSWORD, &origin).await.unwrap();
    nothing_personal(&format!("{signed:?}"), "SignedIn");
    assert!(!format!("{signed:?}").contains(&signed.token));
    let caller = app.caller(&signed.token, &origin).await.unwrap();
    nothing_personal(&format!("{caller:?}"), "Caller");
    nothing_personal(&format!("{origin:?}"), "Origin");

    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"PRIVATE-77"}],"name":[{"use":"official","family":"潮騒","given":["みなと"]},{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"SYL"}],"family":"シオサイ"}],"birthDate":"1931-02-03"}"#;
    let subject = app.create(&caller, patient.into(), CreateAs::Confirmed).await.unwrap().subject.unwrap();
    app.add_citizen(&operator, "shiosai", "潮騒 みなと", PASSWORD, Some(subject)).await.unwrap();
    let kept =
        app.create(&caller, note(subject, "夜に泣いていた").into(), CreateAs::Confirmed).await.unwrap();
    nothing_personal(&format!("{kept:?}"), "Stored");

    // What goes well.
    let query = PeopleQuery {
        name: Some("潮騒".to_owned()),
        birth_date: Some("1931-02-03".to_owned()),
        identifier: Some("urn:x|PRIVATE-77".to_owned()),
        ..PeopleQuery::default()
    };
    nothing_personal(&format!("{query:?}"), "PeopleQuery");
    let found = app.search_people(&caller, &query, &Paging::default()).await.unwrap();
    assert_eq!(found.items.len(), 1);
    nothing_personal(&format!("{found:?}"), "Page<PersonCard>");
    let page = app.person(&caller, subject).await.unwrap();
    nothing_personal(&format!("{page:?}"), "PersonPage");
    let timeline =
        app.timeline(&caller, subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
    nothing_personal(&format!("{timeline:?}"), "Page<Stored>");
    let window = Window { from: START, until: START.plus(Duration::from_secs(3600)) };
    let haru = app.sign_in("shiosai", PASSWORD, &origin).await.unwrap();
    let haru = app.caller(&haru.token, &origin).await.unwrap();
    let rows = app.who_looked(&haru, subject, window, &Paging::default()).await.unwrap();
    assert!(rows.items.iter().any(|row| row.actor.as_ref().is_some_and(|actor| actor.name == "岬の灯")));
    nothing_personal(&format!("{rows:?}"), "Page<AccessRow>");
    let review = ReviewQuery { subject: None, actor: None, institution: None, window };
    site.staff("kansa", None, hospital, &["auditor"]).await;
    let kansa = site.sign_in("kansa").await;
    nothing_personal(
        &format!("{:?}", app.review(&kansa, &review, &Paging::default()).await.unwrap()),
        "review",
    );
    nothing_personal(
        &format!("{:?}", app.review_counts(&kansa, &[window], &Paging::default()).await.unwrap()),
        "SubjectCount",
    );
    nothing_personal(&format!("{:?}", app.accounts(&operator).await.unwrap()), "AccountView");
    app.break_glass(&caller, subject, "自宅で転倒した").await.unwrap();

    // What fails, each in its own way.
    let kind = Kind::of("Communication");
    let broken = note(subject, "転倒した").replace("\"completed\"", "\"潮騒\"");
    let mut errors = vec![
        app.create(&caller, broken.into(), CreateAs::Confirmed).await.unwrap_err(),
        app.create(&caller, "{\"resourceType\":\"転倒した\"".into(), CreateAs::Confirmed).await.unwrap_err(),
        app.update(&caller, &kind, kept.id, note(subject, "転倒した").into(), 9).await.unwrap_err(),
        app.add_staff(&operator, &staff).await.unwrap_err(),
        app.set_password(&operator, "misaki", "PRIVATE-77").await.unwrap_err(),
        app.withdraw(&haru, &kind, kept.id, 1, "泣いていた").await.unwrap_err(),
    ];
    let store = site.database.open_patiently(&site.clock, Duration::from_millis(50)).await;
    let impatient = site.second(Arc::clone(&store)).await;
    impatient.person(&caller, subject).await.unwrap();
    let mut other = lock(&site.database).await;
    errors.push(
        impatient.create(&caller, note(subject, "転倒した").into(), CreateAs::Confirmed).await.unwrap_err(),
    );
    errors.push(impatient.search_people(&caller, &query, &Paging::default()).await.unwrap_err());
    sqlx::Executor::execute(&mut other, "ROLLBACK").await.unwrap();
    store.close().await;
    site.database.drop_triggers().await;
    site.database
        .run("UPDATE object_version SET class = 'basic' WHERE kind = 'Communication'")
        .await
        .unwrap();
    errors.push(app.read(&caller, &kind, kept.id).await.unwrap_err());
    for error in errors {
        nothing_personal(&format!("{error} {error:?}"), "an error");
    }
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert!(!report.findings.is_empty());
    nothing_personal(&format!("{report:?}"), "a report");
    site.store.close().await;

    TAKING_IN.take();
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("the schema was brought up to date"), "the log was not taken in: {log}");
    nothing_personal(&log, "the log");
}

#[tokio::test]
async fn recorded_time_never_runs_backwards() {
    let town = Town::new(On::Sqlite).await;
    let (site, ids) = (&town.site, town.ids);
    let hana = town.caller("hana").await;
    let observed = Kind::of("Observation");
    let before = site.store.head().await.unwrap().unwrap();
    site.clock.set(mimamori_domain::Timestamp::from_micros(START.as_micros() - 3_600_000_000));
    site.app.read(&hana, &observed, ids.observation).await.unwrap();
    site.observation(&hana, ids.subject, "36.2").await.unwrap();
    let after = site.store.head().await.unwrap().unwrap();
    assert!(after.size > before.size && after.recorded == before.recorded);
    site.clock.set(START.plus(Duration::from_secs(60)));
    site.app.read(&hana, &observed, ids.observation).await.unwrap();
    let all = entries(&*site.store, 0).await;
    let times: Vec<_> = all.iter().map(|entry| entry.position.recorded).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times.last(), Some(&site.clock.now()));
    // What the clock said meanwhile does not show a later look before an earlier one.
    let haru = town.caller("haru").await;
    let window = Window { from: START, until: START.plus(Duration::from_secs(3600)) };
    let looks =
        site.app.who_looked(&haru, ids.subject, window, &Paging { count: 200, cursor: None }).await.unwrap();
    assert!(looks.items.iter().map(|row| row.recorded).rev().is_sorted());
    let report = site.app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    site.store.close().await;
}

/// A request whose sender went away is done wholly or not at all.
#[tokio::test]
async fn requests_given_up_leave_a_whole_ledger() {
    let town = Town::new(On::Sqlite).await;
    let (site, ids) = (&town.site, town.ids);
    let hana = town.caller("hana").await;
    let from = site.store.head().await.unwrap().unwrap().size;
    let (operator, observed) = (site.operator(), Kind::of("Observation"));
    let (mut done, mut given_up) = (0, 0);
    for step in 0..120 {
        let patience = Duration::from_micros(step * 100);
        let create = site.app.create(&hana, observation(ids.subject, "36.9").into(), CreateAs::Confirmed);
        match tokio::time::timeout(patience, create).await {
            Ok(kept) => done += usize::from(kept.is_ok()),
            Err(_) => given_up += 1,
        }
        let team = site.app.add_team_member(&operator, ids.other, None, Some(ids.clinic));
        let _ = tokio::time::timeout(patience, team).await;
        let read = site.app.history(&hana, &observed, ids.observation);
        let _ = tokio::time::timeout(patience, read).await;
    }
    assert!(given_up > 0, "nothing was given up");
    // Comes after everything that is still on its way.
    site.observation(&hana, ids.subject, "37.0").await.unwrap();
    done += 1;
    let created = entries(&*site.store, from)
        .await
        .into_iter()
        .filter(|entry| entry.draft.action == Action::Create && entry.draft.outcome == Outcome::Success)
        .filter(|entry| entry.draft.subject == Some(ids.subject))
        .count();
    assert!(created >= done, "{created} {done}");
    let mut shown = 0;
    let mut paging = Paging { count: 200, cursor: None };
    let filter = TimelineFilter { kinds: vec![Kind::of("Observation")], ..TimelineFilter::default() };
    loop {
        let page = site.app.timeline(&hana, ids.subject, &filter, &paging).await.unwrap();
        shown += page.items.len();
        paging.cursor = page.next;
        if paging.cursor.is_none() {
            break;
        }
    }
    // One observation was there before.
    assert_eq!(shown, created + 1, "a record without its entry, or an entry without its record");
    let report = site.app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    // Nothing is left in memory that is not so: another program gives the same answers.
    let second = site.second(Arc::clone(&site.store)).await;
    let jiro = town.caller("jiro").await;
    for app in [&site.app, &second] {
        let error = app.read(&jiro, &Kind::of("Observation"), ids.of_other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
    }
    site.store.close().await;
}

/// Proves: what lies in the database and its log tells nobody a name, a word of a record or a password.
#[tokio::test]
async fn the_database_holds_nothing_that_can_be_read() {
    let town = Town::new(On::Sqlite).await;
    let files = std::fs::read_dir(town.site.folder.path()).unwrap().filter_map(|file| {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        name.starts_with("mimamori.db").then(|| std::fs::read(path).unwrap())
    });
    let bytes: Vec<u8> = files.flatten().collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // The rules themselves are no secret; a kind of object shows that these are the right files.
    assert!(holds("Observation") && bytes.len() > 100_000);
    for text in ["山田", "みどり診療所", "よく眠れた", "hana", PASSWORD, "argon2"] {
        assert!(!holds(text), "{text}");
    }
}

/// Which clauses these tests prove: a test is named after its clause.
mod clauses {
    /// Administrators of the database and of the machine read nothing.
    #[test]
    fn clause_mic_3_3_6_2_2_2() {
        super::the_database_holds_nothing_that_can_be_read();
    }

    #[test]
    fn clause_mhlw5_8_1_2_d_4() {
        super::the_database_holds_nothing_that_can_be_read();
        super::logs_and_debug_output_name_nobody();
    }

    #[test]
    fn clause_mic_3_2_3_1_3_1() {
        super::the_database_holds_nothing_that_can_be_read();
    }

    #[test]
    fn clause_mhlw5_6_5_c_2() {
        super::logs_and_debug_output_name_nobody();
    }
}
