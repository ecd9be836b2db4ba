//! The edge over a real application on SQLite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, helpers included: what fails here fails the test"
)]

mod adoption;
mod around;
mod carried;
mod changes;
mod citizens;
mod clauses_identity;
mod fhir;
mod governance;
#[allow(dead_code, reason = "the tests of the use cases use more of it")]
#[path = "../../../app/tests/it/hooked.rs"]
mod hooked;
mod notebook;
mod pages;
mod papers;
mod programs;
mod reminders;
mod routes;
mod rules;
mod terminals;
mod town;
mod world;
