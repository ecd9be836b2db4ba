//! Every statement of the use cases is what it says, on both databases.

use std::sync::Arc;

use mimamori_app::sql;
use mimamori_domain::ManualClock;
use mimamori_store::contract::check_statements;
use tempfile::TempDir;

use crate::support::{Database, On, START};

async fn check(on: On) {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(on, &folder).await;
    let store = database.open(&Arc::new(ManualClock::at(START))).await;
    let wrong = check_statements(store.as_ref(), sql::ALL.iter().copied()).await;
    store.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    check(On::Sqlite).await;
}

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    check(On::Postgres).await;
}

/// A statement that is not in the list would never be checked.
#[test]
fn every_statement_is_in_the_list() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql")).unwrap();
    let source: String = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let written: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub static ")?.split_once(": Statement"))
        .map(|(name, _)| name)
        .collect();
    assert!(written.len() > 20, "{written:?}");
    assert_eq!(written.len(), sql::ALL.len(), "sql::ALL and the statements of src/sql differ");
    for (at, statement) in sql::ALL.iter().enumerate() {
        assert!(sql::ALL.iter().skip(at + 1).all(|other| other.name != statement.name), "{}", statement.name);
        assert!(sql::ALL.iter().skip(at + 1).all(|other| other.sql != statement.sql), "{}", statement.name);
    }
}
