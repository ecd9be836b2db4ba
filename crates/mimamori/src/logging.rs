//! Log lines: to standard error, with fixed field names, never with personal data.
//!
//! Field names, so that logs can be searched: `listener` (staff, fhir), `address` (of a socket),
//! `peer` (address of the other side), `connections`, `reason` (a fixed word), `error` (operator's
//! detail), `size` (of the ledger), `elapsed_ms`, `instance`, `version`.

use tracing_subscriber::EnvFilter;

use crate::config::{Level, Log, LogFormat};

/// Starts logging for the whole program. A second call changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    // Statements of the database library never go to the log: they could carry a person's data. Nor do
    // paths of requests, which the HTTP layers' own lines hold.
    let filter = EnvFilter::new(format!("{level},sqlx=off,hyper=warn,rustls=warn,tower_http=warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that logging is on already, which is what was asked for.
    let _already = match log.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
}
