//! The tree: known values, growth in any steps, proofs, and the refusal of wrong ones.

use mimamori_ledger::{
    Frontier, Hash, HashSource, MemoryTiles, ProofError, SourceError, Tile, TileId, bundle_path,
    consistency_proof, decode_bundle, empty_root, encode_bundle, grow, inclusion_proof, leaf_hash,
    tiles_for_consistency, tiles_for_growth, tiles_for_inclusion, tiles_of, verify_consistency,
    verify_inclusion,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sample::{defined_root, leaves, root, tiles};

/// The leaves and roots used since RFC 6962 by the implementations of Certificate Transparency.
const KNOWN_LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const KNOWN_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn known(count: usize) -> Vec<Hash> {
    KNOWN_LEAVES[..count].iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect()
}

fn hash(text: &str) -> Hash {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn known_roots_come_out() {
    assert_eq!(empty_root(), hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (size, expected) in (1..).zip(KNOWN_ROOTS) {
        assert_eq!(root(&known(size)), hash(expected), "size {size}");
    }
}

/// The example tree of RFC 9162 section 2.1.5: seven leaves, nodes a to l.
#[test]
fn the_proofs_of_the_rfc_s_example_come_out() {
    let d = known(7);
    let node = |l: &Hash, r: &Hash| mimamori_ledger::node_hash(l, r);
    let (a, b, c, e, f, j) = (d[0], d[1], d[2], d[4], d[5], d[6]);
    let (g, h, i) = (node(&a, &b), node(&c, &d[3]), node(&e, &f));
    let (k, l) = (node(&g, &h), node(&i, &j));
    let source = tiles(&d);
    assert_eq!(inclusion_proof(&source, 0, 7).unwrap(), [b, h, l]);
    assert_eq!(inclusion_proof(&source, 3, 7).unwrap(), [c, g, l]);
    assert_eq!(inclusion_proof(&source, 4, 7).unwrap(), [f, j, k]);
    assert_eq!(inclusion_proof(&source, 6, 7).unwrap(), [i, k]);
    assert_eq!(consistency_proof(&source, 3, 7).unwrap(), [c, d[3], g, l]);
    assert_eq!(consistency_proof(&source, 4, 7).unwrap(), [l]);
    assert_eq!(consistency_proof(&source, 6, 7).unwrap(), [i, j, k]);
}

/// Every size up to two full levels of small trees, every pair: nothing is left to chance there.
#[test]
fn all_small_proofs_hold_and_lead_to_no_other_root() {
    let all = leaves(40);
    for size in 1..=all.len() {
        let (source, top) = (tiles(&all[..size]), root(&all[..size]));
        assert_eq!(top, defined_root(&all[..size]));
        let end = size as u64;
        for index in 0..end {
            let proof = inclusion_proof(&source, index, end).unwrap();
            let leaf = &all[index as usize];
            verify_inclusion(leaf, index, end, &proof, &top).unwrap();
            for other in (0..=end).filter(|other| *other != index) {
                assert!(verify_inclusion(leaf, other, end, &proof, &top).is_err());
            }
        }
        for old in 0..=end {
            let proof = consistency_proof(&source, old, end).unwrap();
            let old_root = root(&all[..old as usize]);
            verify_consistency(old, &old_root, end, &top, &proof).unwrap();
            assert!(verify_consistency(old, &[7; 32], end, &top, &proof).is_err());
            assert!(verify_consistency(old, &old_root, end, &[7; 32], &proof).is_err() || old == 0);
        }
        assert_eq!(inclusion_proof(&source, end, end), Err(ProofError::OutOfRange));
        assert_eq!(consistency_proof(&source, end + 1, end), Err(ProofError::OutOfRange));
    }
    assert_eq!(verify_inclusion(&all[0], 0, 0, &[], &empty_root()), Err(ProofError::OutOfRange));
    assert_eq!(
        verify_consistency(0, &[7; 32], 3, &root(&all[..3]), &[]),
        Err(ProofError::WrongRoot),
        "an empty tree with a root of its own"
    );
}

/// A source that holds only what was announced.
struct Announced(Vec<TileId>, MemoryTiles);

impl HashSource for Announced {
    fn tile(&self, id: TileId) -> Result<Vec<Hash>, SourceError> {
        if self.0.contains(&id) { self.1.tile(id) } else { Err(SourceError::Missing(id)) }
    }
}

/// Sizes that lie around the edges of tiles as often as anywhere.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..3_000, 250_u64..260, 508_u64..520, Just(65_536_u64), 65_530_u64..66_100]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn growth_in_any_steps_gives_one_tree(steps in vec(0_usize..700, 1..12)) {
        let all = leaves(steps.iter().sum::<usize>() as u64);
        let (mut stored, mut frontier, mut size) = (MemoryTiles::new(), Frontier::new(), 0);
        for step in steps {
            let added = &all[size..size + step];
            // Only the partial tiles that were announced may be read.
            let source = Announced(tiles_for_growth(size as u64).collect(), stored.clone());
            stored.extend(grow(&source, size as u64, added).unwrap());
            frontier.extend(added.iter().copied());
            size += step;
            prop_assert_eq!(Frontier::from_bytes(&frontier.to_bytes()), Ok(frontier.clone()));
            prop_assert_eq!(frontier.root(), defined_root(&all[..size]));
            prop_assert_eq!(frontier.size(), size as u64);
            for id in tiles_of(size as u64) {
                let hashes = stored.tile(id).unwrap();
                let span = 1_usize << (8 * id.level);
                let first = id.index as usize * 256 * span;
                for (n, hash) in hashes.iter().enumerate().step_by(61) {
                    let from = first + n * span;
                    prop_assert_eq!(*hash, defined_root(&all[from..from + span]));
                }
            }
        }
    }

    #[test]
    fn proofs_hold_and_mutated_ones_do_not(
        size in size(),
        index in any::<prop::sample::Index>(),
        old in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let all = leaves(size);
        let (stored, top) = (tiles(&all), root(&all));
        let index = index.index(all.len()) as u64;
        let leaf = &all[index as usize];
        let source = Announced(tiles_for_inclusion(index, size).unwrap(), stored.clone());
        let proof = inclusion_proof(&source, index, size).unwrap();
        prop_assert!(verify_inclusion(leaf, index, size, &proof, &top).is_ok());
        for changed in mutations(&proof, place.index(64), bit) {
            prop_assert!(verify_inclusion(leaf, index, size, &changed, &top).is_err());
        }
        prop_assert!(verify_inclusion(&[1; 32], index, size, &proof, &top).is_err());

        let old = old.index(all.len() + 1) as u64;
        let old_root = root(&all[..old as usize]);
        let source = Announced(tiles_for_consistency(old, size).unwrap(), stored);
        let proof = consistency_proof(&source, old, size).unwrap();
        prop_assert!(verify_consistency(old, &old_root, size, &top, &proof).is_ok());
        for changed in mutations(&proof, place.index(64), bit) {
            prop_assert!(verify_consistency(old, &old_root, size, &top, &changed).is_err());
        }
        if old > 0 {
            prop_assert!(verify_consistency(old - 1, &old_root, size, &top, &proof).is_err());
            prop_assert!(verify_consistency(size, &top, old, &old_root, &proof).is_err() || old == size);
        }
    }

    #[test]
    fn arbitrary_proofs_are_refused(
        index in any::<u64>(), old in any::<u64>(), size in any::<u64>(),
        proof in vec(any::<[u8; 32]>(), 0..70),
    ) {
        prop_assert!(verify_inclusion(&[0; 32], index, size, &proof, &[9; 32]).is_err());
        prop_assert!(verify_consistency(old, &[0; 32], size, &[9; 32], &proof).is_err());
    }

    #[test]
    fn bundles_read_back_and_have_one_form(entries in vec(vec(any::<u8>(), 0..50), 1..=256)) {
        let bytes = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bytes).unwrap(), entries);
        prop_assert!(decode_bundle(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn arbitrary_bundles_and_frontiers_do_no_harm(bytes in vec(any::<u8>(), 0..800)) {
        if let Ok(entries) = decode_bundle(&bytes) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes.clone());
        }
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes.clone());
        }
        let mut likely = vec![1, 0, 0, 0, 0, 0, 0];
        likely.extend(&bytes);
        if let Ok(frontier) = Frontier::from_bytes(&likely) {
            prop_assert_eq!(frontier.to_bytes(), likely);
        }
    }
}

/// One bit changed, one hash more at either end, one less, two exchanged.
fn mutations(proof: &[Hash], place: usize, bit: usize) -> Vec<Vec<Hash>> {
    let mut changed = vec![[proof, &[[3; 32]]].concat(), [&[[3; 32]], proof].concat()];
    if let Some(last) = proof.len().checked_sub(1) {
        changed.push(proof[..last].to_vec());
        changed.push(proof[1..].to_vec());
        let mut flipped = proof.to_vec();
        flipped[place % proof.len()][bit / 8] ^= 1 << (bit % 8);
        changed.push(flipped);
        let mut exchanged = proof.to_vec();
        exchanged.swap(0, last);
        if exchanged != proof {
            changed.push(exchanged);
        }
    }
    changed
}

#[test]
fn paths_are_those_of_the_layout() {
    let path = |level, index, width| TileId { level, index, width }.path();
    assert_eq!(path(0, 0, 256), "tile/0/000");
    assert_eq!(path(1, 1_234_067, 256), "tile/1/x001/x234/067");
    assert_eq!(path(0, 273, 112), "tile/0/273.p/112");
    assert_eq!(bundle_path(999, 256), "tile/entries/999");
    assert_eq!(bundle_path(1_000, 1), "tile/entries/x001/000.p/1");
}

/// The worked example of `tlog-tiles`: 70,000 entries.
#[test]
fn the_tiles_of_a_tree_are_those_of_the_layout() {
    let ids: Vec<_> = tiles_of(70_000).collect();
    let count = |level, full| ids.iter().filter(|id| id.level == level && (id.width == 256) == full).count();
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!((count(2, true), count(2, false)), (0, 1));
    assert!(ids.contains(&TileId { level: 0, index: 273, width: 112 }));
    assert!(ids.contains(&TileId { level: 1, index: 1, width: 17 }));
    assert!(ids.contains(&TileId { level: 2, index: 0, width: 1 }));
    let small: Vec<_> = tiles_of(256).collect();
    assert_eq!(small.len(), 2, "a full tile and one of width 1 above it");
    assert_eq!(tiles_of(0).count(), 0);
    let grown: Vec<_> = grow(&MemoryTiles::new(), 0, &leaves(70_000)).unwrap();
    assert_eq!(grown.iter().map(|tile| tile.id).collect::<Vec<_>>(), ids);
}

#[test]
fn a_wider_tile_serves_for_a_narrower_one_but_not_the_reverse() {
    let tile = Tile { id: TileId { level: 0, index: 0, width: 3 }, hashes: leaves(3) };
    let bytes = tile.to_bytes();
    assert_eq!(Tile::from_bytes(tile.id, &bytes), Ok(tile.clone()));
    let narrow = TileId { width: 2, ..tile.id };
    assert_eq!(Tile::from_bytes(narrow, &bytes).unwrap().hashes, leaves(2));
    let wide = TileId { width: 4, ..tile.id };
    assert_eq!(Tile::from_bytes(wide, &bytes), Err(SourceError::Malformed(wide)));
    assert!(Tile::from_bytes(tile.id, &bytes[1..]).is_err());
    assert!(Tile::from_bytes(tile.id, &[0; 257 * 32]).is_err());
    let mut memory = MemoryTiles::new();
    memory.insert(tile.clone());
    memory.insert(Tile { id: narrow, hashes: leaves(2) });
    assert_eq!(memory.tile(tile.id).unwrap(), leaves(3));
    assert_eq!(memory.tile(wide), Err(SourceError::Missing(wide)));
}
