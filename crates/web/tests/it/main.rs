//! The edge over a real application on SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

mod adoption;
mod fhir;
mod governance;
mod pages;
mod reminders;
mod routes;
mod rules;
mod town;
mod world;
