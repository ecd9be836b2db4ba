//! A whole city, looked at from outside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod notes;
mod papers;
mod standard;
mod whole;

use mimamori_demo::{City, Options, Person};
use mimamori_domain::Timestamp;

/// 2026-11-21 18:00 in Japan.
pub fn today() -> Timestamp {
    "2026-11-21T09:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

pub fn make(options: &Options) -> (City, Vec<Person>) {
    let city = mimamori_demo::city(options);
    let people = mimamori_demo::people(options, &city).collect();
    (city, people)
}

pub fn read(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}
