//! What answers clauses besides registers, procedures, schedules and documents.

use super::{Period, Who};
use crate::text::Text;

/// The checks that the running program computes.
pub const CHECKS: &[&str] = &[
    "access-decisions",
    "accounts-unused",
    "administrators-limit",
    "appointments-separate",
    "break-glass-reviewed",
    "database-durable",
    "encryption-at-rest",
    "individual-accounts",
    "ledger-checkpoint",
    "ledger-complete",
    "ledger-retention",
    "lock-out",
    "password-rules",
    "record-versions",
    "records-retention",
    "second-factors",
    "session-limits",
    "sign-in-notice",
    "transport-encryption",
];

/// 測定: a live check, computed by the running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    /// One of [`CHECKS`].
    pub check: String,
}

/// 申告: a named person's dated statement with evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    /// Who states it; never empty.
    pub owner: Vec<Who>,
    /// How long a statement holds.
    pub valid: Period,
    /// What evidence is asked for.
    pub evidence: Option<Text>,
}

/// An item of the service-specification disclosure statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    /// The document that holds it.
    pub document: String,
}

/// Clauses that ask for nothing (purpose, scope, definitions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Informative {
    /// Never empty.
    pub clauses: Vec<String>,
    /// Why they ask for nothing.
    pub name: Text,
}
