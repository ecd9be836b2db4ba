//! A running system adopts a new version of its rules by an approved procedure: at once, once, for
//! every program of the installation, and with everything begun before readable and finishable.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::sync::Arc;

use mimamori_app::{
    Act, App, Caller, CaseStage, CaseView, CreateAs, ErrorKind, JobEnd, MailFailure, MailRound, Mailer, Mark,
    Origin, RegisterQuery, Typed, pack_archive,
};
use mimamori_domain::{Action, Clock as _, InstitutionId, Kind, ObjectId, Outcome, Result};
use mimamori_policy::{ChangeKind, Pack};
use mimamori_store::Store;

use crate::hooked::Hooked;
use crate::staleness::entries;
use crate::support::{On, PASSWORD, Site, base_files, note};
use crate::town::Town;

const ADOPTION: &str = "rules-adoption";

// A line that continues a string loses its indentation: it is spelt out.
const ROLES: &str = "\x20 - {code: greeter, ja: \"受付\", en: \"greeter\", scope: installation, appointed-by: [operations-manager]}\n";
const REGISTER: &str = "\
registers:
  - code: visitors
    ja: \"来訪者台帳\"
    en: \"Visitors\"
    keeper: [operations-manager]
    title: [who]
    fields:
      - {code: who, ja: \"だれ\", en: \"who\", type: text, required: true}
";
const PROCEDURE: &str = "\
procedures:
  - code: visit
    ja: \"来訪\"
    en: \"Visit\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: who, ja: \"だれ\", en: \"who\", type: text, required: true}
    steps:
      - {code: greet, ja: \"受付\", en: \"greeting\", kind: review, by: [greeter]}
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [ciso]}
";

type Files = BTreeMap<String, Vec<u8>>;

/// The base pack's files with something changed.
fn changed(change: impl FnOnce(&mut Files)) -> Files {
    let mut files = base_files();
    change(&mut files);
    files
}

/// Adds a role, a register and a procedure.
fn with_visitors() -> Pack {
    let files = changed(|files| {
        files.get_mut("roles.yaml").unwrap().extend_from_slice(ROLES.as_bytes());
        files.insert("registers/visitors.yaml".into(), REGISTER.into());
        files.insert("procedures/visitors.yaml".into(), PROCEDURE.into());
    });
    Pack::from_files(files).unwrap()
}

/// Another idle time, and nothing of the visitors.
fn with_other_idle_time() -> Pack {
    let files = changed(|files| {
        let text = String::from_utf8(files["pack.yaml"].clone()).unwrap();
        assert!(text.contains("value: 15\n"));
        files.insert("pack.yaml".into(), text.replacen("value: 15\n", "value: 20\n", 1).into_bytes());
    });
    Pack::from_files(files).unwrap()
}

fn zipped(files: &Files) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(path.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

async fn enter(app: &App, login: &str) -> Caller {
    let origin = Origin::default();
    let signed = app.sign_in(login, PASSWORD, &origin).await.unwrap();
    app.caller(&signed.token, &origin).await.unwrap()
}

/// Those who adopt rules.
const PEOPLE: [(&str, &str); 5] = [
    ("sec", "security-manager"),
    ("privacy", "privacy-officer"),
    ("head", "ciso"),
    ("vice", "ciso"),
    ("ops", "operations-manager"),
];

async fn people(site: &Site, institution: InstitutionId) {
    for (login, role) in PEOPLE {
        site.staff(login, None, institution, &[role]).await;
    }
}

async fn site_on(on: On) -> Site {
    let site = Site::on(on).await;
    let institution = site.institution("見守り病院").await;
    people(&site, institution).await;
    site
}

fn form(file: ObjectId) -> Typed {
    Typed::from([
        ("reason".to_owned(), vec!["年次の見直し".to_owned()]),
        ("pack".to_owned(), vec![file.to_string()]),
    ])
}

/// Hands in an archive by the security manager.
async fn propose(app: &App, archive: &[u8]) -> Result<ObjectId> {
    let sec = enter(app, "sec").await;
    let file = app.attach_file(&sec, "rules.zip", archive).await?;
    app.begin_case(&sec, ADOPTION, &form(file), false).await
}

async fn view(app: &App, login: &str, case: ObjectId) -> CaseView {
    app.case(&enter(app, login).await, case).await.unwrap()
}

async fn act(app: &App, login: &str, case: ObjectId, act: Act) -> Result<()> {
    let caller = enter(app, login).await;
    let seen = app.case(&caller, case).await?.version;
    app.act_on_case(&caller, case, seen, &act, &Typed::new()).await
}

/// Up to the last approval.
async fn reviewed(app: &App, pack: &Pack) -> ObjectId {
    let case = propose(app, &pack_archive(pack).unwrap()).await.unwrap();
    act(app, "privacy", case, Act::Pass).await.unwrap();
    case
}

/// By the whole procedure; gives the application under the new rules.
async fn adopt(app: &App, pack: &Pack) -> (Arc<App>, ObjectId) {
    let app = app.in_force().await.unwrap();
    let case = reviewed(&app, pack).await;
    act(&app, "head", case, Act::Pass).await.unwrap();
    let now = app.in_force().await.unwrap();
    assert_eq!(now.pack().hash(), pack.hash());
    (now, case)
}

/// The installation under other rules, adopted by people of its own who are added for it; whatever works
/// under the earlier ones has to begin anew.
pub async fn under(site: &Site, institution: InstitutionId, pack: &Pack) -> Arc<App> {
    for (login, role) in &PEOPLE[..3] {
        site.staff(login, None, institution, &[role]).await;
    }
    adopt(&site.app, pack).await.0
}

async fn rules_follow_an_approved_procedure(on: On) {
    let site = site_on(on).await;
    let before = Arc::clone(&site.app);
    let other = site.second(Arc::clone(&site.store)).await;
    let (visitors, idle) = (with_visitors(), with_other_idle_time());

    // Who approves sees what changes.
    let case = reviewed(&before, &visitors).await;
    let shown = view(&before, "head", case).await.proposal.unwrap();
    assert!(!shown.outdated && shown.pack.hash() == visitors.hash());
    let added: Vec<&str> = shown.diff.changes.iter().map(|change| change.code.as_str()).collect();
    assert_eq!(added, ["greeter", "visitors", "visit"]);
    assert!(shown.diff.changes.iter().all(|change| change.what == ChangeKind::Added));
    assert!(before.pack().register("visitors").is_none());
    act(&before, "head", case, Act::Pass).await.unwrap();
    assert_eq!(view(&before.in_force().await.unwrap(), "head", case).await.by_hand.len(), 0);

    // Both programs follow, without a restart.
    let app = before.in_force().await.unwrap();
    let second = other.in_force().await.unwrap();
    for app in [&app, &second] {
        assert_eq!(app.pack().hash(), visitors.hash());
        app.ready().await.unwrap();
    }
    let operator = second.operator("tester");
    let versions = second.pack_history(&operator).await.unwrap();
    let told: Vec<_> = versions.iter().map(|v| (v.version, v.case, v.in_force, v.by.as_str())).collect();
    assert_eq!(told, [(2, Some(case), true, "head さん"), (1, None, false, "")]);
    assert_eq!(versions[0].hash, visitors.hash_text());

    // What it brings is used: by new appointments, cases and entries.
    let ops = enter(&second, "ops").await;
    let who = Typed::from([("who".to_owned(), vec!["山田".to_owned()])]);
    let entry = second.add_entry(&ops, "visitors", &who).await.unwrap();
    let institution = ops.institution().unwrap();
    site_staff(&app, "greta", institution, &["greeter"]).await;
    let open = second.begin_case(&ops, "visit", &who, false).await.unwrap();
    assert_eq!(view(&app, "greta", open).await.steps[0].people.len(), 1);
    let left = second.begin_case(&ops, "visit", &who, false).await.unwrap();
    let (draft, drafted) = second.save_draft(&ops, "visit", None, &who).await.unwrap();

    // The next version has none of it: what was begun is read and finished as it was begun.
    let (app, _) = adopt(&app, &idle).await;
    let ops = enter(&app, "ops").await;
    assert_eq!(app.begin_case(&ops, "visit", &who, false).await.unwrap_err().kind(), ErrorKind::NotFound);
    let greta = enter(&app, "greta").await;
    assert!(greta.roles().is_empty(), "a role that is no more gives nothing");
    let roles = app.roles(&enter(&app, "sec").await).await.unwrap();
    let lost = roles.iter().find(|role| role.vanished).unwrap();
    assert_eq!((lost.role.code.as_str(), lost.appointments.len(), lost.filled()), ("greeter", 1, false));
    let found = app.case(&ops, open).await.unwrap();
    assert_eq!((found.procedure.code.as_str(), &found.pack), ("visit", &visitors.hash_text()));
    assert_eq!(found.rules.hash(), visitors.hash());
    let refused = app.act_on_case(&greta, open, found.version, &Act::Pass, &Typed::new()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    // Nobody can act there any more: who appoints people sees it, and ends it with a reason.
    site_staff(&app, "boss", institution, &["system-manager"]).await;
    let admin = enter(&app, "boss").await;
    let stuck: Vec<ObjectId> = app.inbox(&admin).await.unwrap().stuck.into_iter().map(|row| row.id).collect();
    assert_eq!(stuck.len(), 2);
    assert!(stuck.contains(&left) && stuck.contains(&open));
    let end = |reason: &str| Act::End { reason: reason.to_owned() };
    for (login, kind) in [("ops", ErrorKind::Forbidden), ("greta", ErrorKind::Forbidden)] {
        let refused = act(&app, login, left, end("だれもいない")).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{login}");
    }
    assert!(view(&app, "boss", left).await.may.end);
    assert_eq!(act(&app, "boss", left, end(" ")).await.unwrap_err().kind(), ErrorKind::Invalid);
    act(&app, "boss", left, end("受付の役割がなくなった")).await.unwrap();
    let ended = view(&app, "ops", left).await;
    assert_eq!(ended.stage, CaseStage::Withdrawn);
    assert_eq!(ended.history.last().unwrap().mark, Mark::Ended);
    // A draft of it can be read and thrown away, and nothing else.
    let shown = app.case(&ops, draft).await.unwrap();
    assert!(shown.gone && shown.may.edit);
    assert_eq!(
        app.submit_case(&ops, draft, drafted, &who, false).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(app.inbox(&ops).await.unwrap().drafts.len(), 1);
    app.discard_draft(&ops, draft, drafted).await.unwrap();
    assert_eq!(app.inbox(&ops).await.unwrap().drafts.len(), 0);
    // The register's page shows what was kept, to be read only.
    let table = app.register_entries(&ops, "visitors", &RegisterQuery::default()).await.unwrap();
    assert!(table.gone && !table.rights.adds && !table.rights.keeps);
    assert_eq!(table.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [entry]);
    let sorted =
        RegisterQuery { sort: Some("who".to_owned()), text: "山田".to_owned(), ..Default::default() };
    assert_eq!(app.register_entries(&ops, "visitors", &sorted).await.unwrap().total, 1);
    let unknown = app.register_entries(&ops, "never-was", &RegisterQuery::default()).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    // The operations manager appointed greeters, but applied here: only another one decides.
    site_staff(&app, "ops2", institution, &["operations-manager"]).await;
    assert_eq!(app.inbox(&admin).await.unwrap().stuck.len(), 0);
    assert_eq!(act(&app, "boss", open, end("終える")).await.unwrap_err().kind(), ErrorKind::Forbidden);
    act(&app, "ops2", open, Act::Pass).await.unwrap();
    act(&app, "head", open, Act::Pass).await.unwrap();
    assert_eq!(view(&app, "ops", open).await.stage, CaseStage::Finished);
    let kept = app.entry(&ops, "visitors", entry).await.unwrap();
    assert!(kept.register.code == "visitors" && kept.rights.reads && !kept.rights.keeps);
    assert!(!kept.versions[0].shown["who"].is_empty());
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    site.store.close().await;
}

async fn site_staff(app: &App, login: &str, institution: InstitutionId, roles: &[&str]) {
    let staff = mimamori_app::NewStaff {
        login: login.to_owned(),
        name: format!("{login} さん"),
        kana: None,
        occupation: None,
        institution: Some(institution),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        password: PASSWORD.to_owned(),
    };
    app.add_staff(&app.operator("tester"), &staff).await.unwrap();
}

#[tokio::test]
async fn rules_follow_an_approved_procedure_on_sqlite() {
    rules_follow_an_approved_procedure(On::Sqlite).await;
}

#[tokio::test]
async fn rules_follow_an_approved_procedure_on_postgres() {
    rules_follow_an_approved_procedure(On::Postgres).await;
}

/// What was decided under the rules before, by a program that knows nothing yet, leaves no more.
#[tokio::test]
async fn what_was_decided_before_is_decided_anew() {
    let town = Town::new(On::Sqlite).await;
    let (site, ids) = (&town.site, town.ids);
    people(site, ids.clinic).await;
    let hooked = Hooked::new(Arc::clone(&site.store));
    let app = site.second(Arc::clone(&hooked) as Arc<dyn Store>).await;
    let (observation, hana) = (Kind::of("Observation"), town.caller("hana").await);
    app.read(&hana, &observation, ids.observation).await.unwrap();

    let case = reviewed(&site.app, &with_visitors()).await;
    let size = site.store.head().await.unwrap().unwrap().size;
    let other = Arc::clone(&site.app);
    let approve = move || -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move { act(&other, "head", case, Act::Pass).await.unwrap() })
    };
    hooked.before(Action::Read, Box::new(approve));
    let error = app.read(&hana, &observation, ids.observation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(hooked.happened());
    let left = entries(&*site.store, size)
        .await
        .into_iter()
        .filter(|entry| entry.draft.subject == Some(ids.subject) && entry.draft.outcome == Outcome::Success);
    assert_eq!(left.count(), 0, "nothing left");
    // A caller of before is not carried over, nor is the application of before used on.
    for app in [&app, &app.in_force().await.unwrap()] {
        assert_eq!(app.read(&hana, &observation, ids.observation).await.unwrap_err().kind(), ErrorKind::Busy);
    }
    let app = app.in_force().await.unwrap();
    let hana = enter(&app, "hana").await;
    app.read(&hana, &observation, ids.observation).await.unwrap();

    // Writing, too: what was about to be added under the rules before is not kept.
    let case = reviewed(&app, &with_other_idle_time()).await;
    let other = site.app.in_force().await.unwrap();
    let approve = move || -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move { act(&other, "head", case, Act::Pass).await.unwrap() })
    };
    hooked.before(Action::Create, Box::new(approve));
    let size = site.store.head().await.unwrap().unwrap().size;
    let error = app.create(&hana, note(ids.subject, "?").into(), CreateAs::Confirmed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(hooked.happened());
    let kept = entries(&*site.store, size).await;
    assert!(kept.iter().all(|entry| entry.draft.subject != Some(ids.subject)));
    let app = app.in_force().await.unwrap();
    let hana = enter(&app, "hana").await;
    app.create(&hana, note(ids.subject, "!").into(), CreateAs::Confirmed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_approvers_and_a_double_click_adopt_once() {
    let site = site_on(On::Sqlite).await;
    let app = &site.app;
    let case = reviewed(app, &with_visitors()).await;
    let (head, vice) = (enter(app, "head").await, enter(app, "vice").await);
    let seen = app.case(&head, case).await.unwrap().version;
    let (none, pass) = (Typed::new(), Act::Pass);
    let (one, two, three) = tokio::join!(
        app.act_on_case(&head, case, seen, &pass, &none),
        app.act_on_case(&vice, case, seen, &pass, &none),
        app.act_on_case(&head, case, seen, &pass, &none),
    );
    let done = [&one, &two, &three].iter().filter(|done| done.is_ok()).count();
    assert_eq!(done, 1, "{one:?} {two:?} {three:?}");
    let app = app.in_force().await.unwrap();
    assert_eq!(app.pack_history(&app.operator("tester")).await.unwrap().len(), 2);
    let again = act(&app, "vice", case, Act::Pass).await.unwrap_err();
    assert!(matches!(again.kind(), ErrorKind::Forbidden | ErrorKind::Conflict), "{again}");
    assert_eq!(app.pack_history(&app.operator("tester")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_refused_or_wrong_changes_nothing() {
    let site = site_on(On::Sqlite).await;
    let app = &site.app;
    let base = app.pack().hash();

    // Broken: every problem with its file and line.
    let broken = changed(|files| {
        files.insert("registers/visitors.yaml".into(), REGISTER.replace("[who]", "[nobody]").into());
        files.insert("procedures/visitors.yaml".into(), PROCEDURE.into());
    });
    let error = propose(app, &zipped(&broken)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let rules: Vec<&str> = error.faults().iter().map(|fault| fault.rule.as_str()).collect();
    assert!(error.faults().iter().all(|fault| fault.place == "pack"), "{rules:?}");
    assert!(rules.iter().any(|rule| rule.contains("registers/visitors.yaml:6: ")), "{rules:?}");
    assert!(rules.iter().any(|rule| rule.contains("procedures/visitors.yaml:10: ")), "{rules:?}");
    // Many problems: the first of them, and how many more there are.
    let many = changed(|files| {
        let rows: String = (0..70).map(|n| format!("  - {{code: r{n}, ja: a, en: b, wrong: c}}\n")).collect();
        files.insert("registers/many.yaml".into(), format!("registers:\n{rows}").into_bytes());
    });
    let found = Pack::from_files(many.clone()).unwrap_err().len();
    let error = propose(app, &zipped(&many)).await.unwrap_err();
    assert_eq!(error.faults().len(), 51);
    let last = &error.faults().last().unwrap().rule;
    assert_eq!(*last, format!("the policy pack has {} more problems", found - 50));
    let error = propose(app, b"no archive at all").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // What only the site can say is not said.
    let unset = pack_archive(&Pack::embedded("kasama").unwrap()).unwrap();
    let error = propose(app, &unset).await.unwrap_err();
    assert!(
        error.faults().iter().any(|f| f.rule.contains("retention.records-years")),
        "{:?}",
        error.faults()
    );
    // The rules in force.
    let error = propose(app, &pack_archive(app.pack()).unwrap()).await.unwrap_err();
    assert!(error.faults()[0].rule.contains("in force already"), "{:?}", error.faults());
    assert_eq!(
        app.inbox(&enter(app, "privacy").await).await.unwrap().waiting.len(),
        0,
        "none of it is a case"
    );

    // Refused by who approves, and outdated by another adoption.
    let refused = reviewed(app, &with_visitors()).await;
    act(app, "head", refused, Act::Refuse { reason: "不要".to_owned() }).await.unwrap();
    let late = reviewed(app, &with_visitors()).await;
    assert_eq!(app.in_force().await.unwrap().pack().hash(), base);
    let idle = with_other_idle_time();
    let (app, _) = adopt(app, &idle).await;
    assert!(view(&app, "head", late).await.proposal.unwrap().outdated);
    let error = act(&app, "head", late, Act::Pass).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let app = app.in_force().await.unwrap();
    assert_eq!(app.pack().hash(), idle.hash());
    // Handed in again, its changes are seen anew, and it can be adopted.
    act(&app, "head", late, Act::Return { reason: "確かめ直す".to_owned() }).await.unwrap();
    let sec = enter(&app, "sec").await;
    let returned = app.case(&sec, late).await.unwrap();
    app.resubmit_case(&sec, late, returned.version, &returned.typed).await.unwrap();
    assert!(!view(&app, "head", late).await.proposal.unwrap().outdated);
    act(&app, "privacy", late, Act::Pass).await.unwrap();
    act(&app, "head", late, Act::Pass).await.unwrap();
    assert_eq!(app.in_force().await.unwrap().pack().hash(), with_visitors().hash());
}

/// A mail server that takes everything; before the first message something happens.
struct Post<'a> {
    first: tokio::sync::Mutex<Option<futures::future::BoxFuture<'a, ()>>>,
}

impl Mailer for Post<'_> {
    async fn send(&self, _: &str, _: &str, _: &str) -> std::result::Result<(), MailFailure> {
        if let Some(happening) = self.first.lock().await.take() {
            happening.await;
        }
        Ok(())
    }
}

/// What runs beside the requests holds the application that the program started with.
#[tokio::test]
async fn jobs_go_on_under_the_new_rules() {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let site = site_on(On::Sqlite).await;
    let started = site.second(Arc::clone(&site.store)).await;
    let (visitors, idle) = (with_visitors(), with_other_idle_time());
    let (app, _) = adopt(&site.app, &visitors).await;
    // The rules' last step waits for them: the staff are to be told.
    let ops = enter(&app, "ops").await;
    app.set_own_mail(&ops, "ops@example.jp").await.unwrap();

    let size = site.store.head().await.unwrap().unwrap().size;
    started.refused_before_sign_in(&Origin::default(), "sign-in-failed");
    started.write_refusals().await.unwrap();
    started.note_job("checkpoint", JobEnd::Done).await.unwrap();
    let report = started.verify_when_due(DAY).await.unwrap().unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    let post = Post { first: tokio::sync::Mutex::new(None) };
    let sent = MailRound { sent: 1, ..MailRound::default() };
    assert_eq!(started.remind_by_mail(&post, "https://mimamori.example").await.unwrap(), sent);
    let left = entries(&*site.store, size).await;
    assert!(left.len() >= 6 && left.iter().all(|entry| entry.draft.pack == visitors.hash()), "{left:?}");

    // An adoption while a message is on its way: that it has left is kept, under the rules by then.
    site.clock.advance(DAY);
    let case = reviewed(&app, &idle).await;
    let post = Post {
        first: tokio::sync::Mutex::new(Some(Box::pin(async {
            act(&app, "head", case, Act::Pass).await.unwrap();
        }))),
    };
    assert_eq!(started.remind_by_mail(&post, "https://mimamori.example").await.unwrap(), sent);
    assert!(post.first.lock().await.is_none(), "the adoption happened");
    let app = app.in_force().await.unwrap();
    assert_eq!(app.pack().hash(), idle.hash());
    let told = app.reminders(&enter(&app, "ops").await).await.unwrap();
    assert!(told.last_mail.is_some_and(|(at, sent)| sent && at == site.clock.now()));
}

/// The same rules are read and built once, however many ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rules_are_loaded_once() {
    let site = site_on(On::Sqlite).await;
    let other = site.second(Arc::clone(&site.store)).await;
    adopt(&site.app, &with_visitors()).await;
    let asked = futures::future::join_all((0..20).map(|_| {
        let other = Arc::clone(&other);
        tokio::spawn(async move { other.in_force().await.unwrap() })
    }));
    let all: Vec<Arc<App>> = asked.await.into_iter().map(|app| app.unwrap()).collect();
    assert_eq!(all[0].pack().hash(), with_visitors().hash());
    assert!(all.iter().all(|app| std::ptr::eq(app.pack(), all[0].pack()) && app.same_rules(&all[0])));
    assert!(all[0].later_rules(&other) && !other.later_rules(&all[0]) && !all[0].later_rules(&all[1]));
}

/// The application of before answers nothing once the rules in force cannot be loaded.
#[tokio::test]
async fn a_program_that_cannot_load_the_rules_answers_nothing() {
    let site = site_on(On::Sqlite).await;
    let other = site.second(Arc::clone(&site.store)).await;
    other.ready().await.unwrap();
    adopt(&site.app, &with_visitors()).await;
    site.database.drop_triggers().await;
    site.database
        .run("UPDATE object_version SET body = x'00' WHERE kind = 'pack' AND version = 2")
        .await
        .unwrap();
    assert_eq!(other.in_force().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(other.ready().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let signed = other.sign_in("sec", PASSWORD, &Origin::default()).await;
    assert!(signed.is_err(), "nothing commits under the rules of before");
}
