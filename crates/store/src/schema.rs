//! The schema: one text with placeholders for types, and what truly differs per database.

use std::sync::Arc;

use mimamori_domain::Timestamp;

use crate::driver::{Connection, DriverError, DriverErrorKind, Sql};
use crate::statement::Statement;
use crate::value::ColumnType::{Blob, Int, Text};
use crate::value::{Row, Value};

/// What truly differs between the databases.
#[derive(Debug)]
pub struct Dialect {
    /// For logs: `sqlite`, `postgres`.
    pub name: &'static str,
    pub int: &'static str,
    pub text: &'static str,
    pub blob: &'static str,
    /// What follows the columns of an ordinary table.
    pub table: &'static str,
    /// What follows the columns of a table that is stored in the order of its key.
    pub clustered: &'static str,
    /// Begins a transaction that writes, then reads the ledger's head with [`HEAD_COLUMNS`];
    /// afterwards no other transaction writes until this one ends.
    pub begin_and_lock: &'static str,
    /// Begins the migration's transaction, so that two programs cannot migrate at once.
    pub begin_migration: &'static str,
    /// This database's own additions to a migration, by its number: triggers.
    pub additions: &'static [(i64, &'static str)],
    /// The settings on which it depends that what was acknowledged stays.
    pub durability: &'static [Demand],
}

/// A setting that durability depends on.
#[derive(Debug)]
pub struct Demand {
    /// As the database calls it.
    pub name: &'static str,
    /// Asks the connection that commits for it: one row of one text.
    pub question: &'static str,
    /// The values with which nothing acknowledged is lost.
    pub holds: &'static [&'static str],
}

impl Dialect {
    /// The SQL of a migration for this database.
    #[must_use]
    pub fn migration(&self, migration: &Migration) -> String {
        let mut sql = migration
            .sql
            .replace("{int}", self.int)
            .replace("{text}", self.text)
            .replace("{blob}", self.blob)
            .replace("{table}", self.table)
            .replace("{clustered}", self.clustered);
        for (_, addition) in self.additions.iter().filter(|(number, _)| *number == migration.number) {
            sql.push('\n');
            sql.push_str(addition);
        }
        sql
    }
}

/// One step of the schema's history. Once released, never changed.
#[derive(Debug)]
pub struct Migration {
    pub number: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// All steps, in order, from 1 without gaps.
pub static MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "first schema", sql: include_str!("schema/0001_first_schema.sql") },
    Migration {
        number: 2,
        name: "sort time of versions",
        sql: include_str!("schema/0002_version_sort_time.sql"),
    },
    Migration { number: 3, name: "second factors", sql: include_str!("schema/0003_second_factors.sql") },
    Migration { number: 4, name: "shared ids", sql: include_str!("schema/0004_shared_ids.sql") },
    Migration { number: 5, name: "what was seen", sql: include_str!("schema/0005_seen.sql") },
    Migration { number: 6, name: "seen by person", sql: include_str!("schema/0006_seen_by_person.sql") },
    Migration { number: 7, name: "sessions by time", sql: include_str!("schema/0007_sessions_by_time.sql") },
    Migration {
        number: 8,
        name: "clinical index by code",
        sql: include_str!("schema/0008_clinical_index_by_code.sql"),
    },
    Migration {
        number: 9,
        name: "indexes that answer alone",
        sql: include_str!("schema/0009_indexes_that_answer_alone.sql"),
    },
];

const CREATE_HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
     number {int} NOT NULL PRIMARY KEY, name {text} NOT NULL, applied {int} NOT NULL){table}";

/// Which steps were applied.
pub static HISTORY: Statement = Statement::read(
    "schema_history",
    "SELECT number, name FROM schema_version ORDER BY number",
    &[],
    &[Int, Text],
);

static RECORD_STEP: Statement = Statement::upkeep(
    "schema_record_step",
    "INSERT INTO schema_version (number, name, applied) VALUES ($1, $2, $3)",
    &[Int, Text, Int],
    &[],
);

/// Why the schema could not be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    #[error("the database has schema {found}, this program knows up to {known}: use a newer program")]
    Newer { found: i64, known: i64 },
    #[error("the schema's history differs from the program's at step {0}")]
    Different(i64),
    #[error("migration failed: {0}")]
    Driver(#[from] DriverError),
}

/// Brings the schema up to date, in one transaction. Gives the numbers of the steps applied. A
/// schema that is up to date is only read, so that the program needs no right to change it.
///
/// # Errors
/// [`MigrationError`]; the database is then unchanged.
pub async fn migrate(
    connection: &mut dyn Connection,
    dialect: &'static Dialect,
    now: Timestamp,
) -> Result<Vec<i64>, MigrationError> {
    // Refused: there is no history yet.
    match connection.rows(&Sql::Static(HISTORY.sql), &[], HISTORY.columns).await {
        Ok(rows) if missing(&rows)?.is_empty() => return Ok(Vec::new()),
        Ok(_) | Err(DriverError { kind: DriverErrorKind::Refused, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    connection.script(&Sql::Static(dialect.begin_migration)).await?;
    let applied = migrate_inside(connection, dialect, now).await;
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.script(&Sql::Static(end)).await;
    let applied = applied?;
    ended?;
    Ok(applied)
}

async fn migrate_inside(
    connection: &mut dyn Connection,
    dialect: &'static Dialect,
    now: Timestamp,
) -> Result<Vec<i64>, MigrationError> {
    let history = CREATE_HISTORY
        .replace("{int}", dialect.int)
        .replace("{text}", dialect.text)
        .replace("{table}", dialect.table);
    connection.script(&Sql::Assembled(Arc::from(history))).await?;
    // Read again: another program may have migrated while this one waited for the lock.
    let rows = connection.rows(&Sql::Static(HISTORY.sql), &[], HISTORY.columns).await?;
    let mut applied = Vec::new();
    for step in missing(&rows)? {
        connection.script(&Sql::Assembled(Arc::from(dialect.migration(step)))).await?;
        let args = [Value::Int(step.number), Value::from(step.name), Value::from(now)];
        connection.execute(&Sql::Static(RECORD_STEP.sql), &args).await?;
        applied.push(step.number);
    }
    Ok(applied)
}

/// The steps that a history lacks.
fn missing(history: &[Row]) -> Result<&'static [Migration], MigrationError> {
    let known = MIGRATIONS.last().map_or(0, |last| last.number);
    for (index, row) in history.iter().enumerate() {
        let unreadable = |_| DriverError::new(DriverErrorKind::Refused, "the schema's history is unreadable");
        let (number, name) = (row.int(0).map_err(unreadable)?, row.text(1).map_err(unreadable)?);
        match MIGRATIONS.get(index) {
            None => return Err(MigrationError::Newer { found: number, known }),
            Some(step) if step.number != number || step.name != name => {
                return Err(MigrationError::Different(number));
            }
            Some(_) => {}
        }
    }
    Ok(MIGRATIONS.get(history.len()..).unwrap_or_default())
}

/// Text of the head's reading without a lock.
pub const READ_HEAD: &str = "SELECT epoch, size, recorded, frontier, origin FROM ledger_head WHERE id = 1";

/// Types of [`READ_HEAD`]'s columns.
pub const HEAD_COLUMNS: &[crate::ColumnType] = &[Int, Int, Int, Blob, Text];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_gaps() {
        for (index, step) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(step.number), Ok(index + 1));
        }
    }
}
