//! Who of this folder held the signer's lease last, so that whoever starts after a crash need not wait
//! until the lease runs out.
//!
//! A process notes its instance id beside the lock that it holds while it signs. Who holds the same lock
//! later (by its name, see [`SignerState::lock_name`](mimamori_ledger::SignerState::lock_name)) knows
//! that the one noted has let go of it. Fencing makes its late writes fail all the same.

use std::fs;
use std::path::Path;

use mimamori_domain::InstanceId;

const FILE: &str = "signer.holder";
const FIRST_LINE: &str = "mimamori-signer-holder/1";

/// The instance that held the lock of this name before.
pub(super) fn last(folder: &Path, lock: &str) -> Option<InstanceId> {
    let content = fs::read_to_string(folder.join(FILE)).ok()?;
    let mut lines = content.lines();
    let (first, instance, of) = (lines.next()?, lines.next()?, lines.next()?);
    // The end of the last line shows that the whole of it was written.
    let whole = first == FIRST_LINE && content.ends_with('\n') && lines.next().is_none();
    if whole && of == lock { instance.parse().ok() } else { None }
}

/// Notes who holds the lock and the lease. If that fails, the next one only waits.
pub(super) fn note(folder: &Path, instance: InstanceId, lock: &str) {
    let content = format!("{FIRST_LINE}\n{instance}\n{lock}\n");
    if let Err(error) = fs::write(folder.join(FILE), content) {
        tracing::debug!(%error, "the signer's holder was not noted");
    }
}
