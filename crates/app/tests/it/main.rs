//! The use cases on a real database, with a real vault and the real rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers: what fails here fails the test"
)]

mod core;
mod import;
mod key_admin;
mod support;
