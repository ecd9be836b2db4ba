//! Integration tests of the ledger, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod copies;
mod entries;
mod notes;
mod sample;
mod signing;
mod tree;
mod vectors;
