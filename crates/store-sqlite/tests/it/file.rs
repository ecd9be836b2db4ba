//! Full disk, read-only files, refused settings.

use std::sync::Arc;

use mimamori_domain::{ManualClock, SubjectId, UnitId};
use mimamori_store::contract::{START, TestDatabase, begin, draft, entries, options, reading, ready};
use mimamori_store::statements::ledger;
use mimamori_store::{
    Change, ColumnType, CommitError, ObjectVersion, OpenError, Reads as _, Statement, Store, Unit,
};
use mimamori_store_sqlite::{SqliteOptions, SqliteStore, open};

use crate::fresh;

async fn opened(address: &str) -> SqliteStore {
    let store = open(address, SqliteOptions::new(options(&Arc::new(ManualClock::at(START))))).await.unwrap();
    begin(&store, 0).await;
    store
}

fn large() -> Unit {
    let unit = Unit::new();
    let mut version = ObjectVersion::sample(UnitId::random());
    version.body = vec![1; 1 << 20];
    let entry = draft(&unit, mimamori_domain::Action::Create);
    unit.change(Change::object_version(version)).entry(entry)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let file = fresh().await;
    let store = Arc::new(opened(&file.address()).await);
    store.commit(large()).await.unwrap();
    store.driver().limit_pages(Some(64));
    for _ in 0..3 {
        let refused = store.commit(large()).await;
        assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
        // Reading goes on, but its entry needs room too: fail closed.
        let head = store.head().await.unwrap().unwrap();
        assert_eq!(head.size, 2);
    }
    store.driver().limit_pages(None);
    store.commit(large()).await.unwrap();
    store.commit(reading(SubjectId::random())).await.unwrap();
    assert_eq!(entries(store.as_ref(), 0).await.len(), 4);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_file_is_whole_without_its_log() {
    let file = fresh().await;
    let store = opened(&file.address()).await;
    for _ in 0..3 {
        store.commit(large()).await.unwrap();
    }
    store.close().await;
    let copy = fresh().await;
    std::fs::copy(file.address(), copy.address()).unwrap();
    let options = SqliteOptions::new(options(&Arc::new(ManualClock::at(START))));
    let copied = open(&copy.address(), options).await.unwrap();
    assert_eq!(entries(&copied, 0).await.len(), 4);
    copied.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_program_refuses_and_passes() {
    let file = fresh().await;
    let store = opened(&file.address()).await;
    store.commit(reading(SubjectId::random())).await.unwrap();
    // Another program holds the write lock for longer than the patience of the queue.
    let mut other = {
        use sqlx::{ConnectOptions, Executor};
        let mut other =
            sqlx::sqlite::SqliteConnectOptions::new().filename(file.address()).connect().await.unwrap();
        other.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.unwrap();
        other
    };
    let impatient = {
        let mut chosen = SqliteOptions::new(options(&Arc::new(ManualClock::at(START))));
        chosen.patience = std::time::Duration::from_millis(20);
        chosen.create = false;
        chosen
    };
    // An up-to-date schema is only read: opening needs no lock.
    let second = open(&file.address(), impatient).await.unwrap();
    let refused = second.commit(reading(SubjectId::random())).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
    {
        use sqlx::Executor;
        other.execute(sqlx::raw_sql("ROLLBACK")).await.unwrap();
    }
    second.commit(reading(SubjectId::random())).await.unwrap();
    assert_eq!(entries(&store, 0).await.len(), 3);
    second.close().await;
    store.close().await;
}

#[tokio::test]
async fn an_address_that_is_no_path_is_refused() {
    for address in ["", "sqlite:", "postgres://localhost/x", "sqlite:x?mode=memory"] {
        let refused =
            open(address, SqliteOptions::new(options(&Arc::new(ManualClock::at(START))))).await.err();
        assert!(matches!(refused, Some(OpenError::Address(_))), "{address}: {refused:?}");
    }
}

#[tokio::test]
async fn a_missing_file_is_not_made_unless_asked() {
    let file = fresh().await;
    let mut chosen = SqliteOptions::new(options(&Arc::new(ManualClock::at(START))));
    chosen.create = false;
    assert!(matches!(open(&file.address(), chosen).await.err(), Some(OpenError::Driver(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_what_was_acknowledged_when_the_program_dies() {
    let file = fresh().await;
    let store = ready(&file).await;
    for _ in 0..5 {
        store.commit(reading(SubjectId::random())).await.unwrap();
    }
    // A copy of file and log taken while the program runs is what a crash would leave.
    let copy = tempfile::tempdir().unwrap();
    for name in ["mimamori.db", "mimamori.db-wal"] {
        std::fs::copy(file.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let left = crate::File { folder: copy };
    let reopened = left.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    assert_eq!(entries(reopened.as_ref(), 0).await.len(), 6);
    reopened.close().await;
    store.close().await;
}

/// Whose entries are long past is found as fast as who is looked at all day: not by walking through all others'.
#[tokio::test]
async fn entries_of_one_are_found_by_their_own_index() {
    let file = fresh().await;
    let store = opened(&file.address()).await;
    for (statement, index) in [
        (&ledger::ENTRIES_OF_SUBJECT, "ledger_entry_subject (subject=? AND epoch=? AND sequence>?"),
        (&ledger::ENTRIES_OF_ACTOR, "ledger_entry_actor (actor=? AND epoch=? AND sequence>?"),
    ] {
        let plan = Statement::read(
            "plan",
            format!("EXPLAIN QUERY PLAN {}", statement.sql).leak(),
            statement.params,
            &[ColumnType::Int, ColumnType::Int, ColumnType::Int, ColumnType::Text],
        );
        let args = vec![vec![0_u8; 16].into(), 0_i64.into(), 0_i64.into(), 9_i64.into(), 9_i64.into()];
        let steps = store.query(Box::leak(Box::new(plan)), args).await.unwrap();
        let steps: Vec<&str> = steps.iter().map(|step| step.text(3).unwrap()).collect();
        assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("(epoch=? AND sequence>?")), "{steps:?}");
    }
    store.close().await;
}
