//! A new epoch: when an older database was put back on purpose, the log begins anew and its first
//! entry names what was signed before.

use mimamori_domain::{Action, Error, Result};
use mimamori_ledger::{PreviousLog, origin};
use mimamori_store::statements::ledger;
use mimamori_store::{NewEpoch, Unit};

use crate::App;
use crate::access::commit_error;
use crate::caller::Caller;
use crate::record::fault;

impl App {
    /// Begins a new epoch. Only after [`App::open_rolled_back`], when the database is older than what
    /// was signed.
    ///
    /// # Errors
    /// Invalid without a reason; conflict when the database is not older.
    pub async fn new_epoch(&self, caller: &Caller, reason: &str) -> Result<u32> {
        if reason.trim().is_empty() {
            return Err(fault("reason", "a reason is needed", "required"));
        }
        if self.require_not_rolled_back().await.is_ok() {
            return Err(Error::conflict(
                "the database is not older than what was signed; no new epoch is needed",
            ));
        }
        self.require_nobody_signs()?;
        let last = self.last_signed()?.ok_or_else(|| Error::conflict("nothing was signed yet"))?;
        let epoch = last.epoch().unwrap_or(0) + 1;
        let note = self
            .store
            .query_one(&ledger::LATEST_CHECKPOINT, Vec::new())
            .await?
            .map(|row| row.text(3).map(ToOwned::to_owned))
            .transpose()
            .map_err(Error::unavailable)?;
        let unit = Unit::new();
        let mut entry = caller.entry(unit.id, Action::System);
        entry.previous = Some(PreviousLog { origin: last.origin, size: last.size, root: last.root });
        let entry = self.with_sealed(caller, entry, 0, Some(reason))?;
        let new = NewEpoch {
            epoch,
            origin: origin(&self.name, epoch),
            previous_note: note,
            unit: unit.entry(entry),
        };
        self.store.start_epoch(new).await.map_err(commit_error)?;
        Ok(epoch)
    }
}
