//! Tests of the program from the outside: its sockets, its command line, its crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so at once"
)]

mod support;

mod cli;
mod demo;
mod dependencies;
mod http;
mod mail;
mod tls;
