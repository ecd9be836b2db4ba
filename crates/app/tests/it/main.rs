//! The use cases on a real database, with a real vault and the real rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, helpers included"
)]

mod accounts_life;
mod administration;
mod adoption;
mod changes;
mod clauses_cities;
mod clauses_identity;
mod clauses_privileges;
#[allow(dead_code, reason = "the storage tests use more of it")]
#[path = "../../../store-postgres/tests/it/cluster.rs"]
mod cluster;
mod common_names;
mod core;
mod credentials;
mod drafts;
mod emergency;
mod fail_closed;
mod governance_duties;
mod governance_people;
mod governance_status;
mod hooked;
mod import;
mod jobs;
mod key_admin;
mod leaving;
mod notebook;
mod notices;
mod office;
mod procedures;
mod programs;
mod property;
mod quiet;
mod record_files;
mod registers;
mod reminders;
mod review_counts;
mod rollback;
mod sessions;
mod shared_ids;
mod signing;
mod single_sign_on;
mod staleness;
mod statements;
mod support;
mod tamper;
mod terminals;
mod town;
mod under_rules;
mod urgent_notes;
mod who_sees;

/// For the throw-away server.
use support::run_sql;
