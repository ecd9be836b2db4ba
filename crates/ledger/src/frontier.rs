//! The right edge of a growing tree: all that is needed to append and to know the root.

use crate::{Hash, empty_root, node_hash};

/// The first byte of the stored form.
const FORMAT: u8 = 1;
/// Format byte and size.
const HEAD_BYTES: usize = 9;

/// The roots of the perfect subtrees a tree consists of, largest first: one for each bit set in its
/// size. Appending costs one node hash on average and needs nothing else of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// The stored form of a frontier is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a stored frontier")]
pub struct FrontierError;

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given its hash (see [`leaf_hash`](crate::leaf_hash)).
    pub fn push(&mut self, leaf: Hash) {
        self.push_and_see(leaf, |_, _, _| {});
    }

    /// Appends a leaf and tells of every perfect subtree it completes, lowest first: its height
    /// (1 and more), its index among those of that height, its root.
    pub(crate) fn push_and_see(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, &Hash)) {
        let mut hash = leaf;
        // Adding one to the size carries through its trailing ones: each carry joins two subtrees.
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            completed(height, self.size >> height, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree (RFC 9162 section 2.1.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => empty_root(),
            Some(smallest) => peaks.fold(*smallest, |right, left| node_hash(left, &right)),
        }
    }

    /// The stored form: a format byte (1), the size (8 bytes, big-endian), the subtree roots.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 32 * self.peaks.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend(self.peaks.iter().flatten());
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`FrontierError`] when the length does not fit the size, or the format is not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (&[format, ref size @ ..], peaks) =
            bytes.split_first_chunk::<HEAD_BYTES>().ok_or(FrontierError)?;
        let size = u64::from_be_bytes(*size);
        let (peaks, rest) = peaks.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        // Databases count in signed 64 bits; no tree gets near that.
        if format == FORMAT && fits && i64::try_from(size).is_ok() {
            Ok(Self { size, peaks: peaks.to_vec() })
        } else {
            Err(FrontierError)
        }
    }
}

impl Extend<Hash> for Frontier {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}
