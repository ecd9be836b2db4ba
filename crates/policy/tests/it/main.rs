//! Tests of the crate through its public interface: one binary.

mod base;
mod decisions;
mod people;
