//! Duties: when they open, what proves them done, and what becomes of those that nobody did.

use std::time::Duration;

use mimamori_app::{Act, DutyState, DutyView, ErrorKind, Origin};
use mimamori_domain::Timestamp;
use mimamori_policy::Language;

use crate::office::{DAY, MONDAY, Office, two_months};
use crate::procedures::form;
use crate::support::{On, START};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The occurrences of one duty, as its owner sees them.
async fn of(office: &Office, code: &str) -> Vec<DutyView> {
    let ops = office.call("ops").await;
    let all = office.app().duties(&ops, two_months()).await.unwrap();
    all.into_iter().filter(|view| view.terms.code == code).collect()
}

async fn states(office: &Office, code: &str) -> Vec<&'static str> {
    let word = |view: DutyView| match view.state {
        DutyState::Upcoming => "upcoming",
        DutyState::Due => "due",
        DutyState::Overdue => "overdue",
        DutyState::Done(..) => "done",
        DutyState::Skipped { .. } => "skipped",
    };
    of(office, code).await.into_iter().take(3).map(word).collect()
}

async fn a_duty_opens_is_due_and_overdue(on: On) {
    let office = Office::new(on, &["ops", "audit"]).await;
    let found = of(&office, "by-entry").await;
    assert_eq!(found[0].opens, MONDAY);
    assert_eq!(found[0].due, MONDAY.plus(DAY * 3));
    assert_eq!(found[1].opens, MONDAY.plus(WEEK));
    assert!(found[0].mine);
    assert_eq!(states(&office, "by-entry").await, ["upcoming"; 3]);

    // Nothing is asked for the time before the installation began.
    let ops = office.call("ops").await;
    let all = office.app().duties(&ops, two_months()).await.unwrap();
    assert!(all.len() > 10 && all.iter().all(|view| view.opens >= START));

    office.until(MONDAY);
    assert_eq!(states(&office, "by-entry").await, ["due", "upcoming", "upcoming"]);
    office.until(MONDAY.plus(DAY * 3).minus(Duration::from_micros(1)));
    assert_eq!(states(&office, "by-entry").await[0], "due");
    office.until(MONDAY.plus(DAY * 3));
    assert_eq!(states(&office, "by-entry").await[0], "overdue");

    // Who oversees sees them all, none as their own; who has none sees nothing.
    let audit = office.call("audit").await;
    let all = office.app().duties(&audit, two_months()).await.unwrap();
    assert!(all.iter().any(|view| view.terms.code == "by-entry" && !view.mine));
    let plain = office.call("plain").await;
    let refused = office.app().duties(&plain, two_months()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    office.clean().await;
}

#[tokio::test]
async fn a_duty_opens_is_due_and_overdue_on_sqlite() {
    a_duty_opens_is_due_and_overdue(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_opens_is_due_and_overdue_on_postgres() {
    a_duty_opens_is_due_and_overdue(On::Postgres).await;
}

async fn each_kind_of_proof_shows_a_duty_done(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let app = office.app();
    office.until(MONDAY.plus(Duration::from_secs(3_600)));
    let codes = ["by-entry", "by-review", "by-document", "by-statement", "by-procedure", "review-shelf"];
    for code in codes {
        assert_eq!(states(&office, code).await[0], "due", "{code}");
    }
    // A schedule that asks for a register's review stands for the register's own.
    assert!(of(&office, "review-watch").await.is_empty());

    office.enter("watch").await;
    assert_eq!(states(&office, "by-entry").await, ["done", "upcoming", "upcoming"]);
    assert_eq!(states(&office, "by-review").await[0], "due");
    // Each look signs in anew, and the oldest of somebody's sessions ends when there are too many.
    let ops = async || office.call("ops").await;
    app.review_register(&ops().await, "watch", true, "").await.unwrap();
    assert_eq!(states(&office, "by-review").await[0], "done");
    app.review_register(&ops().await, "shelf", false, "1件合わない").await.unwrap();
    assert_eq!(states(&office, "review-shelf").await[0], "done");
    office.publish("house-rules", 0, "2026-11-23").await.unwrap();
    assert_eq!(states(&office, "by-document").await[0], "done");
    // That it does not hold shows nothing done.
    office.state_that(false).await;
    assert_eq!(states(&office, "by-statement").await[0], "due");
    office.state_that(true).await;
    assert_eq!(states(&office, "by-statement").await[0], "done");

    let plain = office.call("plain").await;
    let case = app.begin_case(&plain, "leave", &form(&[("what", "端末")]), false).await.unwrap();
    assert_eq!(states(&office, "by-procedure").await[0], "due");
    let seen = app.case(&ops().await, case).await.unwrap().version;
    app.act_on_case(&ops().await, case, seen, &Act::Pass, &form(&[])).await.unwrap();
    assert_eq!(states(&office, "by-procedure").await[0], "done");

    // An entry that was struck out proves nothing any more.
    let entry = office.enter("shelf").await;
    assert_eq!(states(&office, "by-shelf").await[0], "done");
    app.strike_entry(&ops().await, "shelf", entry, 1, "取り違え").await.unwrap();
    assert_eq!(states(&office, "by-shelf").await[0], "due");

    // The next version of a document leaves the earlier proof as it was.
    office.until(MONDAY.plus(WEEK).plus(DAY));
    assert_eq!(states(&office, "by-document").await, ["done", "due", "upcoming"]);
    office.publish("house-rules", 1, "2026-12-01").await.unwrap();
    assert_eq!(states(&office, "by-document").await, ["done", "done", "upcoming"]);
    office.clean().await;
}

#[tokio::test]
async fn each_kind_of_proof_shows_a_duty_done_on_sqlite() {
    each_kind_of_proof_shows_a_duty_done(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_proof_shows_a_duty_done_on_postgres() {
    each_kind_of_proof_shows_a_duty_done(On::Postgres).await;
}

#[tokio::test]
async fn done_a_little_early_is_done_but_one_deed_proves_one_occurrence() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    office.until(MONDAY.plus(DAY));
    office.enter("watch").await;
    // Two days before the next one opens is too early, within the reminder's day is not.
    office.until(MONDAY.plus(DAY * 5));
    office.enter("watch").await;
    assert_eq!(states(&office, "by-entry").await, ["done", "upcoming", "upcoming"]);
    office.until(MONDAY.plus(WEEK).minus(DAY / 2));
    assert_eq!(states(&office, "by-shelf").await, ["overdue", "upcoming", "upcoming"]);
    office.enter("watch").await;
    assert_eq!(states(&office, "by-entry").await, ["done", "done", "upcoming"]);
    // What was overdue is done late: that is not the next one, done early.
    office.enter("shelf").await;
    assert_eq!(states(&office, "by-shelf").await, ["done", "upcoming", "upcoming"]);
    // The same when only the next one is looked at.
    let ops = office.call("ops").await;
    let window = mimamori_app::Window { from: MONDAY.plus(WEEK), until: MONDAY.plus(WEEK * 2) };
    let next = office.app().duties(&ops, window).await.unwrap();
    let next: Vec<_> = next.iter().filter(|view| view.terms.code == "by-shelf").collect();
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].state, DutyState::Upcoming);
    office.site.clock.advance(Duration::from_secs(1));
    office.enter("shelf").await;
    assert_eq!(states(&office, "by-shelf").await, ["done", "done", "upcoming"]);
    office.clean().await;
}

async fn a_duty_is_skipped_with_a_reason(on: On) {
    let office = Office::new(on, &["ops", "audit"]).await;
    let app = office.app();
    let ops = office.call("ops").await;
    let skip = async |opens: Timestamp, reason: &str| app.skip_duty(&ops, "by-shelf", opens, reason).await;
    assert_eq!(skip(MONDAY, "休み").await.unwrap_err().kind(), ErrorKind::Conflict, "it has not opened");
    office.until(MONDAY.plus(Duration::from_secs(60)));
    assert_eq!(skip(MONDAY, "  ").await.unwrap_err().kind(), ErrorKind::Invalid);
    let never = MONDAY.plus(Duration::from_secs(1));
    assert_eq!(skip(never, "休み").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(app.skip_duty(&ops, "none", MONDAY, "休み").await.unwrap_err().kind(), ErrorKind::NotFound);
    for login in ["plain", "audit"] {
        let caller = office.call(login).await;
        let refused = app.skip_duty(&caller, "by-shelf", MONDAY, "休み").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden, "{login}");
    }
    skip(MONDAY, "休み").await.unwrap();
    let found = of(&office, "by-shelf").await;
    assert_eq!(found[0].state, DutyState::Skipped { reason: "休み".to_owned(), by: "ops さん".to_owned() });
    assert_eq!(found[1].state, DutyState::Upcoming);
    assert_eq!(skip(MONDAY, "また").await.unwrap_err().kind(), ErrorKind::Conflict);
    // Done after all.
    office.enter("shelf").await;
    assert_eq!(states(&office, "by-shelf").await[0], "done");
    let ops = office.call("ops").await;
    let late = app.skip_duty(&ops, "by-shelf", MONDAY, "休み").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    office.clean().await;
}

#[tokio::test]
async fn a_duty_is_skipped_with_a_reason_on_sqlite() {
    a_duty_is_skipped_with_a_reason(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_is_skipped_with_a_reason_on_postgres() {
    a_duty_is_skipped_with_a_reason(On::Postgres).await;
}

async fn a_calendar_shows_what_is_to_be_done_to_who_has_its_address(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let app = office.app();
    let ops = office.call("ops").await;
    let origin = Origin::default();
    let feed = async |secret: &str| app.calendar_feed(secret, &origin, Language::Ja).await;
    let secret = app.calendar_address(&ops).await.unwrap();
    let text = feed(&secret).await.unwrap();
    assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    let whole = text.replace("\r\n ", "");
    // Its last day is the Wednesday: from Thursday on it is overdue.
    let event = format!(
        "UID:by-shelf-{}@test.example\r\nDTSTAMP:20261121T000000Z\r\nDTSTART;VALUE=DATE:20261125\r\n\
         SUMMARY:期限: 棚の点検\\, 毎週\r\n",
        MONDAY.as_micros()
    );
    assert!(whole.contains(&event), "{whole}");
    for personal in ["ops", "さん", &office.actors["ops"].to_string(), secret.as_str()] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
    let english = app.calendar_feed(&secret, &origin, Language::En).await.unwrap();
    assert!(english.contains("SUMMARY:Due: shelves\\; weekly\r\n"), "{english}");

    // When it was last read is told to its owner, to a day.
    let told = async || {
        let ops = office.call("ops").await;
        app.reminders(&ops).await.unwrap().calendar.unwrap()
    };
    let (made, first) = (told().await.made, told().await.fetched.unwrap());
    assert_eq!(first, office.now());
    office.site.clock.advance(Duration::from_secs(3_600));
    feed(&secret).await.unwrap();
    assert_eq!(told().await.fetched, Some(first), "noted once a day");
    office.site.clock.advance(DAY);
    let (both, again) = tokio::join!(feed(&secret), feed(&secret));
    both.unwrap();
    again.unwrap();
    assert_eq!(told().await.fetched, Some(office.now()));
    assert_eq!(told().await.made, made);

    // What is done is no longer there; what nobody did stays.
    office.until(MONDAY.plus(DAY * 4));
    let before = feed(&secret).await.unwrap().replace("\r\n ", "");
    assert!(before.contains(&format!("UID:by-shelf-{}@", MONDAY.as_micros())));
    office.enter("shelf").await;
    let after = feed(&secret).await.unwrap().replace("\r\n ", "");
    assert!(!after.contains(&format!("UID:by-shelf-{}@", MONDAY.as_micros())));

    // Somebody without duties has an empty one; a new address ends the one before.
    let plain = office.call("plain").await;
    let others = app.calendar_address(&plain).await.unwrap();
    assert!(!feed(&others).await.unwrap().contains("VEVENT"));
    let ops = office.call("ops").await;
    let second = app.calendar_address(&ops).await.unwrap();
    let kind = |result: mimamori_domain::Result<String>| result.map(|_| ()).unwrap_err().kind();
    assert_eq!(kind(feed(&secret).await), ErrorKind::NotFound);
    feed(&second).await.unwrap();
    let ops = office.call("ops").await;
    app.revoke_calendar(&ops).await.unwrap();
    assert_eq!(kind(feed(&second).await), ErrorKind::NotFound);
    app.revoke_calendar(&ops).await.unwrap();
    feed(&others).await.unwrap();
    for wrong in ["", "zz", "00", &others[2..]] {
        assert_eq!(kind(feed(wrong).await), ErrorKind::NotFound, "{wrong:?}");
    }
    app.stop_account(&office.site.operator(), "plain", "退職").await.unwrap();
    assert_eq!(kind(feed(&others).await), ErrorKind::NotFound);
    office.clean().await;
}

#[tokio::test]
async fn a_calendar_shows_what_is_to_be_done_on_sqlite() {
    a_calendar_shows_what_is_to_be_done_to_who_has_its_address(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_shows_what_is_to_be_done_on_postgres() {
    a_calendar_shows_what_is_to_be_done_to_who_has_its_address(On::Postgres).await;
}
