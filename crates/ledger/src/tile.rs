//! Hash tiles and entry bundles in the layout of C2SP `tlog-tiles`.
//!
//! A tile of level `l` holds up to 256 consecutive roots of perfect subtrees of height `8 * l`
//! (leaf hashes at level 0). A bundle holds the entries whose hashes a level-0 tile holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Frontier, Hash, MAX_ENTRY_BYTES, Problem};

/// The hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// The entries in a full bundle.
pub const BUNDLE_ENTRIES: u16 = TILE_WIDTH;

/// Names one tile of a tree of a certain size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for leaf hashes; each level above stands for 256 times as many leaves.
    pub level: u8,
    /// The place of the tile in its level.
    pub index: u64,
    /// The number of hashes in it: 1 to 256; a partial tile has less than 256.
    pub width: u16,
}

impl TileId {
    /// The path below the log's prefix: `tile/<level>/<index>`, and `.p/<width>` when partial.
    #[must_use]
    pub fn path(&self) -> String {
        path(&self.level.to_string(), self.index, self.width)
    }
}

/// The path of a bundle below the log's prefix: `tile/entries/<index>`, and `.p/<width>` when partial.
#[must_use]
pub fn bundle_path(index: u64, width: u16) -> String {
    path("entries", index, width)
}

fn path(level: &str, index: u64, width: u16) -> String {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    let mut path = format!("tile/{level}");
    for (left, group) in groups.iter().enumerate().rev() {
        let mark = if left > 0 { "x" } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(path, "/{mark}{group:03}");
    }
    if width < TILE_WIDTH {
        let _ = write!(path, ".p/{width}");
    }
    path
}

/// A tile with its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which tile, and how wide.
    pub id: TileId,
    /// As many as the id's width.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// The file's bytes: the hashes one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// Reads the file of a tile. One that is wider than asked for (a later state of the same tile)
    /// is cut to the width.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] when it is narrower, wider than 256, or not whole hashes.
    pub fn from_bytes(id: TileId, bytes: &[u8]) -> Result<Self, SourceError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        match hashes.get(..usize::from(id.width)) {
            Some(wanted) if rest.is_empty() && hashes.len() <= usize::from(TILE_WIDTH) => {
                Ok(Self { id, hashes: wanted.to_vec() })
            }
            _ => Err(SourceError::Malformed(id)),
        }
    }
}

/// Where the hashes of a tree come from.
pub trait HashSource {
    /// The first `id.width` hashes of a tile; the stored tile may meanwhile be wider.
    ///
    /// # Errors
    /// [`SourceError`] when there is no such tile, or it cannot be read.
    fn tile(&self, id: TileId) -> Result<Vec<Hash>, SourceError>;
}

/// Why a tile could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("there is no tile {}", .0.path())]
    Missing(TileId),
    #[error("tile {} does not have the form of one", .0.path())]
    Malformed(TileId),
    /// The cause in words, for the operator.
    #[error("tile {} could not be read: {cause}", .id.path())]
    Unreadable { id: TileId, cause: String },
}

/// Tiles kept in memory: the widest state of each that was put in.
///
/// A store whose reading is asynchronous fetches what [`tiles_for_growth`],
/// [`tiles_for_inclusion`](crate::tiles_for_inclusion) or
/// [`tiles_for_consistency`](crate::tiles_for_consistency) name, puts it in here, and computes.
#[derive(Debug, Clone, Default)]
pub struct MemoryTiles(BTreeMap<(u8, u64), Vec<Hash>>);

impl MemoryTiles {
    /// Without any tile.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Keeps a tile, unless a wider state of it is here already.
    pub fn insert(&mut self, tile: Tile) {
        let kept = self.0.entry((tile.id.level, tile.id.index)).or_default();
        if tile.hashes.len() > kept.len() {
            *kept = tile.hashes;
        }
    }
}

impl Extend<Tile> for MemoryTiles {
    fn extend<T: IntoIterator<Item = Tile>>(&mut self, tiles: T) {
        tiles.into_iter().for_each(|tile| self.insert(tile));
    }
}

impl HashSource for MemoryTiles {
    fn tile(&self, id: TileId) -> Result<Vec<Hash>, SourceError> {
        self.0
            .get(&(id.level, id.index))
            .and_then(|hashes| hashes.get(..usize::from(id.width)))
            .map(<[Hash]>::to_vec)
            .ok_or(SourceError::Missing(id))
    }
}

/// Every tile of a tree of this size, level by level.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    levels(size).flat_map(|(level, hashes)| {
        (0..hashes.div_ceil(u64::from(TILE_WIDTH))).map(move |index| tile_at(level, index, hashes))
    })
}

/// The partial tiles of a tree of this size: what [`grow`] reads.
pub fn tiles_for_growth(size: u64) -> impl Iterator<Item = TileId> {
    levels(size)
        .filter(|(_, hashes)| hashes % u64::from(TILE_WIDTH) > 0)
        .map(|(level, hashes)| tile_at(level, hashes / u64::from(TILE_WIDTH), hashes))
}

/// The tiles that are new or wider when a tree of `old_size` leaves grows by `leaves`: full ones
/// and, for the new size, partial ones.
///
/// # Errors
/// [`SourceError`] when a partial tile of the old size could not be had.
pub fn grow(source: &dyn HashSource, old_size: u64, leaves: &[Hash]) -> Result<Vec<Tile>, SourceError> {
    let mut tiles = Vec::new();
    let mut added = leaves.to_vec();
    let mut old_hashes = old_size;
    for level in 0_u8.. {
        if added.is_empty() {
            break;
        }
        let first = old_hashes / u64::from(TILE_WIDTH);
        let mut hashes = match u16::try_from(old_hashes % u64::from(TILE_WIDTH)) {
            Ok(width @ 1..) => source.tile(TileId { level, index: first, width })?,
            _ => Vec::new(),
        };
        hashes.append(&mut added);
        for (index, chunk) in (first..).zip(hashes.chunks(usize::from(TILE_WIDTH))) {
            // A chunk is at most 256 long.
            let width = u16::try_from(chunk.len()).unwrap_or(TILE_WIDTH);
            if width == TILE_WIDTH {
                added.push(root_of(chunk));
            }
            tiles.push(Tile { id: TileId { level, index, width }, hashes: chunk.to_vec() });
        }
        old_hashes /= u64::from(TILE_WIDTH);
    }
    Ok(tiles)
}

/// Collects the hashes of each level as a tree grows from nothing, and gives tiles as they fill.
#[derive(Debug, Default)]
pub(crate) struct TileBuilder {
    levels: Vec<Level>,
}

#[derive(Debug, Default)]
struct Level {
    /// Tiles given so far.
    index: u64,
    hashes: Vec<Hash>,
}

impl TileBuilder {
    /// The next hash of a level.
    pub(crate) fn add(&mut self, level: u8, hash: Hash) -> Option<Tile> {
        let place = usize::from(level);
        if self.levels.len() <= place {
            self.levels.resize_with(place + 1, Level::default);
        }
        let found = self.levels.get_mut(place)?;
        found.hashes.push(hash);
        (found.hashes.len() == usize::from(TILE_WIDTH)).then(|| found.take(level))
    }

    /// A perfect subtree, of which those of height 8, 16, ... are in tiles above the leaves.
    pub(crate) fn subtree(&mut self, height: u32, hash: Hash) -> Option<Tile> {
        let level = u8::try_from(height / 8).ok()?;
        if height.is_multiple_of(8) { self.add(level, hash) } else { None }
    }

    /// The partial tiles that are left.
    pub(crate) fn finish(mut self) -> impl Iterator<Item = Tile> {
        let mut left = Vec::new();
        for (level, found) in (0_u8..).zip(&mut self.levels) {
            if !found.hashes.is_empty() {
                left.push(found.take(level));
            }
        }
        left.into_iter()
    }
}

impl Level {
    fn take(&mut self, level: u8) -> Tile {
        let hashes = std::mem::take(&mut self.hashes);
        // At most 256 are collected.
        let width = u16::try_from(hashes.len()).unwrap_or(TILE_WIDTH);
        let id = TileId { level, index: self.index, width };
        self.index += 1;
        Tile { id, hashes }
    }
}

/// Compares full tiles that are kept somewhere with the tree that the entries make. It remembers one
/// root for each tile instead of the tile: the root of 256 hashes stands for all of them.
#[derive(Debug, Default)]
pub struct TileCheck {
    /// By level and index; a tile that was looked at is taken out.
    roots: Vec<Vec<Option<Hash>>>,
}

impl TileCheck {
    /// For a tree from its first entry.
    #[must_use]
    pub const fn new() -> Self {
        Self { roots: Vec::new() }
    }

    /// The next perfect subtree that became whole, as
    /// [`TreeVerifier::push_and_read`](crate::TreeVerifier::push_and_read) tells of them.
    #[inline]
    pub fn completed(&mut self, height: u32, root: &Hash) {
        if !height.is_multiple_of(8) {
            return;
        }
        let level = (height / 8).saturating_sub(1) as usize;
        if self.roots.len() <= level {
            self.roots.resize_with(level + 1, Vec::new);
        }
        if let Some(roots) = self.roots.get_mut(level) {
            roots.push(Some(*root));
        }
    }

    /// What is wrong with a stored full tile, if anything.
    pub fn compare(&mut self, level: u8, index: u64, bytes: &[u8]) -> Option<Problem> {
        let id = TileId { level, index, width: TILE_WIDTH };
        let root = self.roots.get_mut(usize::from(level)).and_then(|roots| {
            let index = usize::try_from(index).ok()?;
            roots.get_mut(index)?.take()
        });
        match root {
            None => Some(Problem::TileBeyondEnd(id)),
            Some(root) => match Tile::from_bytes(id, bytes) {
                Ok(tile) if bytes.len() == FULL_BYTES && root_of(&tile.hashes) == root => None,
                _ => Some(Problem::TileDiffers(id)),
            },
        }
    }

    /// The full tiles of a tree of this size that were not compared: they are not there.
    pub fn missing(&self, size: u64) -> impl Iterator<Item = TileId> {
        levels(size).zip(&self.roots).flat_map(|((level, hashes), roots)| {
            (0..hashes / u64::from(TILE_WIDTH))
                .zip(roots)
                .filter(|(_, root)| root.is_some())
                .map(move |(index, _)| TileId { level, index, width: TILE_WIDTH })
        })
    }
}

/// The bytes of a full tile.
const FULL_BYTES: usize = 32 * TILE_WIDTH as usize;

/// The first entry under a tile.
#[must_use]
pub fn first_under(id: TileId) -> Option<u64> {
    let span = 1_u64.checked_shl(8 * (u32::from(id.level) + 1))?;
    id.index.checked_mul(span)
}

/// The root over consecutive hashes of one level.
pub(crate) fn root_of(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    frontier.extend(hashes.iter().copied());
    frontier.root()
}

/// The tile at this place, as wide as the level's number of hashes makes it.
pub(crate) fn tile_at(level: u8, index: u64, hashes_in_level: u64) -> TileId {
    let from = index.saturating_mul(u64::from(TILE_WIDTH));
    let width = u16::try_from(hashes_in_level.saturating_sub(from)).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
    TileId { level, index, width }
}

/// Each level of a tree with the number of hashes in it, for as long as there are any.
fn levels(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0_u8..8).map(move |level| (level, size >> (8 * u32::from(level)))).take_while(|(_, hashes)| *hashes > 0)
}

/// Why bytes are not a bundle, or entries cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    #[error("the bundle ends within an entry")]
    Truncated,
    #[error("a bundle holds 1 to {BUNDLE_ENTRIES} entries")]
    Count,
    #[error("an entry in a bundle has at most {MAX_ENTRY_BYTES} bytes")]
    EntryTooLong,
}

/// The bytes of a bundle: each entry after its length (2 bytes, big-endian).
///
/// # Errors
/// [`BundleError`] when there are none or more than 256 entries, or one is too long.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(BUNDLE_ENTRIES) {
        return Err(BundleError::Count);
    }
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| entry.as_ref().len() + 2).sum());
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle, as slices of it.
///
/// # Errors
/// [`BundleError`] when the lengths do not add up, or there are none or more than 256 entries.
pub fn decode_bundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(usize::from(BUNDLE_ENTRIES));
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk().ok_or(BundleError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        bytes = rest;
        if entries.len() > usize::from(BUNDLE_ENTRIES) {
            return Err(BundleError::Count);
        }
    }
    if entries.is_empty() { Err(BundleError::Count) } else { Ok(entries) }
}
