//! From times to sequences: recorded time never runs backwards, so a time span is a sequence range.

use mimamori_domain::Timestamp;

use crate::statements::ledger;
use crate::store::{ReadError, Reads};

/// The first sequence of an epoch whose recorded time is at or after `time`; `size` if there is none.
/// `size` is the epoch's number of entries, as the head or the last checkpoint says. A binary search:
/// about 21 look-ups for two million entries.
///
/// # Errors
/// [`ReadError`]
pub async fn sequence_at(
    reads: &dyn Reads,
    epoch: u32,
    size: u64,
    time: Timestamp,
) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = reads.query_one(&ledger::RECORDED_AT, vec![epoch.into(), middle.into()]).await?;
        let recorded = match &row {
            Some(row) => row.time(0)?,
            None => {
                return Err(ReadError::Invalid(format!("entry {middle} of epoch {epoch} is missing")));
            }
        };
        if recorded < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
