//! What the rest of the program relies on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests and their helpers")]

mod answers;
mod bundles;
mod examples;
mod hostile;
mod out;
mod searching;
mod validation;

use mimamori_fhir::{Limits, Resource, parse};

/// A resource that must be readable.
fn read(json: &str) -> Resource {
    parse(json.as_bytes(), &Limits::default()).unwrap_or_else(|issues| panic!("{issues:?}: {json}"))
}
