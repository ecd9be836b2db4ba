//! Every statement of the use cases is what it says, on both databases.

use std::sync::Arc;

use mimamori_app::sql;
use mimamori_domain::ManualClock;
use mimamori_store::contract::check_statements;
use mimamori_store::{ColumnType, Statement, Store, Value};
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

/// The steps by which SQLite would answer a statement.
async fn plan(
    store: &dyn Store,
    statement: &Statement,
    args: Vec<Value>,
    lists: Vec<Vec<Value>>,
) -> Vec<String> {
    let explained = Statement::read(
        "plan",
        format!("EXPLAIN QUERY PLAN {}", statement.sql).leak(),
        statement.params,
        &[ColumnType::Int, ColumnType::Int, ColumnType::Int, ColumnType::Text],
    )
    .with_lists(statement.lists);
    let steps = store.query_lists(Box::leak(Box::new(explained)), args, lists).await.unwrap();
    steps.iter().map(|step| step.text(3).unwrap().to_owned()).collect()
}

/// A plan goes to this place of an index, and sorts so many times.
fn found_at(place: &str, sorts: usize, steps: &[String]) {
    assert!(steps.iter().any(|step| step.contains(place)), "{place}: {steps:?}");
    let sorting = steps.iter().filter(|step| step.contains("TEMP B-TREE")).count();
    assert_eq!(sorting, sorts, "{place}: {steps:?}");
}

/// What the pages of governance ask for each time is answered by indexes alone: a row beside them is a page of
/// its own, which SQLite reads anew after each commit.
#[tokio::test]
async fn lists_of_governance_read_no_rows_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Database::fresh(On::Sqlite, &folder).await.open(&Arc::new(ManualClock::at(START))).await;
    let (text, id): (Value, Value) = ("case".into(), vec![0_u8; 16].into());
    let number: Value = 9_i64.into();
    let one_code = vec![text.clone(), text.clone(), number.clone(), id.clone(), number.clone()];
    let one_state = one_code.clone();
    let between = vec![text.clone(), text.clone(), number.clone(), number.clone(), number.clone()];
    for (statement, args, index) in [
        (&sql::GOVERNED_OF_CODE, one_code, "object_head_governed (kind=? AND class=? AND sort_time<?"),
        (
            &sql::GOVERNED_IN_STATE,
            one_state,
            "object_head_governed_state (kind=? AND state=? AND sort_time<?",
        ),
        (&sql::GOVERNED_BETWEEN, between, "object_head_governed (kind=? AND class=? AND sort_time>?"),
        (&sql::GOVERNED_COUNTS, vec![text.clone()], "object_head_governed (kind=?"),
        (&sql::VERSIONS_OF_FIRST, vec![text.clone(), number.clone()], "object_head_kind (kind=?"),
        (
            &sql::CURRENT_OF_KIND,
            vec![text, id.clone(), number.clone()],
            "object_head_kind (kind=? AND object>?",
        ),
        (&sql::ACTOR_VERSIONS, vec![id.clone(), number], "access_version_actor (id>?"),
        (&sql::LAST_SESSION, vec![id], "session_actor (actor=?"),
    ] {
        let steps = plan(&*store, statement, args, Vec::new()).await;
        let alone = format!("USING COVERING INDEX {index}");
        assert!(steps.iter().any(|step| step.contains(&alone)), "{}: {steps:?}", statement.name);
    }
    store.close().await;
}

/// Every page about a person tells their allergies: most have none, and all of somebody's years of measurements
/// stand in the index by time alone.
#[tokio::test]
async fn what_a_person_has_few_of_is_found_by_its_kind_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Database::fresh(On::Sqlite, &folder).await.open(&Arc::new(ManualClock::at(START))).await;
    let statement = &sql::TIMELINE_OF_FEW;
    let (id, number): (Value, Value) = (vec![0_u8; 16].into(), 9_i64.into());
    let args = [&id, &id, &number, &id, &number, &number, &number, &id, &number].map(Clone::clone).to_vec();
    let lists = vec![vec!["AllergyIntolerance".into()], vec!["medical".into(), "confirmed".into(), id]];
    let steps = plan(&*store, statement, args, lists).await;
    let by_kind = "COVERING INDEX object_head_subject_kind (subject=? AND kind=? AND sort_time>?";
    assert!(steps.iter().any(|step| step.contains(by_kind)), "{steps:?}");
    let driven = steps.iter().find(|step| step.starts_with("SEARCH")).unwrap();
    assert!(driven.starts_with("SEARCH h USING PRIMARY KEY (object=?)"), "{steps:?}");
    store.close().await;
}

/// Thousands are called so: each step of a search takes up only as many as it asks for, in their order.
#[tokio::test]
async fn a_step_of_a_search_reads_no_more_than_it_asks_for_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Database::fresh(On::Sqlite, &folder).await.open(&Arc::new(ManualClock::at(START))).await;
    let (id, number): (Value, Value) = (vec![0_u8; 16].into(), 9_i64.into());
    for (statement, args, place, sorts) in [
        (
            &sql::PEOPLE_BY_TOKEN,
            vec![number.clone(), id.clone(), id.clone(), number.clone()],
            "PRIMARY KEY (field=? AND token=? AND object>?)",
            0,
        ),
        // The thousand at most are made distinct.
        (&sql::PEOPLE_OF_MEMBER, vec![id, number], "INDEX link_target (target=? AND role=?)", 1),
    ] {
        found_at(place, sorts, &plan(&*store, statement, args, Vec::new()).await);
    }
    store.close().await;
}

/// Whom somebody cares for stands among the links of everybody, and what is new of those in the records of two
/// years: neither is walked through.
#[tokio::test]
async fn my_people_are_found_by_who_cares_for_them_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Database::fresh(On::Sqlite, &folder).await.open(&Arc::new(ManualClock::at(START))).await;
    let (id, number): (Value, Value) = (vec![0_u8; 16].into(), 9_i64.into());
    let (two, roles) = (vec![id.clone(); 2], ["team", "proxy", "self"].map(Value::from).to_vec());
    let times = vec![number.clone(); 2];
    for (statement, args, lists, place, sorts) in [
        (
            &sql::PEOPLE_LINKED,
            vec![id, number.clone()],
            vec![two.clone(), roles],
            "link_target (target=? AND role=?)",
            // The few that are found are made distinct and put in order.
            1,
        ),
        (&sql::NEWEST, vec![number], vec![two.clone()], "COVERING INDEX object_head_subject (subject=?", 0),
        (
            &sql::CURRENT_AT,
            Vec::new(),
            vec![two, times],
            "object_head_subject (subject=? AND sort_time=?)",
            0,
        ),
    ] {
        found_at(place, sorts, &plan(&*store, statement, args, lists).await);
    }
    store.close().await;
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
