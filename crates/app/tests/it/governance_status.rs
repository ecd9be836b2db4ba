//! What the running system tells about itself: every check kept and failing, and how clauses stand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{
    Act, App, ErrorKind, Finding, Origin, RegisterQuery, ReviewQuery, State, Transport, Window,
};
use mimamori_domain::{Clock as _, Error};
use mimamori_policy::Pack;
use mimamori_policy::model::CHECKS;

use crate::cluster::Cluster;
use crate::hooked::Hooked;
use crate::office::{
    DAY, MONDAY, NOBODY, Office, PACK, clause_of, document, files, finds, load, with_parameters,
};
use crate::procedures::form;
use crate::support::{Database, On, START, parts};
use crate::town::Town;

use Finding::{Kept, NotKept, Unknown};

#[test]
fn the_packs_measure_with_every_check_there_is() {
    let pack = load(files());
    let used: BTreeSet<&str> = pack.measures().iter().map(|measure| measure.check.as_str()).collect();
    assert_eq!(used, CHECKS.iter().copied().collect());
}

async fn the_ledgers_checks_are_kept_and_fail(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let database = &office.site.database;
    assert_eq!(office.finds("ledger-checkpoint").await, NotKept, "none was signed yet");
    office.app().checkpoint().await.unwrap();
    for check in ["ledger-checkpoint", "ledger-complete", "ledger-retention"] {
        assert_eq!(office.finds(check).await, Kept, "{check}");
    }
    office.site.clock.advance(Duration::from_secs(181));
    assert_eq!(office.finds("ledger-checkpoint").await, NotKept);

    database.drop_triggers().await;
    database.run("DELETE FROM ledger_entry WHERE sequence = 0").await.unwrap();
    assert_eq!(office.finds("ledger-retention").await, NotKept);
    let size = office.site.store.head().await.unwrap().unwrap().size;
    database.run(&format!("DELETE FROM ledger_entry WHERE sequence = {}", size - 1)).await.unwrap();
    assert_eq!(office.finds("ledger-complete").await, NotKept);
    office.site.store.close().await;
}

#[tokio::test]
async fn the_ledgers_checks_are_kept_and_fail_on_sqlite() {
    the_ledgers_checks_are_kept_and_fail(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledgers_checks_are_kept_and_fail_on_postgres() {
    the_ledgers_checks_are_kept_and_fail(On::Postgres).await;
}

/// The database itself is asked: a server that does not wait for its disk is found out, also when the
/// setting is changed while the program runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_forgets_is_found_out() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    let operator = office.site.operator();
    assert_eq!(office.finds("database-durable").await, Kept);
    let hooked = Hooked::new(Arc::clone(&office.site.store));
    let mut parts = parts(&office.site.folder, Arc::clone(&hooked) as _, Arc::clone(&office.site.clock));
    parts.pack = load(files());
    let app = mimamori_app::App::open(parts).await.unwrap();
    assert_eq!(finds(&app, &operator, "database-durable").await, Kept);
    hooked.forget();
    assert_eq!(finds(&app, &operator, "database-durable").await, NotKept);
    let (state, words) = clause_of(&app, &operator, "4-4").await;
    assert!(state == State::NotKept && words[0].contains("synchronous=0"), "{words:?}");
    office.clean().await;

    // The shared test server runs without fsync.
    let office = Office::new(On::Postgres, &["ops"]).await;
    assert_eq!(office.finds("database-durable").await, NotKept);
    let (_, words) = office.clause("4-4").await;
    assert!(words[0].contains("fsync=off"), "{words:?}");
    office.clean().await;

    let cluster = Cluster::start("-c max_connections=20");
    let database = Database::Postgres(cluster.url(&cluster.create().await));
    let folder = tempfile::TempDir::new().unwrap();
    let site = crate::procedures::site_in(folder, database, load(files())).await;
    let (app, operator) = (Arc::clone(&site.app), site.operator());
    assert_eq!(finds(&app, &operator, "database-durable").await, Kept);
    site.database.run("ALTER SYSTEM SET full_page_writes = off").await.unwrap();
    site.database.run("SELECT pg_reload_conf()").await.unwrap();
    let noticed = async {
        while finds(&app, &operator, "database-durable").await == Kept {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.unwrap();
    site.store.close().await;
}

/// What the rules leave to the site and the site has not said yet is shown, with where to say it.
#[tokio::test]
async fn clauses_that_wait_for_a_value_are_shown() {
    for key in [
        "accounts.unused-days",
        "accounts.most-administrators",
        "break-glass.review-days",
        "retention.ledger-years",
        "sign-in.lock-after-failures",
        "sign-in.lock-minutes",
        "password.least-characters",
        "password.least-characters-with-second-factor",
        "retention.records-years",
        "session.absolute-hours",
        "session.idle-minutes",
    ] {
        let mut waiting = files();
        let pack = String::from_utf8(waiting["pack.yaml"].clone()).unwrap();
        let head = pack.split("parameters:").next().unwrap();
        let open = format!("{head}parameters: [{NOBODY}, {{key: {key}, must-set: true}}]\n");
        waiting.insert("pack.yaml".to_owned(), open.into_bytes());
        // Every check is asked, and the parameter answers a clause itself.
        let measures: String = CHECKS
            .iter()
            .map(|check| format!("  - {{code: all-{check}, check: {check}, ja: \"測定\", en: \"check\", clauses: [office.9-9]}}\n"))
            .collect();
        let controls = String::from_utf8(waiting["controls/office.yaml"].clone()).unwrap();
        let controls = controls.replacen("measures:\n", &format!("measures:\n{measures}"), 1);
        waiting.insert("controls/office.yaml".to_owned(), controls.into_bytes());
        let pack = load(waiting);
        assert_eq!(pack.unset_parameters().map(|one| one.key.as_str()).collect::<Vec<_>>(), [key]);
        let site = crate::procedures::site_under(On::Sqlite, pack).await;
        let (_, words) = clause_of(&site.app, &site.operator(), "9-9").await;
        let told: Vec<_> = words.iter().filter(|words| words.contains("cannot be computed")).collect();
        assert_eq!(told.len(), 1, "{key}: {words:?}");
        assert!(told[0].contains(&format!("parameter {key} is not set")) && told[0].contains("site.yaml"));
        site.store.close().await;
    }
}

async fn what_is_stored_is_checked(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let database = &office.site.database;
    assert_eq!(office.finds("encryption-at-rest").await, Kept);
    let entry = office.enter("watch").await;
    for seen in [1, 2] {
        let ops = office.call("ops").await;
        let typed = form(&[("what", "一つ直した")]);
        office.app().amend_entry(&ops, "watch", entry, seen, &typed, "書き間違い").await.unwrap();
    }
    assert_eq!(office.finds("record-versions").await, Kept);
    database.drop_triggers().await;
    let id = database.blob(entry.as_bytes());
    database.run(&format!("DELETE FROM object_version WHERE object = {id} AND version = 2")).await.unwrap();
    assert_eq!(office.finds("record-versions").await, NotKept);
    assert_eq!(office.finds("encryption-at-rest").await, Kept);

    let other = office.enter("watch").await;
    let (id, plain) = (database.blob(other.as_bytes()), database.blob(br#"{"v":1,"what":"plain"}"#));
    database.run(&format!("UPDATE object_version SET body = {plain} WHERE object = {id}")).await.unwrap();
    assert_eq!(office.finds("encryption-at-rest").await, NotKept);

    // A session that goes on and on.
    assert_eq!(office.finds("session-limits").await, Kept);
    database.run("UPDATE session SET created = 0").await.unwrap();
    assert_eq!(office.finds("session-limits").await, NotKept);
    office.site.store.close().await;
}

/// Versions stay in memory (decision 0021): what another program writes is told at once, and what is changed
/// behind everybody's back is not told by anybody.
async fn a_list_tells_what_was_committed_to(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let (ops, other) = (office.call("ops").await, office.second().await);
    let entry = office.enter("watch").await;
    let told = async |app: &App| {
        let page = app.register_entries(&ops, "watch", &RegisterQuery::default()).await?;
        Ok::<_, Error>(page.rows.iter().map(|row| row.values["what"].to_string()).collect::<String>())
    };
    assert!(told(office.app()).await.unwrap().contains("異常なし"));
    let typed = form(&[("what", "窓が開いていた")]);
    other.amend_entry(&ops, "watch", entry, 1, &typed, "書き間違い").await.unwrap();
    let amended = told(office.app()).await.unwrap();
    assert!(amended.contains("窓が開いていた") && !amended.contains("異常なし"));

    let database = &office.site.database;
    database.drop_triggers().await;
    let (id, plain) = (database.blob(entry.as_bytes()), database.blob(br#"{"v":1,"what":"plain"}"#));
    database.run(&format!("UPDATE object_version SET body = {plain} WHERE object = {id}")).await.unwrap();
    assert_eq!(told(office.app()).await.unwrap(), amended, "read before, so still what was committed to");
    let later = office.second().await;
    assert_eq!(told(&later).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(office.finds("record-versions").await, NotKept);
    office.site.store.close().await;
}

#[tokio::test]
async fn a_list_tells_what_was_committed_to_on_sqlite() {
    a_list_tells_what_was_committed_to(On::Sqlite).await;
}

#[tokio::test]
async fn a_list_tells_what_was_committed_to_on_postgres() {
    a_list_tells_what_was_committed_to(On::Postgres).await;
}

#[tokio::test]
async fn what_is_stored_is_checked_on_sqlite() {
    what_is_stored_is_checked(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_checked_on_postgres() {
    what_is_stored_is_checked(On::Postgres).await;
}

#[tokio::test]
async fn what_is_set_is_checked() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    let operator = office.site.operator();
    // check, then a setting with which it fails
    let number = |key: &str, value: u32| format!("{{key: {key}, value: {value}}}");
    for (check, wrong) in [
        ("lock-out", number("sign-in.lock-after-failures", 20)),
        ("password-rules", number("password.least-characters", 8)),
    ] {
        assert_eq!(office.finds(check).await, Kept, "{check}");
        let lax = crate::procedures::site_under(On::Sqlite, with_parameters(&wrong)).await;
        assert_eq!(finds(&lax.app, &lax.operator(), check).await, NotKept, "{check}");
        lax.store.close().await;
    }

    assert_eq!(office.finds("second-factors").await, NotKept);
    let asked = with_parameters("{key: second-factor.required-of, value: privileged}");
    let asking = crate::procedures::site_under(On::Sqlite, asked).await;
    assert_eq!(finds(&asking.app, &asking.operator(), "second-factors").await, Kept);
    asking.store.close().await;

    assert_eq!(office.finds("transport-encryption").await, Unknown);
    for (transport, found) in [(Transport::Plain, NotKept), (Transport::Encrypted, Kept)] {
        let app = office.second().await;
        app.set_transport(transport);
        assert_eq!(finds(&app, &operator, "transport-encryption").await, found);
    }

    assert_eq!(office.finds("sign-in-notice").await, NotKept);
    office.publish("sign-in-notice", 0, "2026-11-23").await.unwrap();
    assert_eq!(office.finds("sign-in-notice").await, NotKept, "it is not in force yet");
    office.until(MONDAY);
    assert_eq!(office.finds("sign-in-notice").await, Kept);

    // A rule that opens everything to everybody.
    assert_eq!(office.finds("access-decisions").await, Kept);
    let base = Pack::embedded_base().unwrap();
    let of_base = |name: &str| base.files()[name].clone();
    let mut open = files();
    let mut rules = of_base("access.cedar");
    rules.extend_from_slice(
        "\n@id(\"open\")\n@basis(\"commission\")\n@ja(\"誰でも。\")\n@en(\"Anybody.\")\n\
         permit (principal is Staff, action, resource is Record);\n"
            .as_bytes(),
    );
    open.insert("access.cedar".to_owned(), rules);
    open.insert("access.cedarschema".to_owned(), of_base("access.cedarschema"));
    let app = office.under(&load(open)).await;
    assert_eq!(finds(&app, &app.operator("tester"), "access-decisions").await, NotKept);
    office.clean().await;
}

async fn staff_named(app: &App, office: &Office, login: &str, name: &str) {
    let staff = mimamori_app::NewStaff {
        login: login.to_owned(),
        name: name.to_owned(),
        kana: None,
        occupation: None,
        institution: Some(office.institution),
        roles: Vec::new(),
        password: crate::support::PASSWORD.to_owned(),
    };
    app.add_staff(&office.site.operator(), &staff).await.unwrap();
}

#[tokio::test]
async fn who_has_which_account_and_role_is_checked() {
    let office = Office::new(On::Sqlite, &["ops", "one", "two"]).await;
    let (app, operator) = (office.app(), office.site.operator());
    staff_named(app, &office, "sato-a", "佐藤").await;
    assert_eq!(office.finds("individual-accounts").await, Kept);
    staff_named(app, &office, "sato-b", "佐藤").await;
    assert_eq!(office.finds("individual-accounts").await, NotKept);
    app.stop_account(&operator, "sato-b", "重複").await.unwrap();
    assert_eq!(office.finds("individual-accounts").await, Kept);
    staff_named(app, &office, "nobody", " ").await;
    assert_eq!(office.finds("individual-accounts").await, NotKept);

    for login in ["one", "two"] {
        app.appoint(&operator, &office.appointment(login, "system-manager")).await.unwrap();
    }
    app.appoint(&operator, &office.appointment("two", "help-desk")).await.unwrap();
    assert_eq!(office.finds("administrators-limit").await, Kept);
    assert_eq!(office.finds("appointments-separate").await, Kept);
    assert_eq!(office.finds("accounts-unused").await, Kept);
    let mut apart = files();
    let rows = "{key: accounts.most-administrators, value: 1}";
    apart.insert("pack.yaml".to_owned(), format!("{PACK}parameters: [{NOBODY}, {rows}]\n").into_bytes());
    let roles = apart.get_mut("roles.yaml").unwrap();
    roles.extend_from_slice(
        "  - {code: help-desk, ja: \"窓口\", en: \"help desk\", scope: installation, \
         appointed-by: [operations-manager], not-with: [system-manager]}\n"
            .as_bytes(),
    );
    let stricter = office.under(&load(apart)).await;
    let operator = stricter.operator("tester");
    assert_eq!(finds(&stricter, &operator, "administrators-limit").await, NotKept);
    assert_eq!(finds(&stricter, &operator, "appointments-separate").await, NotKept);

    office.site.clock.advance(DAY * 91);
    assert_eq!(finds(&stricter, &operator, "accounts-unused").await, NotKept);
    office.clean().await;
}

async fn an_emergency_is_to_be_reviewed_by_somebody_else(on: On) {
    let town = Town::new(on).await;
    let (site, ids) = (&town.site, town.ids);
    let (app, operator) = (&site.app, site.operator());
    let check = async || finds(app, &operator, "break-glass-reviewed").await;
    assert_eq!(check().await, Kept);
    app.break_glass(&town.caller("jiro").await, ids.other, "意識がない").await.unwrap();
    assert_eq!(check().await, Kept, "there is still time");
    site.clock.advance(DAY * 3);
    assert_eq!(check().await, NotKept);
    let window = Window { from: START, until: site.clock.now().plus(DAY) };
    let query = ReviewQuery { subject: Some(ids.other), actor: None, institution: None, window };
    app.review(&town.caller("kansa").await, &query, &mimamori_app::Paging::default()).await.unwrap();
    assert_eq!(check().await, Kept);
    site.store.close().await;
}

#[tokio::test]
async fn an_emergency_is_to_be_reviewed_by_somebody_else_on_sqlite() {
    an_emergency_is_to_be_reviewed_by_somebody_else(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_is_to_be_reviewed_by_somebody_else_on_postgres() {
    an_emergency_is_to_be_reviewed_by_somebody_else(On::Postgres).await;
}

async fn clauses_stand_as_their_answers_do(on: On) {
    let office = Office::new(on, &["ops", "audit"]).await;
    let app = office.app();
    let state = async |id: &str| office.clause(id).await.0;
    for (id, at_first) in [
        ("1-1", State::NeverDone),
        ("1-2", State::NeverDone),
        ("1-3", State::Due),
        ("2-1", State::Due),
        ("3-1", State::NeverDone),
        ("4-1", State::NotKept),
        ("4-2", State::NeverDone),
        ("4-3", State::NeverDone),
        // The shared test server does not wait for its disk.
        ("4-4", if on == On::Sqlite { State::Kept } else { State::NotKept }),
        ("5-1", State::Informative),
        ("6-1", State::Kept),
        ("7-1", State::Kept),
        ("9-9", State::NotAnswered),
    ] {
        assert_eq!(state(id).await, at_first, "{id}");
    }

    // A role is kept as long as somebody holds it.
    let clerk = mimamori_app::NewAppointment {
        unit: Some("planning".to_owned()),
        until: Some(MONDAY),
        ..office.appointment("plain", "unit-clerk")
    };
    app.appoint(&office.site.operator(), &clerk).await.unwrap();
    assert_eq!(state("1-1").await, State::Kept);

    // A register, a document, the disclosure that stands in it, a statement.
    office.enter("notes").await;
    assert_eq!(office.clause("1-2").await, (State::Kept, vec!["1 entries".to_owned()]));
    office.publish("house-rules", 0, "2026-11-24").await.unwrap();
    let coming = (State::NeverDone, vec!["comes into force on 2026-11-24".to_owned()]);
    assert_eq!(office.clause("3-1").await, coming);
    office.publish("house-rules", 1, "2026-11-21").await.unwrap();
    assert_eq!(state("3-1").await, State::Kept);
    assert_eq!(state("4-3").await, State::Kept);
    office.publish("sign-in-notice", 0, "2026-11-21").await.unwrap();
    assert_eq!(state("4-1").await, State::Kept);
    office.state_that(false).await;
    assert_eq!(state("4-2").await, State::NotKept);
    office.site.clock.advance(Duration::from_secs(1));
    office.state_that(true).await;
    let until = office.now().plus(DAY * 30);
    assert_eq!(state("4-2").await, State::Attested(until));

    // An open case that is late.
    let plain = office.call("plain").await;
    let case = app.begin_case(&plain, "leave", &form(&[("what", "端末")]), false).await.unwrap();
    assert_eq!(state("6-1").await, State::Kept);
    office.until(MONDAY.plus(DAY));
    assert_eq!(office.clause("6-1").await, (State::Overdue, vec!["1 cases are overdue".to_owned()]));
    assert_eq!(state("1-1").await, State::NeverDone, "the appointment ended");
    assert_eq!(office.clause("1-3").await, (State::Due, vec!["due by 2026-11-25".to_owned()]));
    let ops = office.call("ops").await;
    app.review_register(&ops, "shelf", true, "").await.unwrap();
    assert_eq!(office.clause("1-3").await, (State::Kept, vec!["done on 2026-11-24".to_owned()]));
    let seen = app.case(&ops, case).await.unwrap().version;
    app.act_on_case(&ops, case, seen, &Act::Pass, &form(&[])).await.unwrap();
    assert_eq!(state("6-1").await, State::Kept);

    // Duties: overdue until skipped with a reason; what ends.
    office.until(MONDAY.plus(DAY * 3));
    let late = (State::Overdue, vec!["was due on 2026-11-25".to_owned()]);
    assert_eq!(office.clause("2-3").await, late);
    app.skip_duty(&office.call("ops").await, "by-shelf", MONDAY, "棚卸し中").await.unwrap();
    assert_eq!(state("2-3").await, State::Kept);
    office.until(until);
    assert_eq!(state("4-2").await, State::Overdue);
    assert_eq!(state("3-1").await, State::Overdue, "its monthly review");
    assert_eq!(state("4-3").await, State::Overdue);

    // Who may ask.
    let audit = office.call("audit").await;
    clause_of(app, &audit, "3-1").await;
    let plain = office.call("plain").await;
    assert_eq!(app.clause_states(&plain).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(app.measures(&plain).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(app.attestations(&plain).await.unwrap_err().kind(), ErrorKind::Forbidden);
    office.clean().await;
}

#[tokio::test]
async fn clauses_stand_as_their_answers_do_on_sqlite() {
    clauses_stand_as_their_answers_do(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clauses_stand_as_their_answers_do_on_postgres() {
    clauses_stand_as_their_answers_do(On::Postgres).await;
}

#[tokio::test]
async fn records_that_are_gone_before_their_time_are_told() {
    let site = crate::procedures::site_under(On::Sqlite, load(files())).await;
    let town = Town::at(site).await;
    let (app, operator) = (&town.site.app, town.site.operator());
    assert_eq!(finds(app, &operator, "records-retention").await, Kept);
    let root = mimamori_vault::RootKeyFile::open(&town.site.folder.path().join("root.key")).unwrap();
    let disposal = mimamori_app::Disposal {
        subject: town.ids.other,
        class: "vital-signs".parse().unwrap(),
        month: "2026-11".to_owned(),
        reason: "取り違え".to_owned(),
    };
    app.shred(&operator, &root, &disposal, true).await.unwrap();
    assert_eq!(finds(app, &operator, "records-retention").await, NotKept);
    town.site.store.close().await;
}

/// A clause with a good and a bad answer is as bad as the bad one.
#[tokio::test]
async fn the_worst_answer_counts() {
    let mut files = files();
    let controls = files.get_mut("controls/office.yaml").unwrap();
    let text = String::from_utf8(controls.clone()).unwrap();
    *controls = text.replace("clauses: [office.4-4]", "clauses: [office.4-4, office.3-1]").into_bytes();
    let office = Office::new(On::Sqlite, &["ops"]).await;
    let app = office.under(&load(files)).await;
    let operator = app.operator("tester");
    let (state, words) = clause_of(&app, &operator, "3-1").await;
    assert_eq!((state, words.len()), (State::NeverDone, 2));
    let signed = app.sign_in("ops", crate::support::PASSWORD, &Origin::default()).await.unwrap();
    let ops = app.caller(&signed.token, &Origin::default()).await.unwrap();
    app.publish_document(&ops, "house-rules", 0, &document("2026-11-21")).await.unwrap();
    assert_eq!(clause_of(&app, &operator, "3-1").await.0, State::Kept);
    office.clean().await;
}
