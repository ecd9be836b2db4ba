//! SQLite's result codes (sqlite.org/rescode.html) as kinds of failure.

use mimamori_store::driver::{DriverError, DriverErrorKind};

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const OUT_OF_MEMORY: i32 = 7;
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;
const IO_FSYNC: i32 = 1034;
const IO_DIR_FSYNC: i32 = 1290;
const CONSTRAINT_PRIMARY_KEY: i32 = 1555;
const CONSTRAINT_UNIQUE: i32 = 2067;
const CONSTRAINT_ROW_ID: i32 = 2579;

pub(crate) fn driver_error(error: sqlx::Error) -> DriverError {
    match &error {
        sqlx::Error::Database(told) => {
            let code = told.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            // SQLite's messages name tables and columns, never values.
            DriverError::new(kind(code), format!("SQLite {code}: {}", told.message()))
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
            DriverError::new(DriverErrorKind::Connection, error.to_string())
        }
        _ => DriverError::new(DriverErrorKind::Refused, error.to_string()),
    }
}

/// The same of what only reads.
pub(crate) fn read_error(error: rusqlite::Error) -> DriverError {
    let (told, message) = match error {
        rusqlite::Error::SqliteFailure(told, message) => (told, message.unwrap_or_default()),
        other => return DriverError::new(DriverErrorKind::Refused, other.to_string()),
    };
    let code = told.extended_code;
    DriverError::new(kind(code), format!("SQLite {code}: {message}"))
}

fn kind(code: i32) -> DriverErrorKind {
    match (code, code & 0xff) {
        (IO_FSYNC | IO_DIR_FSYNC, _) => DriverErrorKind::Fatal,
        (CONSTRAINT_PRIMARY_KEY | CONSTRAINT_UNIQUE | CONSTRAINT_ROW_ID, _) => DriverErrorKind::Unique,
        (_, BUSY | LOCKED) => DriverErrorKind::Busy,
        (_, OUT_OF_MEMORY | READ_ONLY | IO | CORRUPT | FULL | CANNOT_OPEN | NOT_A_DATABASE) => {
            DriverErrorKind::Unavailable
        }
        _ => DriverErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fsync_is_fatal_and_other_disk_errors_pass() {
        assert_eq!(kind(IO_FSYNC), DriverErrorKind::Fatal);
        assert_eq!(kind(IO_DIR_FSYNC), DriverErrorKind::Fatal);
        // SQLITE_IOERR_WRITE
        assert_eq!(kind(778), DriverErrorKind::Unavailable);
        assert_eq!(kind(FULL), DriverErrorKind::Unavailable);
        // SQLITE_READONLY_DBMOVED
        assert_eq!(kind(1032), DriverErrorKind::Unavailable);
        // SQLITE_BUSY_SNAPSHOT
        assert_eq!(kind(517), DriverErrorKind::Busy);
        // SQLITE_CONSTRAINT_TRIGGER
        assert_eq!(kind(1811), DriverErrorKind::Refused);
    }
}
