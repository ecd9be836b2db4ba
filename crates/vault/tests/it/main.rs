//! The vault as the rest of the program uses it: through its public API and real files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod chunks;
mod cursors;
mod envelopes;
mod files;
mod hostile;
mod indexes;
mod keys;
mod rotation;
mod shredding;
mod support;
