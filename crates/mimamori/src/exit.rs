//! How a command ends: one table of exit codes, and failures that say what to do next.
//!
//! Codes from 64 on follow `sysexits.h`, so that service managers and scripts can tell a wrong
//! setting from a database that is away.

use std::fmt;
use std::process::ExitCode;

use mimamori_domain::{Error, ErrorKind};

/// How a command ended. The number is what the shell sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Partly = 2,
    Usage = 64,
    Unavailable = 69,
    Internal = 70,
    CannotCreate = 73,
    Findings = 74,
    Busy = 75,
    Refused = 77,
    Configuration = 78,
}

/// Every exit code with its meaning, as `mimamori --help` and the README show it.
pub const TABLE: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Failed, "failed; nothing was changed"),
    (Exit::Partly, "partly done; what was left out is listed"),
    (Exit::Usage, "the command line is wrong"),
    (Exit::Unavailable, "database, ledger, key or address not available"),
    (Exit::Internal, "fault of the program, or the disk failed to keep what was written"),
    (Exit::CannotCreate, "a file or folder cannot be made, or is there already"),
    (Exit::Findings, "integrity findings: something does not match the ledger"),
    (Exit::Busy, "too busy; try again later"),
    (Exit::Refused, "not permitted"),
    (Exit::Configuration, "the configuration is wrong"),
];

impl Exit {
    /// The number the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The exit-code table as text, one code a line.
#[must_use]
pub fn table_text() -> String {
    let rows: Vec<String> =
        TABLE.iter().map(|(exit, meaning)| format!("  {:>3}  {meaning}", exit.code())).collect();
    format!("Exit codes:\n{}", rows.join("\n"))
}

/// A failure of a command: what happened, what to do next, and the exit code.
#[derive(Debug, Clone)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    /// What the operator can do about it.
    pub next: Option<String>,
}

/// A result of a command or a part of one.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// A file or folder that could not be read or written.
    #[must_use]
    pub fn io(exit: Exit, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(exit, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.next {
            Some(next) => write!(f, "\n  {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Which exit code and which advice each kind of failure of a use case gives.
const KINDS: &[(ErrorKind, Exit, Option<&str>)] = &[
    (ErrorKind::Invalid, Exit::Failed, None),
    (ErrorKind::Unauthenticated, Exit::Refused, None),
    (ErrorKind::Forbidden, Exit::Refused, Some("`mimamori policy explain` says why.")),
    (ErrorKind::NotFound, Exit::Failed, None),
    (ErrorKind::Gone, Exit::Failed, None),
    (ErrorKind::Conflict, Exit::Failed, None),
    (ErrorKind::Busy, Exit::Busy, None),
    (ErrorKind::TooLarge, Exit::Failed, None),
    (ErrorKind::Unavailable, Exit::Unavailable, Some("`mimamori doctor` looks for the cause.")),
    (ErrorKind::Internal, Exit::Internal, None),
];

impl From<Error> for Failure {
    /// Whoever runs a command is the operator: they see the detail too.
    fn from(error: Error) -> Self {
        let row = KINDS.iter().find(|(kind, ..)| *kind == error.kind());
        let (exit, next) = row.map_or((Exit::Internal, None), |(_, exit, next)| (*exit, *next));
        let failure = Self::new(exit, error.to_string());
        match next {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_stands_once_in_the_table() {
        let mut codes: Vec<u8> = TABLE.iter().map(|(exit, _)| exit.code()).collect();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(codes.is_sorted());
        assert!(table_text().contains(" 74  integrity findings"));
    }

    #[test]
    fn an_operator_sees_the_detail_and_what_to_do() {
        let failure = Failure::from(Error::unavailable("database is away"));
        assert_eq!(failure.exit, Exit::Unavailable);
        let text = failure.to_string();
        assert!(text.contains("database is away") && text.contains("mimamori doctor"), "{text}");
    }
}
