//! Inclusion and consistency proofs: made from tiles, checked without them (RFC 9162 section 2.1).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::tile::{root_of, tile_at};
use crate::{Hash, HashSource, SourceError, TILE_WIDTH, TileId, empty_root, node_hash};

/// Why there is no proof, or why one does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the tree has no such leaf, or the earlier tree is the larger one")]
    OutOfRange,
    #[error("the proof does not have the length it must have")]
    WrongLength,
    #[error("the proof leads to another root")]
    WrongRoot,
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The proof that the leaf at `index` is in the tree of the first `size` leaves: the hashes beside
/// its path, from the leaf up (RFC 9162 section 2.1.3.1).
///
/// # Errors
/// [`ProofError::OutOfRange`] when `index` is not below `size`; [`ProofError::Source`].
pub fn inclusion_proof(source: &dyn HashSource, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
    hashes_of(source, &beside_path(index, size)?, size)
}

/// The proof that the tree of the first `old` leaves is the beginning of that of the first `new`
/// (RFC 9162 section 2.1.4.1). Empty when either is trivially so: equal sizes, or none before.
///
/// # Errors
/// [`ProofError::OutOfRange`] when `old` is more than `new`; [`ProofError::Source`].
pub fn consistency_proof(source: &dyn HashSource, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
    hashes_of(source, &between_sizes(old, new)?, new)
}

/// The tiles that [`inclusion_proof`] reads.
///
/// # Errors
/// [`ProofError::OutOfRange`] as there.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Result<Vec<TileId>, ProofError> {
    Ok(tiles_under(&beside_path(index, size)?, size))
}

/// The tiles that [`consistency_proof`] reads.
///
/// # Errors
/// [`ProofError::OutOfRange`] as there.
pub fn tiles_for_consistency(old: u64, new: u64) -> Result<Vec<TileId>, ProofError> {
    Ok(tiles_under(&between_sizes(old, new)?, new))
}

/// Checks that `leaf` is at `index` in the tree with `root` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`ProofError`] when the proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let last = size.checked_sub(1).filter(|last| index <= *last).ok_or(ProofError::OutOfRange)?;
    let (mut node, mut edge) = (index, last);
    let mut hash = *leaf;
    for sibling in proof {
        if edge == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == edge {
            hash = node_hash(sibling, &hash);
            // On the right edge, levels without a sibling are passed over.
            let skip = node.trailing_zeros().min(63);
            (node, edge) = (node >> skip, edge >> skip);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, edge) = (node >> 1, edge >> 1);
    }
    compare(edge == 0, hash == *root)
}

/// Checks that the tree with `old_root` is the beginning of that with `new_root`
/// (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// [`ProofError`] when the proof does not show it.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == new {
        return compare(proof.is_empty(), old_root == new_root);
    }
    if old == 0 {
        // The empty tree is the beginning of every tree, but there is only one empty root.
        return compare(proof.is_empty(), *old_root == empty_root());
    }
    let (mut node, mut edge) = (old - 1, new - 1);
    let skip = node.trailing_ones();
    (node, edge) = (node >> skip, edge >> skip);
    // An old tree that is perfect is itself the first hash, and is not sent.
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::WrongLength)?;
        (*first, rest)
    };
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if edge == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == edge {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            let skip = node.trailing_zeros().min(63);
            (node, edge) = (node >> skip, edge >> skip);
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        (node, edge) = (node >> 1, edge >> 1);
    }
    compare(edge == 0, from_old == *old_root && from_new == *new_root)
}

fn compare(length_fits: bool, roots_fit: bool) -> Result<(), ProofError> {
    match (length_fits, roots_fit) {
        (true, true) => Ok(()),
        (true, false) => Err(ProofError::WrongRoot),
        (false, _) => Err(ProofError::WrongLength),
    }
}

/// Leaves `from` to `to` (not included), whose hash is a node of the tree.
type Range = (u64, u64);

fn beside_path(index: u64, size: u64) -> Result<Vec<Range>, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let mut ranges = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

fn between_sizes(old: u64, new: u64) -> Result<Vec<Range>, ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    let mut ranges = Vec::new();
    if old == 0 {
        return Ok(ranges);
    }
    let (mut from, mut to) = (0, new);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    // What is left is a part of the old tree; the verifier knows it only if it is all of it.
    if from > 0 {
        ranges.push((from, to));
    }
    ranges.reverse();
    Ok(ranges)
}

/// The greatest power of two below `leaves`, where RFC 9162 splits a tree; `leaves` is 2 or more.
const fn split(leaves: u64) -> u64 {
    1 << (63 - (leaves - 1).leading_zeros())
}

/// A perfect subtree: where its hashes are found in a tile.
struct Subtree {
    tile: TileId,
    /// The first of its hashes within the tile.
    offset: usize,
    /// How many: a power of two up to 128.
    count: usize,
}

/// The perfect subtrees that a range consists of, largest first.
fn subtrees((mut from, to): Range, size: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    while from < to {
        let height = 63 - (to - from).leading_zeros();
        // Heights stay below 64, levels below 8.
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let shift = height / 8 * 8;
        let first = from >> shift;
        let width = u64::from(TILE_WIDTH);
        found.push(Subtree {
            tile: tile_at(level, first / width, size >> shift),
            offset: usize::try_from(first % width).unwrap_or(usize::MAX),
            count: 1 << (height % 8),
        });
        from += 1 << height;
    }
    found
}

fn tiles_under(ranges: &[Range], size: u64) -> Vec<TileId> {
    let mut tiles: Vec<_> =
        ranges.iter().flat_map(|range| subtrees(*range, size)).map(|subtree| subtree.tile).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

fn hashes_of(source: &dyn HashSource, ranges: &[Range], size: u64) -> Result<Vec<Hash>, ProofError> {
    let mut read = BTreeMap::<TileId, Vec<Hash>>::new();
    let mut hashes = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut joined: Option<Hash> = None;
        for Subtree { tile, offset, count } in subtrees(*range, size).into_iter().rev() {
            let hashes = match read.entry(tile) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(source.tile(tile)?),
            };
            let part =
                hashes.get(offset..offset.saturating_add(count)).ok_or(SourceError::Malformed(tile))?;
            let left = root_of(part);
            joined = Some(joined.map_or(left, |right| node_hash(&left, &right)));
        }
        hashes.extend(joined);
    }
    Ok(hashes)
}
