//! The ledger beyond its entries: signed checkpoints, receipts, copies for others, verification,
//! and a new epoch after an older database was put back.

mod checkpoint;
mod copy;
mod epoch;
mod holder;
mod tiles;
mod verify;

pub(crate) use checkpoint::{Signing, TILE_STEP};
pub use verify::VerifyReport;
