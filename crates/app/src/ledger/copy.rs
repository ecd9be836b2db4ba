//! What others check for themselves: receipts for single entries, and whole copies.

use std::path::Path;

use mimamori_domain::{Error, ErrorKind, Result};
use mimamori_ledger::{Exporter, Receipt, SignedCheckpoint, inclusion_proof, tiles_for_inclusion};
use mimamori_store::statements::ledger;

use super::tiles::STRIDE;
use crate::App;

impl App {
    /// A receipt for one entry: its bytes, the proof that it is in the tree, and the checkpoint
    /// (C2SP `tlog-proof`). It can be checked without this program.
    ///
    /// # Errors
    /// Not found when there is no such entry, or it is newer than the last checkpoint.
    pub async fn prove(&self, epoch: u32, sequence: u64) -> Result<String> {
        let none = || Error::new(ErrorKind::NotFound, "there is no signed entry of this number");
        let args = vec![epoch.into(), (sequence + 1).into()];
        let row = self.store.query_one(&ledger::CHECKPOINT_COVERING, args).await?.ok_or_else(none)?;
        let note = row.text(3).map_err(Error::unavailable)?;
        let checkpoint = SignedCheckpoint::parse(note).map_err(Error::unavailable)?;
        let size = checkpoint.unverified().size;
        let args = vec![epoch.into(), sequence.into(), (sequence + 1).into(), 1_i64.into()];
        let mut rows = self.store.query(&ledger::ENTRIES, args).await?;
        let entry = rows.first_mut().ok_or_else(none)?.take_blob(1).map_err(Error::unavailable)?;
        let wanted = tiles_for_inclusion(sequence, size).map_err(Error::unavailable)?;
        let tiles = self.tiles(epoch, wanted).await?;
        let proof = inclusion_proof(&tiles, sequence, size).map_err(Error::unavailable)?;
        Ok(Receipt::new(entry, sequence, proof, checkpoint).to_string())
    }

    /// Writes a copy of the whole ledger (C2SP `tlog-tiles`: bundles, hash tiles, checkpoints) into a
    /// new folder. Gives the number of entries. `progress` is told entries done and in all.
    ///
    /// # Errors
    /// Unavailable; an unfinished copy has no checkpoint.
    pub async fn export_ledger(
        &self,
        dir: &Path,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<u64> {
        let mut done = 0;
        for row in self.store.query(&ledger::EPOCHS, Vec::new()).await? {
            let epoch = row.epoch(0).map_err(Error::unavailable)?;
            let mut notes = self.checkpoints(epoch).await?;
            let Some(last) = notes.pop() else { continue };
            let size = last.unverified().size;
            let mut exporter = Exporter::create(dir, epoch).map_err(Error::unavailable)?;
            while exporter.size() < size {
                let args = vec![epoch.into(), exporter.size().into(), size.into(), STRIDE.into()];
                let rows = self.store.query(&ledger::ENTRIES, args).await?;
                if rows.is_empty() {
                    return Err(Error::unavailable(format!(
                        "entry {} of epoch {epoch} is missing",
                        exporter.size()
                    )));
                }
                for row in rows {
                    exporter.push(row.blob(1).map_err(Error::unavailable)?).map_err(Error::unavailable)?;
                }
                progress(done + exporter.size(), done + size);
            }
            exporter.finish(&last, notes).map_err(Error::unavailable)?;
            done += size;
        }
        Ok(done)
    }

    /// The checkpoints of an epoch in ascending size.
    pub(super) async fn checkpoints(&self, epoch: u32) -> Result<Vec<SignedCheckpoint>> {
        let mut found: Vec<SignedCheckpoint> = Vec::new();
        let mut above = -1_i64;
        loop {
            let rows = self
                .store
                .query(&ledger::CHECKPOINTS, vec![epoch.into(), above.into(), STRIDE.into()])
                .await?;
            let last = rows.len() < usize::try_from(STRIDE).unwrap_or(usize::MAX);
            for row in rows {
                above = row.int(1).map_err(Error::unavailable)?;
                let note = row.text(3).map_err(Error::unavailable)?;
                found.push(SignedCheckpoint::parse(note).map_err(Error::unavailable)?);
            }
            if last {
                return Ok(found);
            }
        }
    }
}
