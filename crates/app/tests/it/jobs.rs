//! What the program's jobs come to proves duties, and a run that failed proves none and says why.

use std::time::Duration;

use mimamori_app::{DutyState, DutyView, ErrorKind, JobEnd, JobFailure, JobTrouble};

use crate::office::{DAY, MONDAY, Office, two_months};
use crate::support::On;

const HOUR: Duration = Duration::from_secs(3_600);

async fn first(office: &Office, code: &str) -> DutyView {
    let ops = office.call("ops").await;
    let all = office.app().duties(&ops, two_months()).await.unwrap();
    all.into_iter().find(|view| view.terms.code == code).unwrap()
}

async fn a_duty_is_done_by_a_run_that_ended_well_and_by_no_other(on: On) {
    let office = Office::new(on, &["ops"]).await;
    let app = office.app();
    assert_eq!(first(&office, "by-job").await.trouble, None, "nothing is asked for yet");
    office.until(MONDAY.plus(HOUR));
    let found = first(&office, "by-job").await;
    assert_eq!((found.state, found.trouble), (DutyState::Due, None));

    let failed = JobEnd::Failed(JobFailure::Findings(2));
    app.record_job("ledger-verify", failed).await.unwrap();
    let found = first(&office, "by-job").await;
    assert_eq!(found.state, DutyState::Due);
    assert_eq!(found.trouble, Some(JobTrouble::Failed(office.now(), JobFailure::Findings(2))));

    // A run that failed was a run: the next is not due at once.
    assert!(app.verify_when_due(DAY).await.unwrap().is_none());
    office.until(MONDAY.plus(DAY * 2));
    let report = app.verify_when_due(DAY).await.unwrap().unwrap();
    assert!(report.findings.is_empty() && report.entries > 0, "{:?}", report.findings);
    let found = first(&office, "by-job").await;
    assert!(matches!(found.state, DutyState::Done(at, _) if at == office.now()), "{:?}", found.state);
    assert_eq!(found.trouble, None);
    assert!(app.verify_when_due(DAY).await.unwrap().is_none());

    // Without another run the next week's is not done: due, and then overdue.
    let next = |views: Vec<DutyView>| views.into_iter().filter(|v| v.terms.code == "by-job").nth(1).unwrap();
    office.until(MONDAY.plus(DAY * 8));
    let ops = office.call("ops").await;
    assert_eq!(next(app.duties(&ops, two_months()).await.unwrap()).state, DutyState::Due);
    office.until(MONDAY.plus(DAY * 10));
    let ops = office.call("ops").await;
    assert_eq!(next(app.duties(&ops, two_months()).await.unwrap()).state, DutyState::Overdue);
    office.clean().await;
}

#[tokio::test]
async fn a_duty_is_done_by_a_run_that_ended_well_on_sqlite() {
    a_duty_is_done_by_a_run_that_ended_well_and_by_no_other(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_is_done_by_a_run_that_ended_well_on_postgres() {
    a_duty_is_done_by_a_run_that_ended_well_and_by_no_other(On::Postgres).await;
}

#[tokio::test]
async fn a_job_that_the_program_does_not_have_stays_visibly_undone() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    office.until(MONDAY.plus(HOUR));
    let found = first(&office, "by-backup").await;
    assert_eq!((found.state, found.trouble), (DutyState::Due, Some(JobTrouble::Unknown)));
    let refused = office.app().record_job("back-up", JobEnd::Done).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Internal);
    office.until(MONDAY.plus(DAY * 4));
    let found = first(&office, "by-backup").await;
    assert_eq!((found.state, found.trouble), (DutyState::Overdue, Some(JobTrouble::Unknown)));
    office.clean().await;
}

#[tokio::test]
async fn a_job_that_runs_all_the_time_is_noted_once_a_day_and_when_it_changes() {
    let office = Office::new(On::Sqlite, &[]).await;
    let size = async || office.site.store.head().await.unwrap().unwrap().size;
    let noted = async |end: JobEnd| {
        let before = size().await;
        office.app().note_job("checkpoint", end).await.unwrap();
        office.site.clock.advance(HOUR);
        size().await > before
    };
    let failed = JobEnd::Failed(JobFailure::Unavailable);
    assert!(noted(JobEnd::Done).await);
    assert!(!noted(JobEnd::Done).await, "told today already");
    assert!(noted(failed).await && !noted(failed).await);
    assert!(noted(JobEnd::Done).await && !noted(JobEnd::Done).await, "it recovered");
    office.site.clock.advance(DAY);
    assert!(noted(JobEnd::Done).await && !noted(JobEnd::Done).await);
    office.clean().await;
}

async fn two_programs_verify_once(on: On) {
    let office = Office::new(on, &[]).await;
    let other = office.second().await;
    let (here, there) = tokio::join!(office.site.app.verify_when_due(DAY), other.verify_when_due(DAY));
    let ran = [here.unwrap(), there.unwrap()].iter().filter(|report| report.is_some()).count();
    assert_eq!(ran, 1);
    office.clean().await;
}

#[tokio::test]
async fn two_programs_verify_once_on_sqlite() {
    two_programs_verify_once(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_verify_once_on_postgres() {
    two_programs_verify_once(On::Postgres).await;
}

#[tokio::test]
async fn a_verification_that_finds_something_leaves_the_duty_due_and_says_how_much() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    office.until(MONDAY.plus(HOUR));
    office.site.database.drop_triggers().await;
    office
        .site
        .database
        .run("UPDATE object_head SET updated = updated + 1 WHERE kind = 'account'")
        .await
        .unwrap();
    let report = office.app().verify_when_due(DAY).await.unwrap().unwrap();
    assert!(!report.findings.is_empty());
    let found = first(&office, "by-job").await;
    let count = report.findings.len() as u64;
    assert_eq!(found.state, DutyState::Due);
    assert_eq!(found.trouble, Some(JobTrouble::Failed(office.now(), JobFailure::Findings(count))));
    office.site.store.close().await;
}
