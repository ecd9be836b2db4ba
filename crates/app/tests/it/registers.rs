//! Registers: who adds, sees, amends, strikes out and reviews; lists; files; tables taken out and read
//! in; what stays readable after keys or rules were changed. On a small pack of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mimamori_app::{App, Caller, ErrorKind, Label, RegisterPage, RegisterQuery, TableFormat, Typed, Values};
use mimamori_domain::{InstitutionId, ObjectId, RecordState, Result};
use mimamori_policy::{Language, Pack};
use mimamori_vault::RootKeyFile;
use sqlx::Executor as _;

use crate::fail_closed::lock;
use crate::procedures::{form, site_under};
use crate::support::{On, Site, parts, version_of};

const PACK: &str = "\
id: registers-test
extends: base
ja: \"台帳の試験\"
en: \"Test of registers\"
languages: [ja, en]
catalogues: []
parameters: [{key: second-factor.required-of, value: nobody}]
";
const FIELDS: &str = "    fields:
      - {code: topic, ja: \"件名\", en: \"Topic\", type: text, required: true}
      - {code: kind, ja: \"種類\", en: \"Kind\", type: choice, choices: [{code: in, ja: \"院内\", en: \"inside\"}, {code: in-out, ja: \"院外\", en: \"outside\"}]}
      - {code: held, ja: \"開催日\", en: \"Held on\", type: date}
      - {code: at, ja: \"時刻\", en: \"At\", type: time}
      - {code: sent, ja: \"送付\", en: \"Sent\", type: date-time}
      - {code: hours, ja: \"時間\", en: \"Hours\", type: number, decimals: 1, least: -100, most: 1000}
      - {code: people, ja: \"受講者\", en: \"Attended\", type: person, many: true}
      - {code: place, ja: \"施設\", en: \"Place\", type: institution}
      - {code: note, ja: \"記事\", en: \"Note\", type: long-text}
      - {code: done, ja: \"済\", en: \"Done\", type: yes-no}
      - {code: next, ja: \"次回\", en: \"Next\", type: derived, derive: {from: held, add: P1Y}}
      - {code: device, ja: \"機器\", en: \"Device\", type: asset}
      - {code: tags, ja: \"見出し語\", en: \"Tags\", type: text, many: true}
      - {code: paper, ja: \"資料\", en: \"Paper\", type: file}
";
const TRAINING: &str = "  - code: training
    ja: \"研修台帳\"
    en: \"Training\"
    keeper: [facility-manager]
    writers: [key-manager]
    readers: [help-desk]
    per: institution
    title: [topic]
";
const COPIES: &str = "  - code: copies
    ja: \"控え\"
    en: \"Copies\"
    keeper: [facility-manager]
    per: institution
    title: [topic]
";
const DEVICES: &str = "  - code: devices
    ja: \"機器台帳\"
    en: \"Devices\"
    keeper: [facility-manager]
    assets: true
    title: [name]
    fields:
      - {code: name, ja: \"名称\", en: \"Name\", type: text, required: true}
";

const NOTICES: &str = "  - code: posted
    ja: \"掲示\"
    en: \"Posted\"
    keeper: [facility-manager]
    readers: [help-desk, citizen]
    shown-from: from
    shown-until: until
    title: [subject]
    fields:
      - {code: subject, ja: \"件名\", en: \"Subject\", type: text, required: true}
      - {code: from, ja: \"始め\", en: \"From\", type: date, required: true}
      - {code: until, ja: \"終わり\", en: \"Until\", type: date}
";

fn pack_with(fields: &str) -> Arc<Pack> {
    let registers = format!("registers:\n{TRAINING}{fields}{COPIES}{fields}{DEVICES}{NOTICES}");
    let files = [("pack.yaml", PACK.to_owned()), ("registers/all.yaml", registers)];
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect();
    Arc::new(Pack::from_files(files).unwrap_or_else(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    }))
}

fn pack() -> Arc<Pack> {
    static PACK_ONCE: OnceLock<Arc<Pack>> = OnceLock::new();
    Arc::clone(PACK_ONCE.get_or_init(|| pack_with(FIELDS)))
}

const PEOPLE: &[(&str, bool, &[&str])] = &[
    ("keeper", true, &["facility-manager"]),
    ("keeper-two", true, &["facility-manager"]),
    ("far-keeper", false, &["facility-manager"]),
    ("writer", true, &["key-manager"]),
    ("far-writer", false, &["key-manager"]),
    ("reader", true, &["help-desk"]),
    ("overseer", true, &["privacy-officer"]),
    ("nobody", true, &[]),
];

pub(crate) struct Office {
    pub(crate) site: Site,
    here: InstitutionId,
}

impl Office {
    /// The office with those of [`PEOPLE`] who are wanted.
    pub(crate) async fn with(on: On, wanted: &[&str]) -> Self {
        let site = site_under(on, pack()).await;
        let (here, far) = (site.institution("見守り病院").await, site.institution("みどり診療所").await);
        for (login, near, roles) in PEOPLE.iter().filter(|(login, ..)| wanted.contains(login)) {
            site.staff(login, None, if *near { here } else { far }, roles).await;
        }
        Self { site, here }
    }

    pub(crate) fn app(&self) -> &App {
        &self.site.app
    }

    pub(crate) async fn call(&self, login: &str) -> Caller {
        self.site.sign_in(login).await
    }

    async fn add(&self, login: &str, values: &[(&str, &str)]) -> Result<ObjectId> {
        self.app().add_entry(&self.call(login).await, "training", &form(values)).await
    }

    pub(crate) async fn size(&self) -> u64 {
        self.site.store.head().await.unwrap().unwrap().size
    }

    /// Another program of the installation.
    async fn second(&self, patience: Option<Duration>) -> Arc<App> {
        let store = match patience {
            Some(patience) => self.site.database.open_patiently(&self.site.clock, patience).await,
            None => Arc::clone(&self.site.store),
        };
        App::open(parts(&self.site.folder, store, Arc::clone(&self.site.clock))).await.unwrap()
    }

    pub(crate) async fn clean(&self) {
        let report = self.app().verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn places<T: std::fmt::Debug>(result: Result<T>) -> Vec<String> {
    result.unwrap_err().faults().iter().map(|fault| fault.place.clone()).collect()
}

async fn list(app: &App, caller: &Caller, query: &RegisterQuery) -> RegisterPage {
    app.register_entries(caller, "training", query).await.unwrap()
}

fn titles(page: &RegisterPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.title.as_str()).collect()
}

#[tokio::test]
async fn entries_live_in_a_register_on_sqlite() {
    lives(On::Sqlite).await;
}

#[tokio::test]
async fn entries_live_in_a_register_on_postgres() {
    lives(On::Postgres).await;
}

/// Added, amended by two at once, struck out, reviewed.
async fn lives(on: On) {
    let office = Office::with(on, &["keeper", "keeper-two", "writer", "reader"]).await;
    let app = office.app();
    let (one, two) = (office.call("keeper").await, office.call("keeper-two").await);
    let faulty = [("held", "2026-13-01"), ("hours", "36.55"), ("next", "2027-01-01"), ("ghost", "x")];
    let mut wrong = places(office.add("keeper", &faulty).await);
    wrong.sort();
    assert_eq!(wrong, ["ghost", "held", "hours", "next", "topic"]);

    let entry = office.add("keeper", &[("topic", "暗証番号"), ("held", "2026-11-20")]).await.unwrap();
    let first = form(&[("topic", "暗証番号の研修"), ("held", "2026-11-19")]);
    let second = form(&[("topic", "ほかの研修")]);
    assert_eq!(places(app.amend_entry(&one, "training", entry, 1, &first, " ").await), ["reason"]);
    let (a, b) = tokio::join!(
        app.amend_entry(&one, "training", entry, 1, &first, "日付の誤り"),
        app.amend_entry(&two, "training", entry, 1, &second, "件名の誤り"),
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
    let (won, reason) = if a.is_ok() {
        ("暗証番号の研修", "日付の誤り")
    } else {
        ("ほかの研修", "件名の誤り")
    };
    assert_eq!(kind(if a.is_ok() { b } else { a }), ErrorKind::Conflict);

    let before = office.size().await;
    let detail = app.entry(&office.call("reader").await, "training", entry).await.unwrap();
    assert!(office.size().await > before, "looking at an entry is recorded");
    let versions: Vec<_> =
        detail.versions.iter().map(|v| (v.version, v.state, v.reason.as_deref())).collect();
    assert_eq!(versions, [(2, RecordState::Amended, Some(reason)), (1, RecordState::Confirmed, None)]);
    assert_eq!(detail.versions[0].shown["topic"], [Label::Plain(won.to_owned())]);
    assert_eq!(detail.versions[1].shown["topic"], [Label::Plain("暗証番号".to_owned())]);
    assert_eq!(detail.versions[1].values["next"], "2027-11-20", "what is derived is kept with it");
    assert!(detail.versions[1].author_name.starts_with("keeper"));

    assert_eq!(kind(app.strike_entry(&one, "training", entry, 1, "重複").await), ErrorKind::Conflict);
    app.strike_entry(&one, "training", entry, 2, "重複").await.unwrap();
    assert_eq!(kind(app.amend_entry(&one, "training", entry, 3, &first, "戻す").await), ErrorKind::Conflict);
    assert_eq!(list(app, &one, &RegisterQuery::default()).await.total, 0);
    let struck = RegisterQuery { struck: true, ..RegisterQuery::default() };
    assert_eq!(list(app, &one, &struck).await.rows[0].state, RecordState::Withdrawn);

    assert_eq!(places(app.review_register(&one, "training", false, " ").await), ["finding"]);
    app.review_register(&one, "training", false, "抹消が一件ある").await.unwrap();
    let reviews = app.register_reviews(&one, "training").await.unwrap();
    assert_eq!((reviews.len(), reviews[0].in_order, reviews[0].entries), (1, false, 1));
    assert_eq!(kind(app.register_entries(&one, "ghost", &struck).await), ErrorKind::NotFound);
    let unknown = RegisterQuery { sort: Some("ghost".to_owned()), ..RegisterQuery::default() };
    assert_eq!(kind(app.register_entries(&one, "training", &unknown).await), ErrorKind::Invalid);
    office.clean().await;
    office.site.store.close().await;
}

/// What each of them may: (sees entries of here, of far away, adds, amends here, takes out, takes in).
const RIGHTS: &[(&str, bool, bool, bool, bool, bool, bool)] = &[
    ("keeper", true, false, true, true, true, true),
    ("far-keeper", false, true, true, false, true, true),
    ("writer", true, false, true, false, true, false),
    ("reader", true, true, false, false, true, false),
    ("overseer", true, true, false, false, true, false),
    ("nobody", false, false, false, false, false, false),
];

#[tokio::test]
async fn everybody_may_what_the_rules_name_them_for() {
    let all: Vec<&str> = PEOPLE.iter().map(|(login, ..)| *login).collect();
    let office = Office::with(On::Sqlite, &all).await;
    let app = office.app();
    let here = office.add("writer", &[("topic", "こちら")]).await.unwrap();
    let far = office.add("far-writer", &[("topic", "あちら")]).await.unwrap();
    let query = RegisterQuery::default();
    for (login, sees_here, sees_far, adds, amends, takes_out, takes_in) in RIGHTS {
        let caller = office.call(login).await;
        let may = |yes: bool| if yes { None } else { Some(ErrorKind::Forbidden) };
        let entry = async |id| app.entry(&caller, "training", id).await.err().map(|error| error.kind());
        assert_eq!(entry(here).await, may(*sees_here), "{login}");
        assert_eq!(entry(far).await, may(*sees_far), "{login}");
        let count = usize::from(*sees_here) + usize::from(*sees_far);
        match app.register_entries(&caller, "training", &query).await {
            Ok(page) => assert_eq!(page.total, count, "{login}"),
            Err(error) => assert_eq!((error.kind(), count), (ErrorKind::Forbidden, 0), "{login}"),
        }
        let out = app.export_entries(&caller, "training", &query, TableFormat::Csv, Language::Ja).await;
        assert_eq!(out.as_ref().err().map(|error| error.kind()), may(*takes_out), "{login}");
        if let Ok(out) = out {
            assert_eq!(out.rows, count, "{login}");
        }
        // What nobody may, changes nothing; what they may fails for want of a topic or version.
        let adding = kind(app.add_entry(&caller, "training", &Typed::new()).await);
        assert_eq!(adding, if *adds { ErrorKind::Invalid } else { ErrorKind::Forbidden }, "{login}");
        let amending = kind(app.amend_entry(&caller, "training", here, 9, &Typed::new(), "x").await);
        assert_eq!(amending, if *amends { ErrorKind::Conflict } else { ErrorKind::Forbidden }, "{login}");
        let striking = kind(app.strike_entry(&caller, "training", here, 9, "x").await);
        assert_eq!(striking, if *amends { ErrorKind::Conflict } else { ErrorKind::Forbidden }, "{login}");
        let taking = kind(app.import_entries(&caller, "training", b"", TableFormat::Csv).await);
        assert_eq!(taking, if *takes_in { ErrorKind::Invalid } else { ErrorKind::Forbidden }, "{login}");
        let listed = app.registers(&caller).await.unwrap();
        assert_eq!(
            listed.iter().any(|found| found.register.code == "training"),
            *login != "nobody",
            "{login}"
        );
    }
    let nobody = office.call("nobody").await;
    let before = office.size().await;
    assert_eq!(kind(app.register_reviews(&nobody, "training").await), ErrorKind::Forbidden);
    assert_eq!(kind(app.review_register(&nobody, "training", true, "").await), ErrorKind::Forbidden);
    assert_eq!(kind(app.entry_choices(&nobody, "training").await), ErrorKind::Forbidden);
    assert_eq!(office.size().await, before + 3, "refusals are recorded");
    office.clean().await;
    office.site.store.close().await;
}

/// A form is good for one entry: a second click answers with the first one's, also at the same moment.
#[tokio::test]
async fn a_form_sent_twice_makes_one_entry() {
    let office = Office::with(On::Sqlite, &["keeper", "keeper-two"]).await;
    let app = office.app();
    let keeper = office.call("keeper").await;
    let once = ObjectId::random();
    let file = async || app.attach_file(&keeper, "memo.txt", "資料".as_bytes()).await.unwrap().to_string();
    let (one, two, three) = (file().await, file().await, file().await);
    let typed = |paper: &str| form(&[("topic", "研修"), ("paper", paper)]);
    let (first, second) = (typed(&one), typed(&two));
    let (a, b) = tokio::join!(
        app.add_entry_once(&keeper, "training", once, &first),
        app.add_entry_once(&keeper, "training", once, &second),
    );
    let entry = a.unwrap();
    assert_eq!(b.unwrap(), entry);
    assert_eq!(app.add_entry_once(&keeper, "training", once, &typed(&three)).await.unwrap(), entry);
    assert_eq!(list(app, &keeper, &RegisterQuery::default()).await.total, 1);
    // Other content under the same form is not thrown away silently.
    let other = form(&[("topic", "ほかの研修")]);
    assert_eq!(kind(app.add_entry_once(&keeper, "training", once, &other).await), ErrorKind::Conflict);
    // Somebody else's form is another one, whatever its number.
    let two = office.call("keeper-two").await;
    assert_ne!(app.add_entry_once(&two, "training", once, &other).await.unwrap(), entry);
    office.clean().await;
}

/// A file goes into what its uploader writes, in the session it was attached in, once.
#[tokio::test]
async fn a_file_is_lent_once_by_who_attached_it() {
    let office = Office::with(On::Sqlite, &["keeper", "keeper-two"]).await;
    let app = office.app();
    let (keeper, two) = (office.call("keeper").await, office.call("keeper-two").await);
    let file = app.attach_file(&keeper, "memo.txt", "資料".as_bytes()).await.unwrap();
    let typed = form(&[("topic", "研修"), ("paper", &file.to_string())]);
    assert_eq!(places(app.add_entry(&two, "training", &typed).await), ["paper"]);
    let later = office.call("keeper").await;
    assert_eq!(places(app.add_entry(&later, "training", &typed).await), ["paper"]);
    let entry = app.add_entry(&keeper, "training", &typed).await.unwrap();
    assert_eq!(places(app.add_entry(&keeper, "training", &typed).await), ["paper"]);
    // It stays where it is, whoever amends.
    app.amend_entry(&two, "training", entry, 1, &typed, "確認").await.unwrap();
    office.clean().await;
}

/// Findings are for those who read or review, each within the reach of their appointment.
#[tokio::test]
async fn reviews_reach_as_far_as_the_reviewer() {
    let office = Office::with(On::Sqlite, &["keeper", "far-keeper", "writer", "far-writer", "reader"]).await;
    let app = office.app();
    office.add("writer", &[("topic", "こちら")]).await.unwrap();
    office.add("far-writer", &[("topic", "あちら")]).await.unwrap();
    let (keeper, far) = (office.call("keeper").await, office.call("far-keeper").await);
    app.review_register(&keeper, "training", false, "記載もれ").await.unwrap();
    let seen = app.register_reviews(&keeper, "training").await.unwrap();
    assert_eq!((seen.len(), seen[0].entries, seen[0].whole), (1, 1, false));
    assert!(app.register_reviews(&far, "training").await.unwrap().is_empty());
    app.review_register(&far, "training", true, "").await.unwrap();
    let seen = app.register_reviews(&far, "training").await.unwrap();
    assert_eq!((seen.len(), seen[0].in_order), (1, true));
    let reader = office.call("reader").await;
    assert_eq!(app.register_reviews(&reader, "training").await.unwrap().len(), 2);
    let writer = office.call("writer").await;
    assert_eq!(kind(app.register_reviews(&writer, "training").await), ErrorKind::Forbidden);
    office.clean().await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_in_pages() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let app = office.app();
    for (topic, hours, kind) in [("Alpha", "9", "in"), ("beta", "10", "in-out"), ("Gamma", "-1.5", "in")] {
        office.site.clock.advance(Duration::from_secs(1));
        office.add("keeper", &[("topic", topic), ("hours", hours), ("kind", kind)]).await.unwrap();
    }
    office.site.clock.advance(Duration::from_secs(1));
    office.add("keeper", &[("topic", "none")]).await.unwrap();
    let keeper = office.call("keeper").await;
    let found = async |query: RegisterQuery| {
        titles(&list(app, &keeper, &query).await).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let plain = RegisterQuery::default;
    assert_eq!(found(plain()).await, ["none", "Gamma", "beta", "Alpha"], "newest first");
    let by = |sort: &str, descending| RegisterQuery { sort: Some(sort.to_owned()), descending, ..plain() };
    assert_eq!(found(by("hours", false)).await, ["Gamma", "Alpha", "beta", "none"]);
    assert_eq!(found(by("topic", true)).await, ["none", "beta", "Gamma", "Alpha"]);
    let with =
        |field: &str, text: &str| RegisterQuery { fields: vec![(field.into(), text.into())], ..plain() };
    assert_eq!(found(with("kind", "in")).await, ["Gamma", "Alpha"], "a code is meant whole");
    assert_eq!(found(with("topic", "ALPH")).await, ["Alpha"]);
    let text = |text: &str| RegisterQuery { text: text.into(), ..plain() };
    assert_eq!(found(text("院外")).await, ["beta"]);
    assert_eq!(found(text("INSIDE")).await, ["Gamma", "Alpha"]);
    let page = list(app, &keeper, &RegisterQuery { page: 2, page_size: 3, ..plain() }).await;
    assert_eq!((titles(&page), page.total, page.page, page.pages), (vec!["Alpha"], 4, 2, 2));
    assert_eq!(list(app, &keeper, &RegisterQuery { page: 99, page_size: 3, ..plain() }).await.page, 2);
    office.site.store.close().await;
}

/// What an id points at is found and sorted by its name, and shown on every page; what is taken out is
/// what the page shows, all pages of it.
#[tokio::test]
async fn names_are_searched_sorted_shown_and_taken_out() {
    let office = Office::with(On::Sqlite, &["keeper", "writer", "reader"]).await;
    let app = office.app();
    let keeper = office.call("keeper").await;
    let (writer, reader) = (office.call("writer").await.actor_id(), office.call("reader").await.actor_id());
    for (topic, person) in [("一", reader), ("二", writer), ("三", reader), ("四", keeper.actor_id())] {
        office.site.clock.advance(Duration::from_secs(1));
        office.add("keeper", &[("topic", topic), ("people", &person.to_string())]).await.unwrap();
    }
    let query = RegisterQuery { sort: Some("people".to_owned()), page_size: 3, ..RegisterQuery::default() };
    let first = list(app, &keeper, &query).await;
    assert_eq!((titles(&first), first.total, first.pages), (vec!["四", "三", "一"], 4, 2));
    assert_eq!(first.rows[1].shown["people"], [Label::Plain("reader さん".to_owned())]);
    assert!(first.rows.iter().all(|row| row.entered_by == "keeper さん"));
    let second = list(app, &keeper, &RegisterQuery { page: 2, ..query.clone() }).await;
    assert_eq!(titles(&second), ["二"]);
    assert_eq!(second.rows[0].shown["people"], [Label::Plain("writer さん".to_owned())]);

    let wanted = RegisterQuery { text: "READER".to_owned(), page_size: 1, ..query };
    let page = list(app, &keeper, &wanted).await;
    assert_eq!((titles(&page), page.total), (vec!["三"], 2));
    let out = app.export_entries(&keeper, "training", &wanted, TableFormat::Csv, Language::Ja).await.unwrap();
    let text = String::from_utf8(out.bytes).unwrap();
    assert_eq!(out.rows, 2, "both pages: {text}");
    let places = ["三", "一", "二", "四"].map(|topic| text.find(&format!(",{topic},")));
    assert!(places[0].is_some() && places[0] < places[1] && places[2..] == [None, None], "{text}");
    office.clean().await;
    office.site.store.close().await;
}

#[tokio::test]
async fn a_file_opens_with_what_refers_to_it_alone() {
    let office = Office::with(On::Sqlite, &["keeper", "writer", "reader", "nobody"]).await;
    let app = office.app();
    let (writer, reader) = (office.call("writer").await, office.call("reader").await);
    assert_eq!(kind(app.attach_file(&writer, "a.exe", b"MZ\x00\x01").await), ErrorKind::Invalid);
    let file = app.attach_file(&writer, "資料.pdf", b"%PDF-1.7 x").await.unwrap();
    let other = app.attach_file(&writer, "other.txt", "ほか".as_bytes()).await.unwrap();
    let of = |id: ObjectId| form(&[("topic", "研修"), ("paper", &id.to_string())]);
    let entry = app.add_entry(&writer, "training", &of(file)).await.unwrap();
    let opened = app.entry_file(&reader, "training", entry, file).await.unwrap();
    assert_eq!((opened.name.as_str(), opened.bytes.as_slice()), ("資料.pdf", &b"%PDF-1.7 x"[..]));
    assert_eq!(kind(app.entry_file(&reader, "training", entry, other).await), ErrorKind::NotFound);
    assert_eq!(kind(app.entry_file(&reader, "copies", entry, file).await), ErrorKind::NotFound);
    let nobody = office.call("nobody").await;
    assert_eq!(kind(app.entry_file(&nobody, "training", entry, file).await), ErrorKind::Forbidden);
    // Somebody else's file is not put into an entry to open it there; one that is in it may stay.
    let keeper = office.call("keeper").await;
    assert_eq!(places(app.add_entry(&keeper, "training", &of(other)).await), ["paper"]);
    assert_eq!(places(app.amend_entry(&keeper, "training", entry, 1, &of(other), "x").await), ["paper"]);
    app.amend_entry(&keeper, "training", entry, 1, &of(file), "確認").await.unwrap();
    office.clean().await;
    office.site.store.close().await;
}

/// An entry with something in every field, texts that a spreadsheet would run among them.
async fn full_entry(office: &Office) -> Values {
    let app = office.app();
    let keeper = office.call("keeper").await;
    let device = app.add_entry(&keeper, "devices", &form(&[("name", "端末1号")])).await.unwrap();
    let (one, two) = (keeper.actor_id().to_string(), office.call("reader").await.actor_id().to_string());
    let typed = form(&[
        ("topic", "=HYPERLINK(\"http://example.invalid\")"),
        ("kind", "in-out"),
        ("held", "2026-11-20"),
        ("at", "09:05"),
        ("sent", "2026-11-20T23:59"),
        ("hours", "-1.5"),
        ("people", &one),
        ("people", &two),
        ("place", &office.here.to_string()),
        ("note", "@一行目, \"引用\"\n=二行目"),
        ("done", "yes"),
        ("device", &device.to_string()),
        ("tags", "+81"),
        ("tags", "甲、乙"),
    ]);
    let entry = app.add_entry(&keeper, "training", &typed).await.unwrap();
    app.entry(&keeper, "training", entry).await.unwrap().versions[0].values.clone()
}

#[tokio::test]
async fn tables_come_back_as_they_went_on_sqlite() {
    comes_back(On::Sqlite).await;
}

#[tokio::test]
async fn tables_come_back_as_they_went_on_postgres() {
    comes_back(On::Postgres).await;
}

async fn comes_back(on: On) {
    let office = Office::with(on, &["keeper", "reader"]).await;
    let app = office.app();
    let values = full_entry(&office).await;
    office.add("keeper", &[("topic", "ほか")]).await.unwrap();
    let keeper = office.call("keeper").await;
    let query = RegisterQuery { sort: Some("hours".to_owned()), ..RegisterQuery::default() };
    let mut added = 0;
    for format in [TableFormat::Csv, TableFormat::Excel] {
        for language in Language::ALL {
            let before = office.size().await;
            let out = app.export_entries(&keeper, "training", &query, format, language).await.unwrap();
            assert_eq!((out.rows, out.truncated), (2, false));
            assert_eq!(office.size().await, before + 1, "taking out is recorded");
            assert_eq!(TableFormat::of_bytes(&out.bytes), format);
            // What is in the register already is not added once more.
            let twice = app.import_entries(&keeper, "training", &out.bytes, format).await;
            let column = if language == Language::Ja { "登録番号" } else { "Entry" };
            assert_eq!(places(twice), [format!("row 2, column {column}"), format!("row 3, column {column}")]);
            let taken = app.import_entries(&keeper, "copies", &out.bytes, format).await.unwrap();
            assert_eq!(taken.added, 2);
            added += 2;
            let page = app.register_entries(&keeper, "copies", &RegisterQuery::default()).await.unwrap();
            assert_eq!(page.total, added);
            let same = page.rows.iter().filter(|row| row.values == values).count();
            assert_eq!(same, added / 2, "{format:?} {language:?}: {:?}", page.rows[0].values);
        }
    }
    let out = app.export_entries(&keeper, "training", &query, TableFormat::Csv, Language::Ja).await.unwrap();
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.contains("開催日 [held]") && text.contains("'=HYPERLINK") && text.contains("院外"),
        "{text}"
    );
    assert!(text.contains("(keeper)") && text.contains("端末1号") && text.contains("見守り病院"), "{text}");
    office.clean().await;
    office.site.store.close().await;
}

#[tokio::test]
async fn a_table_with_anything_wrong_changes_nothing() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let app = office.app();
    let keeper = office.call("keeper").await;
    let before = office.size().await;
    let take =
        async |text: &str| app.import_entries(&keeper, "training", text.as_bytes(), TableFormat::Csv).await;
    let wrong = "件名,開催日,種類,受講者,施設,時間,資料,登録の状態 [@state],\r\n\
                 よい,2026/11/20,院内,keeper,みどり診療所,1.5,,,\r\n\
                 ,20日,町内,ghost,ない病院,1.55,x.pdf,抹消,余り\r\n";
    let mut found = places(take(wrong).await);
    found.sort();
    let columns = ["件名", "受講者", "施設", "時間", "登録の状態", "種類", "資料", "開催日"];
    let mut expected: Vec<String> = columns.iter().map(|name| format!("row 3, column {name}")).collect();
    expected.push("row 3".to_owned());
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(places(take("Topic,Held on\r\nx,20th\r\n").await), ["row 2, column Held on"]);
    assert_eq!(
        places(take("件名,件名,どこか\r\nx,y,z\r\n").await),
        ["row 1, column 件名", "row 1, column どこか"]
    );
    assert_eq!(places(take("件名\r\n").await), ["file"]);
    let many = format!("topic\r\n{}", "x\r\n".repeat(5_001));
    assert_eq!(kind(take(&many).await), ErrorKind::TooLarge);
    let broken = app.import_entries(&keeper, "training", b"PK\x03\x04", TableFormat::Excel).await;
    assert_eq!(kind(broken), ErrorKind::Invalid);
    assert_eq!(office.size().await, before, "nothing was changed");

    // Names in either language or codes, words in either language or codes, a Japanese computer's file.
    let text = "topic,Kind,開催日,済\r\n件名①,inside,2026年1月5日,○\r\n二,in-out,,No\r\n";
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(text);
    let taken = app.import_entries(&keeper, "training", &bytes, TableFormat::Csv).await.unwrap();
    assert_eq!(taken.added, 2);
    let sorted = RegisterQuery { sort: Some("kind".to_owned()), ..RegisterQuery::default() };
    let page = list(app, &keeper, &sorted).await;
    assert_eq!(page.rows[0].values["held"], "2026-01-05");
    assert_eq!((&page.rows[0].values["done"], &page.rows[1].values["done"]), (&true.into(), &false.into()));
    let most = format!("topic\r\n{}", "x\r\n".repeat(5_000));
    let begun = std::time::Instant::now();
    assert_eq!(take(&most).await.unwrap().added, 5_000);
    println!("5,000 entries in {:?}", begun.elapsed());
    office.clean().await;
    office.site.store.close().await;
}

#[tokio::test]
async fn an_entry_stays_readable_when_the_rules_change() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let entry = office.add("keeper", &[("topic", "古い"), ("kind", "in-out")]).await.unwrap();
    let fields: String = FIELDS
        .lines()
        .filter(|line| !line.contains("code: kind"))
        .map(|line| line.replace("\"件名\", en: \"Topic\"", "\"題名\", en: \"Subject\"") + "\n")
        .collect();
    let third = office.add("keeper", &[("topic", "もう一つ"), ("kind", "in")]).await.unwrap();
    let app = crate::adoption::under(&office.site, office.here, &pack_with(&fields)).await;
    let origin = mimamori_app::Origin::default();
    let signed = app.sign_in("keeper", crate::support::PASSWORD, &origin).await.unwrap();
    let keeper = app.caller(&signed.token, &origin).await.unwrap();
    let amended = form(&[("topic", "新しい")]);
    app.amend_entry(&keeper, "training", entry, 1, &amended, "件名").await.unwrap();
    let detail = app.entry(&keeper, "training", entry).await.unwrap();
    let [new, old] = detail.versions.as_slice() else { panic!("two versions") };
    assert_eq!(new.fields[0].name.get(Language::En), "Subject");
    assert_eq!(old.fields[0].name.get(Language::En), "Topic");
    assert!(matches!(&old.shown["kind"][..], [Label::Word(word)] if word.get(Language::En) == "outside"));
    // What only the earlier rules had is told in a table too.
    let query = RegisterQuery::default();
    let out = app.export_entries(&keeper, "training", &query, TableFormat::Csv, Language::Ja).await.unwrap();
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(text.contains("題名 [topic]") && text.contains(&third.to_string()), "{text}");
    assert!(text.lines().next().unwrap().ends_with(",kind"), "{text}");
    office.site.store.close().await;
}

#[tokio::test]
async fn entries_open_under_a_new_ring_key() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let entry = office.add("keeper", &[("topic", "鍵")]).await.unwrap();
    let root = RootKeyFile::open(&office.site.folder.path().join("root.key")).unwrap();
    office.app().rotate_ring(&office.site.operator(), &root).await.unwrap();
    for app in [Arc::clone(&office.site.app), office.second(None).await] {
        let origin = mimamori_app::Origin::default();
        let signed = app.sign_in("keeper", crate::support::PASSWORD, &origin).await.unwrap();
        let keeper = app.caller(&signed.token, &origin).await.unwrap();
        let detail = app.entry(&keeper, "training", entry).await.unwrap();
        assert_eq!(detail.versions[0].values["topic"], "鍵");
        app.add_entry(&keeper, "training", &form(&[("topic", "後")])).await.unwrap();
    }
    office.clean().await;
    office.site.store.close().await;
}

#[tokio::test]
async fn an_entry_changed_behind_the_back_is_found() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let entry = office.add("keeper", &[("topic", "改ざん前")]).await.unwrap();
    let other = office.add("keeper", &[("topic", "別")]).await.unwrap();
    office.clean().await;
    office.site.database.drop_triggers().await;
    // Another entry's sealed body, in the place of this one's.
    let body = version_of(&*office.site.store, other, 1).await.body;
    let (body, id) = (office.site.database.blob(&body), office.site.database.blob(entry.as_bytes()));
    office
        .site
        .database
        .run(&format!("UPDATE object_version SET body = {body} WHERE object = {id}"))
        .await
        .unwrap();
    let report = office.app().verify(&|_, _| {}).await.unwrap();
    assert!(
        report.findings.iter().any(|finding| finding.contains(&entry.to_string())),
        "{:?}",
        report.findings
    );
    let keeper = office.call("keeper").await;
    assert_eq!(kind(office.app().entry(&keeper, "training", entry).await), ErrorKind::Unavailable);
    office.site.store.close().await;
}

#[tokio::test]
async fn while_nothing_can_be_recorded_nothing_is_told_and_nothing_done() {
    let office = Office::with(On::Sqlite, &["keeper"]).await;
    let keeper = office.call("keeper").await;
    let file = office.app().attach_file(&keeper, "a.txt", b"text").await.unwrap();
    let typed = form(&[("topic", "秘密"), ("paper", &file.to_string())]);
    let entry = office.app().add_entry(&keeper, "training", &typed).await.unwrap();
    let app = office.second(Some(Duration::from_millis(50))).await;
    app.entry(&keeper, "training", entry).await.unwrap();
    // A file belongs to one entry: another one brings its own.
    let again = office.app().attach_file(&keeper, "b.txt", b"text").await.unwrap();
    let another = form(&[("topic", "秘密"), ("paper", &again.to_string())]);
    let posted = form(&[("subject", "秘密の会"), ("from", "2020-01-01")]);
    app.add_entry(&keeper, "posted", &posted).await.unwrap();
    let before = office.size().await;
    let mut other = lock(&office.site.database).await;
    let (query, csv) = (RegisterQuery::default(), TableFormat::Csv);
    let outcomes = [
        ("register_entries", app.register_entries(&keeper, "training", &query).await.map(drop)),
        ("notices", app.notices(&keeper).await.map(drop)),
        ("entry_choices", app.entry_choices(&keeper, "training").await.map(drop)),
        ("entry", app.entry(&keeper, "training", entry).await.map(drop)),
        ("entry_file", app.entry_file(&keeper, "training", entry, file).await.map(drop)),
        ("register_reviews", app.register_reviews(&keeper, "training").await.map(drop)),
        (
            "export_entries",
            app.export_entries(&keeper, "training", &query, csv, Language::Ja).await.map(drop),
        ),
        ("add_entry", app.add_entry(&keeper, "training", &another).await.map(drop)),
        ("amend_entry", app.amend_entry(&keeper, "training", entry, 1, &typed, "x").await),
        ("strike_entry", app.strike_entry(&keeper, "training", entry, 1, "x").await),
        ("review_register", app.review_register(&keeper, "training", true, "").await.map(drop)),
        ("import_entries", app.import_entries(&keeper, "training", b"topic\r\nx\r\n", csv).await.map(drop)),
        ("attach_file", app.attach_file(&keeper, "b.txt", b"text").await.map(drop)),
    ];
    for (name, outcome) in outcomes {
        let error = outcome.expect_err(name);
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Busy), "{name}: {error}");
        assert!(!format!("{error:?} {error}").contains("秘密"), "{name}: {error:?}");
    }
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(office.size().await, before);
    assert_eq!(app.entry(&keeper, "training", entry).await.unwrap().versions.len(), 1);
    office.clean().await;
    office.site.store.close().await;
}
