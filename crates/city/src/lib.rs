//! Lets the made-up city live: who works there and whom it cares for are registered, and half a year of
//! both happens, through the same use cases as everything else. Its records have authors, its ledger is
//! real. What people write comes from `mimamori-demo`.

mod care;
mod cases;
mod cast;
mod fill;
mod forms;
mod history;
mod plan;
mod rules;
mod sign_ins;
mod sitting;
mod tally;

pub use fill::{Fill, Filled, Holder, LeftOut, Progress};
pub use rules::lived_in;
pub use sign_ins::sign_ins;
pub use tally::{Entries, Tally};

/// Everybody in the city signs in with it. No secret: the people are made up, and a demonstration
/// listens on this machine only.
pub const PASSWORD: &str = "Sakura-no-hana-2026";
