//! PostgreSQL's SQLSTATE codes (manual, appendix A) as kinds of failure.

use mimamori_store::driver::{DriverError, DriverErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

pub(crate) fn driver_error(error: sqlx::Error) -> DriverError {
    match &error {
        sqlx::Error::Database(told) => match told.try_downcast_ref::<PgDatabaseError>() {
            Some(told) => database_error(told),
            None => DriverError::new(DriverErrorKind::Refused, "an unknown database error"),
        },
        sqlx::Error::PoolTimedOut => {
            DriverError::new(DriverErrorKind::Unavailable, "no connection was free or could be made in time")
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::Decode(_) => DriverError::new(DriverErrorKind::Refused, "a column is of another type"),
        sqlx::Error::Encode(_) => DriverError::new(DriverErrorKind::Refused, "a value cannot be sent"),
        // Broken streams, TLS, protocol: the connection is of no use any more.
        _ => DriverError::new(DriverErrorKind::Connection, error.to_string()),
    }
}

/// Messages may quote values (class 22 and 23), so only codes and names of ours are passed on.
fn database_error(told: &PgDatabaseError) -> DriverError {
    let place = told.constraint().or(told.table()).unwrap_or_default();
    let quiet = told.code().starts_with("22") || told.code().starts_with("23");
    let message = if quiet { "" } else { told.message() };
    let detail = format!("PostgreSQL {} {place} {message}", told.code());
    let kind = if told.severity() == PgSeverity::Panic { DriverErrorKind::Fatal } else { kind(told.code()) };
    DriverError::new(kind, detail.trim_end())
}

/// The kinds of codes, the longest prefix first.
static KINDS: &[(&str, DriverErrorKind)] = &[
    ("23505", DriverErrorKind::Unique),
    // Read-only: perhaps a demoted primary. A new connection may reach the new one.
    ("25006", DriverErrorKind::Connection),
    ("40", DriverErrorKind::Busy),
    ("55P03", DriverErrorKind::Busy),
    // Statement time-out.
    ("57014", DriverErrorKind::Busy),
    ("57P", DriverErrorKind::Connection),
    ("25P03", DriverErrorKind::Connection),
    ("08", DriverErrorKind::Connection),
    ("28", DriverErrorKind::Unavailable),
    ("3D", DriverErrorKind::Unavailable),
    ("53", DriverErrorKind::Unavailable),
    ("58", DriverErrorKind::Unavailable),
    ("XX", DriverErrorKind::Unavailable),
];

fn kind(code: &str) -> DriverErrorKind {
    KINDS
        .iter()
        .find(|(prefix, _)| code.starts_with(prefix))
        .map_or(DriverErrorKind::Refused, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        for (code, expected) in [
            ("23505", DriverErrorKind::Unique),
            ("23514", DriverErrorKind::Refused),
            ("P0001", DriverErrorKind::Refused),
            ("42P01", DriverErrorKind::Refused),
            ("40P01", DriverErrorKind::Busy),
            ("57P01", DriverErrorKind::Connection),
            ("53100", DriverErrorKind::Unavailable),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
