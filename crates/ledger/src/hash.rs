//! The three hashes of the tree (RFC 9162 section 2.1.1, SHA-256).

use aws_lc_rs::digest;

/// A SHA-256 value: of a leaf, a node, a tree, or what an entry commits to.
pub type Hash = [u8; 32];

/// Prefix and entry that are hashed in one piece.
const SHORT: usize = 1_024;

/// SHA-256 (FIPS 180-4) without any prefix.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    finished(digest::digest(&digest::SHA256, bytes))
}

/// The hash of one entry: SHA-256 over `0x00` and the entry's exact bytes.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // Nearly all entries are short. Copying one behind the prefix costs less than a context, which
    // takes memory of its own.
    let mut bytes = [0x00; SHORT];
    if let Some(place) = bytes.get_mut(1..=entry.len()) {
        place.copy_from_slice(entry);
        return sha256(bytes.get(..=entry.len()).unwrap_or(&bytes));
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0x00]);
    context.update(entry);
    finished(context.finish())
}

/// The hash of an inner node: SHA-256 over `0x01`, the left and the right child.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    sha256(&bytes)
}

/// The root of the tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(b"")
}

fn finished(digest: digest::Digest) -> Hash {
    let mut hash = [0; 32];
    // SHA-256 always gives 32 bytes.
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_has_the_same_hash_in_one_piece_as_in_two() {
        for length in [0, 1, 400, SHORT - 2, SHORT - 1, SHORT, SHORT + 1, 65_535] {
            let entry: Vec<u8> = (0..=255).cycle().take(length).collect();
            let whole = [&[0x00], entry.as_slice()].concat();
            assert_eq!(leaf_hash(&entry), sha256(&whole), "{length} bytes");
        }
    }
}
