//! The schema and the statements are as the program believes.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, ManualClock, SubjectId, UnitId};

use super::{START, TestDatabase, draft, entries, options, ready};
use crate::schema::{HISTORY, MigrationError};
use crate::statements::{ledger, objects};
use crate::value::ColumnType::{Blob, Int};
use crate::{
    ARITIES, Change, CommitError, MAX_LIST, ObjectHead, ObjectVersion, OpenError, Statement, Store, Unit,
    Value, statements, tables,
};

/// Prepares each statement on the store's database and compares parameters and columns with what
/// it declares. Gives what is wrong; nothing when all is well. Statements with lists are prepared
/// at their shortest and longest.
pub async fn check_statements(
    store: &dyn Store,
    statements: impl IntoIterator<Item = &'static Statement>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for statement in statements {
        let shortest = vec![ARITIES[0]; statement.lists.len()];
        let longest = vec![MAX_LIST; statement.lists.len()];
        let both = if statement.lists.is_empty() { vec![shortest] } else { vec![shortest, longest] };
        for lengths in both {
            let told = match store.describe(statement, &lengths).await {
                Err(error) => Some(error.to_string()),
                Ok(described) => {
                    let params = statement.params.len()
                        + statement
                            .lists
                            .iter()
                            .zip(&lengths)
                            .map(|(item, length)| item.len() * length)
                            .sum::<usize>();
                    let columns_fit = described.columns.len() == statement.columns.len()
                        && described
                            .columns
                            .iter()
                            .zip(statement.columns)
                            .all(|(found, expected)| found.is_none_or(|found| found == *expected));
                    let params_fit = described.params.len() == params
                        && described
                            .params
                            .iter()
                            .zip(statement.params)
                            .all(|(found, expected)| found.is_none_or(|found| found == *expected));
                    (!columns_fit || !params_fit)
                        .then(|| format!("{described:?}").chars().take(400).collect())
                }
            };
            if let Some(told) = told {
                wrong.push(format!("{} on {}: {told}", statement.name, store.database()));
            }
        }
    }
    wrong
}

pub async fn every_statement_prepares(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let own = crate::batch_statements().iter().copied().chain([&HISTORY]);
    let wrong = check_statements(store.as_ref(), statements::all().chain(own)).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    store.close().await;
}

pub async fn tables_are_as_described(database: &dyn TestDatabase) {
    let store = ready(database).await;
    for table in tables::ALL {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let types: Vec<_> = table.columns.iter().map(|column| column.column).collect();
        // Leaked once per table and test run: statements are static by design.
        let sql = format!("SELECT {} FROM {}", names.join(", "), table.name);
        let statement: &'static Statement =
            Box::leak(Box::new(Statement::read(table.name, sql.leak(), &[], types.leak())));
        let described = store.describe(statement, &[]).await.unwrap();
        let found: Vec<_> = described.columns.into_iter().map(Option::unwrap).collect();
        assert_eq!(found, statement.columns, "{}", table.name);
        let all: &'static Statement = Box::leak(Box::new(Statement::read(
            table.name,
            format!("SELECT * FROM {}", table.name).leak(),
            &[],
            statement.columns,
        )));
        let everything = store.describe(all, &[]).await.unwrap().columns.len();
        assert_eq!(everything, statement.columns.len(), "{} has columns that are not described", table.name);
    }
    store.close().await;
}

pub async fn a_newer_schema_is_refused(database: &dyn TestDatabase) {
    ready(database).await.close().await;
    database
        .behind("INSERT INTO schema_version (number, name, applied) VALUES (999, 'later', 0)")
        .await
        .unwrap();
    let refused = database.open(options(&Arc::new(ManualClock::at(START)))).await.err().unwrap();
    assert!(matches!(refused, OpenError::Migration(MigrationError::Newer { found: 999, .. })), "{refused}");
}

pub async fn opening_twice_changes_nothing(database: &dyn TestDatabase) {
    ready(database).await.close().await;
    let store = database.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    assert_eq!(entries(store.as_ref(), 0).await.len(), 1);
    assert_eq!(store.head().await.unwrap().unwrap().size, 1);
    store.close().await;
}

/// Step 6 finds whose record each was; what it cannot find has no person to be kept with.
pub async fn what_was_seen_survives_its_new_order(database: &dyn TestDatabase) {
    static SEEN: Statement = Statement::read(
        "contract_seen",
        "SELECT subject, object, version, actor, seen FROM seen",
        &[],
        &[Blob, Blob, Int, Blob, Int],
    );
    let store = ready(database).await;
    let (subject, actor) = (SubjectId::random(), ActorId::random());
    let version = ObjectVersion { subject: Some(subject), ..ObjectVersion::sample(UnitId::random()) };
    let of_nobody = ObjectVersion { subject: None, ..ObjectVersion::sample(UnitId::random()) };
    let mut unit = Unit::new();
    let mut rows = Vec::new();
    for (number, version) in (1_i64..).zip([&version, &of_nobody]) {
        let row = vec![subject.into(), version.object.into(), number.into(), actor.into(), START.into()];
        unit = unit
            .change(Change::insert(&tables::OBJECT_HEAD, ObjectHead::of(version).into_row()))
            .change(Change::insert(&tables::SEEN, row.clone()));
        rows.push(row);
    }
    let entry = draft(&unit, Action::Read);
    store.commit(unit.entry(entry)).await.unwrap();
    store.close().await;
    for sql in [
        "CREATE TABLE before_6 AS SELECT object, version, actor, seen FROM seen",
        "DROP TABLE seen",
        "ALTER TABLE before_6 RENAME TO seen",
        "DROP INDEX session_actor_ended",
        "DROP INDEX session_actor_expires",
        "DROP INDEX clinical_index_code",
        "DROP INDEX access_version_actor",
        "DROP INDEX ledger_entry_review",
        "CREATE INDEX clinical_index_start ON clinical_index (subject, kind, start, object)",
        "DELETE FROM schema_version WHERE number >= 6",
    ] {
        database.behind(sql).await.unwrap();
    }
    let store = database.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    let kept = store.query(&SEEN, Vec::new()).await.unwrap();
    assert_eq!(kept.len(), 1);
    let kept = &kept[0];
    let values: [Value; 5] = [
        kept.blob(0).unwrap().to_vec().into(),
        kept.blob(1).unwrap().to_vec().into(),
        kept.int(2).unwrap().into(),
        kept.blob(3).unwrap().to_vec().into(),
        kept.int(4).unwrap().into(),
    ];
    assert_eq!(values.as_slice(), rows[0]);
    store.close().await;
}

pub async fn history_cannot_be_changed(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let unit = Unit::new();
    let version = ObjectVersion::sample(unit.id);
    let object = version.object;
    let note = vec![0_i64.into(), 1_i64.into(), START.into(), "note\n".into()];
    let unit =
        unit.change(Change::object_version(version)).change(Change::any(&ledger::KEEP_CHECKPOINT, note));
    let entry = draft(&unit, Action::Create);
    store.commit(unit.entry(entry)).await.unwrap();
    for sql in [
        "UPDATE ledger_entry SET action = 'x'",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_epoch SET origin = 'x'",
        "DELETE FROM ledger_epoch",
        "UPDATE object_version SET kind = 'x'",
        "DELETE FROM object_version",
        "UPDATE checkpoint SET note = 'x'",
        "DELETE FROM checkpoint",
    ] {
        database.behind(sql).await.expect_err(sql);
    }
    assert_eq!(entries(store.as_ref(), 0).await.len(), 2);
    let args = vec![object.into(), 1_i64.into()];
    assert_eq!(store.query(&objects::VERSION_AT, args).await.unwrap().len(), 1);
    store.close().await;
}

pub async fn nothing_commits_before_the_first_epoch(database: &dyn TestDatabase) {
    let store = database.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    assert_eq!(store.head().await.unwrap(), None);
    let unit = Unit::new();
    let entry = draft(&unit, Action::System);
    let refused = store.commit(unit.entry(entry)).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
    store.close().await;
}
