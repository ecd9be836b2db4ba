//! Hash tiles as they are stored: full ones as rows, partial ones made again from what is below.

use mimamori_domain::{Error, Result};
use mimamori_ledger::{Frontier, Hash, MemoryTiles, TILE_WIDTH, Tile, TileId, leaf_hash};
use mimamori_store::statements::ledger;

use crate::App;

impl App {
    /// The tiles that a proof reads.
    pub(super) async fn tiles(
        &self,
        epoch: u32,
        wanted: impl IntoIterator<Item = TileId>,
    ) -> Result<MemoryTiles> {
        let mut tiles = MemoryTiles::new();
        for id in wanted {
            let hashes = if id.width == TILE_WIDTH {
                self.full_tile(epoch, id).await?
            } else {
                self.partial_tile(epoch, id).await?
            };
            tiles.insert(Tile { id, hashes });
        }
        Ok(tiles)
    }

    async fn full_tile(&self, epoch: u32, id: TileId) -> Result<Vec<Hash>> {
        let args = vec![epoch.into(), i64::from(id.level).into(), id.index.into()];
        match self.store.query_one(&ledger::TILE, args).await? {
            Some(row) => Ok(Tile::from_bytes(id, row.blob(0).map_err(Error::unavailable)?)
                .map_err(Error::unavailable)?
                .hashes),
            None => Err(Error::unavailable(format!("hash tile {} of epoch {epoch} is missing", id.path()))),
        }
    }

    /// A partial tile: leaves are hashed again; above them, a hash is the root of the full tile below.
    async fn partial_tile(&self, epoch: u32, id: TileId) -> Result<Vec<Hash>> {
        let first = id.index * u64::from(TILE_WIDTH);
        let Some(below) = id.level.checked_sub(1) else {
            return self.leaves(epoch, first, first + u64::from(id.width)).await;
        };
        let mut hashes = Vec::with_capacity(usize::from(id.width));
        for index in first..first + u64::from(id.width) {
            let full = self.full_tile(epoch, TileId { level: below, index, width: TILE_WIDTH }).await?;
            let mut tree = Frontier::new();
            full.into_iter().for_each(|hash| tree.push(hash));
            hashes.push(tree.root());
        }
        Ok(hashes)
    }

    /// Leaf hashes of the entries in a range of sequences.
    pub(super) async fn leaves(&self, epoch: u32, from: u64, until: u64) -> Result<Vec<Hash>> {
        let mut leaves = Vec::with_capacity(usize::try_from(until - from).unwrap_or(0));
        while from + (leaves.len() as u64) < until {
            let next = from + leaves.len() as u64;
            let args = vec![epoch.into(), next.into(), until.into(), STRIDE.into()];
            let rows = self.store.query(&ledger::ENTRIES, args).await?;
            if rows.is_empty() {
                return Err(Error::unavailable(format!("entry {next} of epoch {epoch} is missing")));
            }
            for row in rows {
                leaves.push(leaf_hash(row.blob(1).map_err(Error::unavailable)?));
            }
        }
        Ok(leaves)
    }
}

/// Entries read at a time.
pub(super) const STRIDE: i64 = 5_000;
