//! The stored hash tiles against the tree that the entries make: proofs are read from them.

use mimamori_domain::{Error, Result};
use mimamori_ledger::{Finding, Problem, TileCheck, TileId, first_under};
use mimamori_store::statements::ledger;

use super::Walk;

/// Tiles asked for at a time: 8 kB each.
const TILES: i64 = 256;

impl Walk<'_> {
    /// Compares every stored tile of an epoch; up to the last signed size, none may be missing.
    pub(super) async fn tiles(&mut self, epoch: u32, tiles: &mut TileCheck, signed: u64) -> Result<()> {
        for row in self.reads.query(&ledger::TILE_LEVELS, vec![epoch.into()]).await? {
            let stored = row.int(0).map_err(Error::unavailable)?;
            match u8::try_from(stored) {
                Ok(level) => self.level(epoch, level, tiles).await?,
                Err(_) => self.found(format!("epoch {epoch}: ledger_tile has a level {stored}")),
            }
        }
        for id in tiles.missing(signed) {
            self.tile(epoch, id, Problem::TileMissing(id));
        }
        Ok(())
    }

    async fn level(&mut self, epoch: u32, level: u8, tiles: &mut TileCheck) -> Result<()> {
        let mut next = i64::MIN;
        loop {
            let args = vec![epoch.into(), i64::from(level).into(), next.into(), TILES.into()];
            let rows = self.reads.query(&ledger::TILES, args).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                let stored = row.int(0).map_err(Error::unavailable)?;
                let bytes = row.blob(1).map_err(Error::unavailable)?;
                // No tree has a tile of a negative index, nor one of the greatest.
                let index = u64::try_from(stored).unwrap_or(u64::MAX);
                if let Some(problem) = tiles.compare(level, index, bytes) {
                    let id = TileId { level, index, width: mimamori_ledger::TILE_WIDTH };
                    self.tile(epoch, id, problem);
                }
                next = stored.saturating_add(1);
            }
            if next == i64::MAX {
                return Ok(());
            }
        }
    }

    fn tile(&mut self, epoch: u32, id: TileId, problem: Problem) {
        self.found(Finding { epoch, sequence: first_under(id), problem }.to_string());
    }
}
