//! Tests of the crate through its public interface: one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod any_pack;
mod base;
mod decisions;
mod explanations;
mod fuzzed;
mod how_to;
mod loading;
mod matrix;
mod mutations;
mod objects;
mod packs;
mod people;
mod properties;
