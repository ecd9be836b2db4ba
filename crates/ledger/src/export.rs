//! Writing a copy of the ledger that can be verified anywhere: bundles, tiles, checkpoints.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::tile::TileBuilder;
use crate::{
    BUNDLE_ENTRIES, BundleError, Frontier, Hash, SignedCheckpoint, Tile, bundle_path, encode_bundle,
    leaf_hash,
};

/// The file with an epoch's last checkpoint.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";
/// The file with earlier checkpoints of an epoch, one after the other, an empty line between them.
pub(crate) const CHECKPOINTS_FILE: &str = "checkpoints";

/// The folder of an epoch in a copy: `epoch-<n>`.
#[must_use]
pub fn epoch_folder(epoch: u32) -> String {
    format!("epoch-{epoch}")
}

/// Writes one epoch of a copy. What it writes is not fsynced: a copy is checked by verifying it.
#[derive(Debug)]
pub struct Exporter {
    folder: PathBuf,
    frontier: Frontier,
    tiles: TileBuilder,
    bundle: Vec<Vec<u8>>,
}

/// Why a copy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Copies are never written over.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The entries that were pushed are not those that were signed.
    #[error("the checkpoint is of size {signed}, written were {written} entries, or their root differs")]
    OtherCheckpoint { signed: u64, written: u64 },
}

impl Exporter {
    /// Begins `<dir>/epoch-<n>`.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when that folder is there; [`ExportError::Io`].
    pub fn create(dir: &Path, epoch: u32) -> Result<Self, ExportError> {
        let folder = dir.join(epoch_folder(epoch));
        fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
        fs::create_dir(&folder).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => ExportError::Exists(folder.clone()),
            _ => io_error(&folder, source),
        })?;
        Ok(Self { folder, frontier: Frontier::new(), tiles: TileBuilder::default(), bundle: Vec::new() })
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// [`ExportError::Bundle`] for an entry that is too long; [`ExportError::Io`].
    pub fn push(&mut self, entry: &[u8]) -> Result<(), ExportError> {
        let leaf = leaf_hash(entry);
        let mut full = Vec::new();
        full.extend(self.tiles.add(0, leaf));
        let tiles = &mut self.tiles;
        self.frontier.push_and_see(leaf, |height, _, hash| full.extend(tiles.subtree(height, *hash)));
        for tile in full {
            self.write_tile(&tile)?;
        }
        self.bundle.push(entry.to_vec());
        if self.bundle.len() == usize::from(BUNDLE_ENTRIES) { self.write_bundle() } else { Ok(()) }
    }

    /// The number of entries written.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over the entries written.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Writes what is partial, the earlier checkpoints (in ascending size) and last of all the
    /// checkpoint over everything; a copy without it is not finished.
    ///
    /// # Errors
    /// [`ExportError::OtherCheckpoint`] when it does not fit the entries; [`ExportError::Io`].
    pub fn finish(
        mut self,
        checkpoint: &SignedCheckpoint,
        earlier: impl IntoIterator<Item = SignedCheckpoint>,
    ) -> Result<(), ExportError> {
        let stated = checkpoint.unverified();
        if (stated.size, stated.root) != (self.size(), self.root()) {
            return Err(ExportError::OtherCheckpoint { signed: stated.size, written: self.size() });
        }
        if !self.bundle.is_empty() {
            self.write_bundle()?;
        }
        for tile in std::mem::take(&mut self.tiles).finish() {
            self.write_tile(&tile)?;
        }
        self.write_earlier(earlier)?;
        self.write(CHECKPOINT_FILE, checkpoint.to_string().as_bytes())
    }

    fn write_earlier(&self, earlier: impl IntoIterator<Item = SignedCheckpoint>) -> Result<(), ExportError> {
        let mut earlier = earlier.into_iter().peekable();
        if earlier.peek().is_none() {
            return Ok(());
        }
        let path = self.folder.join(CHECKPOINTS_FILE);
        let write = || {
            let mut file = BufWriter::new(File::create(&path)?);
            let mut between = "";
            for checkpoint in earlier {
                write!(file, "{between}{checkpoint}")?;
                between = "\n";
            }
            file.flush()
        };
        write().map_err(|source| io_error(&path, source))
    }

    fn write_bundle(&mut self) -> Result<(), ExportError> {
        let bytes = encode_bundle(&self.bundle)?;
        let last = self.frontier.size().saturating_sub(1);
        // At most 256 are collected.
        let width = u16::try_from(self.bundle.len()).unwrap_or(BUNDLE_ENTRIES);
        self.write(&bundle_path(last / u64::from(BUNDLE_ENTRIES), width), &bytes)?;
        self.bundle.clear();
        Ok(())
    }

    fn write_tile(&self, tile: &Tile) -> Result<(), ExportError> {
        self.write(&tile.id.path(), &tile.to_bytes())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.folder.join(path);
        let write = || match fs::write(&path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&path, bytes)
            }
            written => written,
        };
        write().map_err(|source| io_error(&path, source))
    }
}

fn io_error(path: &Path, source: io::Error) -> ExportError {
    ExportError::Io { path: path.to_owned(), source }
}
