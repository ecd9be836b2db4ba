//! Documents and who has read them; statements; who is appointed to what, by whom and where.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{App, AppointmentView, ErrorKind, NewDocument, NewStatement, RoleView};
use mimamori_domain::{Action, InstitutionId, Result};
use mimamori_policy::Pack;
use mimamori_store::Store;

use crate::fail_closed::lock;
use crate::hooked::Hooked;
use crate::office::{DAY, MONDAY, Office, document};
use crate::support::{On, PASSWORD, START, parts};

fn refused<T>(result: Result<T>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

async fn a_document_is_published_read_and_acknowledged(on: On) {
    let office = Office::new(on, &["ops", "top", "audit"]).await;
    let app = office.app();
    let (ops, top, plain) = (office.call("ops").await, office.call("top").await, office.call("plain").await);
    assert!(app.document(&ops, "house-rules").await.unwrap().versions.is_empty());
    let acknowledged = app.acknowledge_document(&ops, "house-rules", 1).await;
    assert_eq!(refused(acknowledged), ErrorKind::NotFound);

    let good = document("2026-11-21");
    for (wrong, field) in [
        (NewDocument { label: " ".to_owned(), ..good.clone() }, "label"),
        (NewDocument { effective: "明日".to_owned(), ..good.clone() }, "effective"),
        (NewDocument { text: String::new(), ..good.clone() }, "text"),
        (NewDocument { file: Some(mimamori_domain::ObjectId::random()), ..good.clone() }, "text"),
        (
            NewDocument {
                text: String::new(),
                file: Some(mimamori_domain::ObjectId::random()),
                ..good.clone()
            },
            "file",
        ),
    ] {
        let error = app.publish_document(&ops, "house-rules", 0, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{field}");
        assert!(format!("{:?}", error.faults()).contains(field), "{field}: {error:?}");
    }
    assert_eq!(refused(app.publish_document(&plain, "house-rules", 0, &good).await), ErrorKind::Forbidden);
    assert_eq!(refused(app.publish_document(&ops, "nothing", 0, &good).await), ErrorKind::NotFound);

    // Two at once, each for the first version and for the next: one is published, one is told.
    for seen in [0, 1] {
        let both = tokio::join!(
            app.publish_document(&ops, "house-rules", seen, &good),
            app.publish_document(&ops, "house-rules", seen, &good)
        );
        let (won, lost) = if both.0.is_ok() { (both.0, both.1) } else { (both.1, both.0) };
        won.unwrap();
        assert_eq!(refused(lost), ErrorKind::Conflict, "version {}", seen + 1);
    }
    assert_eq!(refused(app.publish_document(&ops, "house-rules", 1, &good).await), ErrorKind::Conflict);
    let shown = app.document(&ops, "house-rules").await.unwrap();
    assert_eq!(shown.versions.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(shown.versions[0].text, "鍵をかけること");
    assert_eq!(shown.versions[0].by, "ops さん");
    assert_eq!(shown.summary.acknowledge_by, Some(START.plus(DAY * 30)));
    assert_eq!(shown.summary.next_review, Some(START.plus(DAY * 30)), "a month, and November has 30 days");

    // The keeper and who oversees see who has not read it; everybody else does not.
    assert!(shown.summary.to_acknowledge && shown.summary.owns);
    assert_eq!(shown.outstanding.len(), 2);
    assert_eq!(refused(app.acknowledge_document(&ops, "house-rules", 1).await), ErrorKind::Conflict);
    assert_eq!(refused(app.acknowledge_document(&plain, "house-rules", 2).await), ErrorKind::Forbidden);
    let before = office.site.store.head().await.unwrap().unwrap().size;
    app.acknowledge_document(&top, "house-rules", 2).await.unwrap();
    let once = office.site.store.head().await.unwrap().unwrap().size;
    assert_eq!(once, before + 1);
    app.acknowledge_document(&top, "house-rules", 2).await.unwrap();
    assert_eq!(office.site.store.head().await.unwrap().unwrap().size, once, "twice changes nothing");
    // Two clicks at the same moment are one reading.
    let both = tokio::join!(
        app.acknowledge_document(&ops, "house-rules", 2),
        app.acknowledge_document(&ops, "house-rules", 2)
    );
    both.0.unwrap();
    both.1.unwrap();
    let audit = office.call("audit").await;
    for caller in [&ops, &audit] {
        let shown = app.document(caller, "house-rules").await.unwrap();
        let mut readers: Vec<_> = shown.acknowledged.iter().map(|(name, _)| name.as_str()).collect();
        readers.sort_unstable();
        assert_eq!(readers, ["ops さん", "top さん"]);
        assert!(shown.outstanding.is_empty());
        assert!(!shown.summary.to_acknowledge);
    }
    let shown = app.document(&plain, "house-rules").await.unwrap();
    assert!(shown.acknowledged.is_empty() && shown.outstanding.is_empty() && !shown.summary.owns);

    // A new version must be read anew.
    app.publish_document(&ops, "house-rules", 2, &good).await.unwrap();
    assert!(app.document(&ops, "house-rules").await.unwrap().summary.to_acknowledge);
    office.clean().await;
}

#[tokio::test]
async fn a_document_is_published_read_and_acknowledged_on_sqlite() {
    a_document_is_published_read_and_acknowledged(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_published_read_and_acknowledged_on_postgres() {
    a_document_is_published_read_and_acknowledged(On::Postgres).await;
}

#[tokio::test]
async fn a_document_is_seen_by_those_it_is_posted_for_and_its_file_through_it_alone() {
    let office = Office::new(On::Sqlite, &["ops", "audit"]).await;
    let app = office.app();
    app.add_citizen(&office.site.operator(), "mio", "見尾", PASSWORD, None).await.unwrap();
    let (ops, plain) = (office.call("ops").await, office.call("plain").await);
    let (audit, mio) = (office.call("audit").await, office.call("mio").await);
    let file = app.attach_file(&ops, "計画.pdf", b"%PDF-1.7 plan").await.unwrap();
    let new = |file| NewDocument { text: String::new(), file: Some(file), ..document("2026-11-21") };
    app.publish_document(&ops, "inner-plan", 0, &new(file)).await.unwrap();
    // A file is lent once: what only some may read does not turn up in what is for others.
    let twice = app.publish_document(&ops, "citizens-guide", 0, &new(file)).await;
    assert_eq!(refused(twice), ErrorKind::Invalid);
    let other = app.attach_file(&ops, "計画.pdf", b"%PDF-1.7 plan").await.unwrap();
    app.publish_document(&ops, "citizens-guide", 0, &new(other)).await.unwrap();
    app.publish_document(&ops, "house-rules", 0, &document("2026-11-21")).await.unwrap();
    // code, then whether plain staff, a citizen, the keeper and the auditor see it
    for (code, sees) in [
        ("house-rules", [true, false, true, true]),
        ("citizens-guide", [false, true, true, true]),
        ("inner-plan", [false, false, true, true]),
    ] {
        for (caller, sees) in [&plain, &mio, &ops, &audit].into_iter().zip(sees) {
            let opened = app.document(caller, code).await;
            assert_eq!(opened.is_ok(), sees, "{code}: {:?}", opened.err());
            let listed = app.documents(caller).await.unwrap();
            assert_eq!(listed.iter().any(|found| found.document.code == code), sees, "{code}");
            if code != "house-rules" {
                let opened = app.document_file(caller, code, 1).await;
                match sees {
                    true => assert_eq!(opened.unwrap().bytes, b"%PDF-1.7 plan"),
                    false => assert_eq!(refused(opened), ErrorKind::Forbidden, "{code}"),
                }
            }
        }
    }
    assert_eq!(refused(app.document_file(&ops, "inner-plan", 2).await), ErrorKind::NotFound);
    assert_eq!(refused(app.document_file(&ops, "house-rules", 1).await), ErrorKind::NotFound);
    let listed = app.documents(&ops).await.unwrap();
    let of = |code: &str| listed.iter().find(|found| found.document.code == code).unwrap();
    assert_eq!(of("inner-plan").current.as_ref().unwrap().file, Some((file, "計画.pdf".to_owned())));
    assert!(of("sign-in-notice").current.is_none());

    // While nothing can be recorded, no file is given and nobody's reading is kept.
    let store = office.site.database.open_patiently(&office.site.clock, Duration::from_millis(100)).await;
    let hasty = office.site.second(Arc::clone(&store)).await;
    hasty.document_file(&ops, "inner-plan", 1).await.unwrap();
    let mut other = lock(&office.site.database).await;
    assert_eq!(refused(hasty.document_file(&ops, "inner-plan", 1).await), ErrorKind::Unavailable);
    sqlx::Executor::execute(&mut other, "ROLLBACK").await.unwrap();
    hasty.document_file(&ops, "inner-plan", 1).await.unwrap();
    drop(other);
    store.close().await;
    office.clean().await;
}

async fn statements_hold_for_their_time(on: On) {
    let office = Office::new(on, &["ops", "audit"]).await;
    let app = office.app();
    let (ops, plain, audit) =
        (office.call("ops").await, office.call("plain").await, office.call("audit").await);
    let good = NewStatement {
        holds: true,
        statement: "鍵をかけている".to_owned(),
        evidence: "写真".to_owned(),
        files: Vec::new(),
    };
    for (wrong, field) in [
        (NewStatement { statement: "  ".to_owned(), ..good.clone() }, "statement"),
        (NewStatement { evidence: String::new(), ..good.clone() }, "evidence"),
        (NewStatement { files: vec![mimamori_domain::ObjectId::random()], ..good.clone() }, "files"),
    ] {
        let error = app.attest(&ops, "door-locked", &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{field}");
        assert!(format!("{:?}", error.faults()).contains(field), "{field}");
    }
    assert_eq!(refused(app.attest(&plain, "door-locked", &good).await), ErrorKind::Forbidden);
    assert_eq!(refused(app.attest(&audit, "door-locked", &good).await), ErrorKind::Forbidden);
    assert_eq!(refused(app.attest(&ops, "nothing", &good).await), ErrorKind::NotFound);
    assert_eq!(refused(app.attestation(&plain, "door-locked").await), ErrorKind::Forbidden);

    // That something does not hold needs no evidence.
    let denied = NewStatement { holds: false, evidence: String::new(), ..good.clone() };
    app.attest(&ops, "door-locked", &denied).await.unwrap();
    office.site.clock.advance(DAY);
    let (ops, audit) = (office.call("ops").await, office.call("audit").await);
    let file = app.attach_file(&ops, "写真.png", b"\x89PNG\r\n\x1a\n...").await.unwrap();
    let shown = NewStatement { evidence: String::new(), files: vec![file], ..good.clone() };
    let stated = app.attest(&ops, "door-locked", &shown).await.unwrap();
    let view = app.attestation(&audit, "door-locked").await.unwrap();
    assert!(!view.mine);
    assert_eq!(view.statements.iter().map(|found| found.holds).collect::<Vec<_>>(), [true, false]);
    assert_eq!(view.statements[0].at, START.plus(DAY));
    assert_eq!(view.statements[0].until, START.plus(DAY * 31), "a month from 22 November");
    assert_eq!(view.statements[0].by, "ops さん");
    assert_eq!(view.statements[0].files, [(file, "写真.png".to_owned())]);
    let opened = app.attestation_file(&audit, "door-locked", stated, file).await.unwrap();
    assert!(opened.bytes.starts_with(b"\x89PNG"));
    let plain = office.call("plain").await;
    assert_eq!(
        refused(app.attestation_file(&plain, "door-locked", stated, file).await),
        ErrorKind::Forbidden
    );
    let listed = app.attestations(&ops).await.unwrap();
    let listed = listed.iter().find(|found| found.attestation.code == "door-locked").unwrap();
    assert!(listed.mine && listed.statements.len() == 1 && listed.statements[0].holds);
    office.clean().await;
}

#[tokio::test]
async fn statements_hold_for_their_time_on_sqlite() {
    statements_hold_for_their_time(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_hold_for_their_time_on_postgres() {
    statements_hold_for_their_time(On::Postgres).await;
}

fn of<'a>(views: &'a [RoleView], role: &str) -> &'a RoleView {
    views.iter().find(|view| view.role.code.as_str() == role).unwrap()
}

fn held<'a>(views: &'a [RoleView], role: &str, name: &str) -> Option<&'a AppointmentView> {
    of(views, role).appointments.iter().find(|found| found.name == name)
}

async fn appointments_are_checked_and_end(on: On) {
    let office = Office::new(on, &["ops", "top", "audit", "one", "two", "three"]).await;
    let app = office.app();
    app.add_citizen(&office.site.operator(), "mio", "見尾", PASSWORD, None).await.unwrap();
    let top = office.call("top").await;
    let invalid = async |new: &mimamori_app::NewAppointment, words: &str| {
        let error = app.appoint(&office.site.operator(), new).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{words}: {error:?}");
        assert!(format!("{:?}", error.faults()).contains(words), "{words}: {error:?}");
    };

    // A scope is needed, and one that exists.
    let manager = office.appointment("plain", "security-manager");
    invalid(&manager, "one unit of the site").await;
    invalid(&mimamori_app::NewAppointment { unit: Some("x".into()), ..manager.clone() }, "one unit").await;
    invalid(&office.appointment("plain", "notebook-keeper"), "one information system").await;
    invalid(&office.appointment("plain", "facility-manager"), "one institution").await;
    let elsewhere = Some(InstitutionId::random());
    let nowhere = mimamori_app::NewAppointment {
        institution: elsewhere,
        ..office.appointment("plain", "facility-manager")
    };
    invalid(&nowhere, "one institution").await;
    invalid(&office.appointment("plain", "vendor"), "outside").await;
    invalid(&office.appointment("plain", "no-such-role"), "no such role").await;
    let backwards = mimamori_app::NewAppointment {
        until: Some(office.now()),
        ..office.appointment("plain", "help-desk")
    };
    invalid(&backwards, "ends after it begins").await;

    // Roles that may not be combined, also where the periods meet only for a while.
    let mixed = office.appointment("audit", "operations-manager");
    invalid(&mixed, "may not be held together").await;
    let views = app.roles(&top).await.unwrap();
    let auditor = held(&views, "auditor", "audit さん").unwrap().clone();
    let end = START.plus(DAY * 10);
    app.end_appointment(&top, office.actors["audit"], auditor.id, auditor.version, end, "異動")
        .await
        .unwrap();
    let from = |from| mimamori_app::NewAppointment { from, ..mixed.clone() };
    invalid(&from(START.plus(DAY * 9)), "may not be held together").await;
    app.appoint(&top, &from(end)).await.unwrap();

    // At most two people with privileges; who is one may hold another such role.
    for login in ["one", "two"] {
        app.appoint(&top, &office.appointment(login, "system-manager")).await.unwrap();
    }
    invalid(&office.appointment("three", "system-manager"), "at most 2 people").await;
    app.appoint(&top, &office.appointment("two", "key-manager")).await.unwrap();

    // Who may appoint: only who holds a role that does, nobody themself, and only staff.
    let (plain, one) = (office.call("plain").await, office.call("one").await);
    for caller in [&plain, &one] {
        let refusal = app.appoint(caller, &office.appointment("three", "operations-manager")).await;
        assert_eq!(refused(refusal), ErrorKind::Forbidden);
    }
    assert_eq!(refused(app.roles(&plain).await), ErrorKind::Forbidden);
    let error = app.appoint(&top, &office.appointment("top", "operations-manager")).await.unwrap_err();
    assert!(format!("{:?}", error.faults()).contains("nobody appoints themself"), "{error:?}");
    let citizen = mimamori_app::NewAppointment {
        actor: office.call("mio").await.actor_id(),
        ..office.appointment("three", "help-desk")
    };
    invalid(&citizen, "only staff").await;
    app.stop_account(&office.site.operator(), "three", "休職").await.unwrap();
    invalid(&office.appointment("three", "help-desk"), "stopped").await;

    // A deputy fills no role, but stands in the network for emergencies.
    let desk = mimamori_app::NewAppointment { deputy: true, ..office.appointment("plain", "help-desk") };
    let id = app.appoint(&office.call("one").await, &desk).await.unwrap();
    let views = app.roles(&top).await.unwrap();
    assert!(!of(&views, "help-desk").filled() && of(&views, "operations-manager").filled());
    let deputy = held(&views, "help-desk", "plain さん").unwrap().clone();
    assert!(deputy.deputy && deputy.in_force && deputy.id == id && deputy.appointed_by == "one さん");
    assert!(of(&views, "operations-manager").may_appoint && !of(&views, "help-desk").may_appoint);
    assert!(!of(&views, "vendor").may_appoint);
    let plain = office.call("plain").await;
    let network = app.contact_network(&plain).await.unwrap();
    assert!(held(&network, "help-desk", "plain さん").is_some());
    // Those who begin later are not in it yet.
    assert!(held(&network, "operations-manager", "audit さん").is_none());
    assert_eq!(refused(app.contact_network(&office.call("mio").await).await), ErrorKind::Forbidden);

    // Ending: with a reason, from what was seen, and not twice.
    let actor = office.actors["plain"];
    let one = office.call("one").await;
    let end = async |caller: &mimamori_app::Caller, seen, reason: &str| {
        app.end_appointment(caller, actor, id, seen, START, reason).await
    };
    assert_eq!(refused(end(&one, 1, " ").await), ErrorKind::Invalid);
    assert_eq!(refused(end(&one, 2, "交代").await), ErrorKind::Conflict);
    assert_eq!(refused(end(&plain, 1, "交代").await), ErrorKind::Forbidden);
    office.site.clock.advance(DAY / 100);
    end(&one, 1, "交代").await.unwrap();
    assert_eq!(refused(end(&one, 2, "交代").await), ErrorKind::Conflict);
    let views = app.roles(&office.call("top").await).await.unwrap();
    let ended = held(&views, "help-desk", "plain さん").unwrap();
    // What was held until now is not told otherwise afterwards.
    assert!(!ended.in_force && ended.until == Some(office.now()) && ended.version == 2);
    assert!(office.call("plain").await.roles().is_empty());
    office.clean().await;
}

#[tokio::test]
async fn appointments_are_checked_and_end_on_sqlite() {
    appointments_are_checked_and_end(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appointments_are_checked_and_end_on_postgres() {
    appointments_are_checked_and_end(On::Postgres).await;
}

/// Two administrators are allowed and one is there: of two who are made at the same moment, by two
/// programs of the installation, the second is decided again and refused.
async fn two_at_once_do_not_pass_the_limit(on: On) {
    let office = Office::new(on, &["top", "one", "two", "three", "four"]).await;
    let operator = office.site.operator();
    office.app().appoint(&operator, &office.appointment("one", "system-manager")).await.unwrap();
    let hooked = Hooked::new(Arc::clone(&office.site.store));
    let pack = Arc::new(Pack::clone(office.app().pack()));
    let mut parts =
        parts(&office.site.folder, Arc::clone(&hooked) as Arc<dyn Store>, Arc::clone(&office.site.clock));
    parts.pack = pack;
    let app = App::open(parts).await.unwrap();
    // What it knows of everybody is in its memory.
    app.roles(&operator).await.unwrap();
    let (other, other_operator) = (Arc::clone(&office.site.app), office.site.operator());
    let second = office.appointment("two", "key-manager");
    hooked.before(
        Action::Administer,
        Box::new(move || {
            Box::pin(async move { other.appoint(&other_operator, &second).await.map(drop).unwrap() })
        }),
    );
    let error = app.appoint(&operator, &office.appointment("three", "system-manager")).await.unwrap_err();
    assert!(hooked.happened());
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(format!("{:?}", error.faults()).contains("at most 2 people"), "{error:?}");
    assert!(office.call("three").await.roles().is_empty());
    // Nor does a stopped account come back beyond it, nor a new one.
    office.app().stop_account(&operator, "one", "休職").await.unwrap();
    office.app().appoint(&operator, &office.appointment("four", "key-manager")).await.unwrap();
    assert_eq!(refused(office.app().resume_account(&operator, "one").await), ErrorKind::Invalid);
    office.clean().await;
}

#[tokio::test]
async fn two_at_once_do_not_pass_the_limit_on_sqlite() {
    two_at_once_do_not_pass_the_limit(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_do_not_pass_the_limit_on_postgres() {
    two_at_once_do_not_pass_the_limit(On::Postgres).await;
}

#[tokio::test]
async fn an_appointment_to_a_unit_gives_no_power_beyond_it() {
    let office = Office::new(On::Sqlite, &["ops", "top", "other"]).await;
    let app = office.app();
    let unit = |unit: &str, new| mimamori_app::NewAppointment { unit: Some(unit.to_owned()), ..new };
    let top = office.call("top").await;
    app.appoint(&top, &unit("planning", office.appointment("plain", "security-manager"))).await.unwrap();
    let plain = office.call("plain").await;
    assert!(plain.roles().is_empty(), "{:?}", plain.roles());
    // What a security manager of the installation may see by the policies, this one may not.
    let window = mimamori_app::Window { from: START, until: MONDAY };
    assert_eq!(refused(app.accounts(&plain).await), ErrorKind::Forbidden);
    assert_eq!(
        refused(app.review_counts(&plain, &[window], &mimamori_app::Paging::default()).await),
        ErrorKind::Forbidden
    );
    assert_eq!(refused(app.document(&plain, "inner-plan").await), ErrorKind::Forbidden);
    // They appoint in their unit, and nowhere else.
    let clerk = office.appointment("other", "unit-clerk");
    app.appoint(&plain, &unit("planning", clerk.clone())).await.unwrap();
    assert_eq!(refused(app.appoint(&plain, &unit("welfare", clerk)).await), ErrorKind::Forbidden);
    let wide = unit("planning", office.appointment("other", "operations-manager"));
    assert_eq!(refused(app.appoint(&plain, &wide).await), ErrorKind::Forbidden);
    // Nor do they end what is not theirs.
    let views = app.roles(&top).await.unwrap();
    let ops = held(&views, "operations-manager", "ops さん").unwrap();
    let ended = app.end_appointment(&plain, office.actors["ops"], ops.id, ops.version, MONDAY, "交代").await;
    assert_eq!(refused(ended), ErrorKind::Forbidden);
    office.clean().await;
}
